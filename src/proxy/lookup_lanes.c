#include "proxy/lookup_lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lane {
    struct lane *next;
    tg_lookup_lane lane;
    char key[]; /* "cid 16", "no cid" or "name db.internal" */
} lane;

struct tg_lookup_lanes {
    lane *first;
    size_t max_running;
};

tg_result tg_lookup_lanes_new(size_t num_workers, tg_lookup_lanes **out_lanes)
{
    tg_lookup_lanes *lanes = calloc(1, sizeof *lanes);
    if (lanes == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    lanes->max_running = TG_LOOKUP_THREADS / 2 / (num_workers > 0 ? num_workers : 1);
    if (lanes->max_running == 0) {
        lanes->max_running = 1;
    }
    *out_lanes = lanes;
    return tg_ok();
}

void tg_lookup_lanes_free(tg_lookup_lanes *lanes)
{
    while (lanes != NULL && lanes->first != NULL) {
        lane *gone = lanes->first;
        lanes->first = gone->next;
        free(gone);
    }
    free(lanes);
}

static tg_lookup_lane *find(tg_lookup_lanes *lanes, const char *key)
{
    for (lane *each = lanes->first; each != NULL; each = each->next) {
        if (strcmp(each->key, key) == 0) {
            return &each->lane;
        }
    }
    lane *made = calloc(1, sizeof *made + strlen(key) + 1);
    if (made == NULL) {
        return NULL;
    }
    memcpy(made->key, key, strlen(key) + 1);
    tg_lookup_lane_init(&made->lane, lanes->max_running);
    made->next = lanes->first;
    lanes->first = made;
    return &made->lane;
}

tg_lookup_lane *tg_lookup_lanes_find(tg_lookup_lanes *lanes, const tg_address *target, const tg_peer *chooser)
{
    char key[TG_MAX_HOST_BYTES + 8];
    if (target->kind != TG_ADDRESS_TCP || target->is_numeric) {
        return NULL;
    }
    if (chooser == NULL) {
        snprintf(key, sizeof key, "name %.*s", TG_MAX_HOST_BYTES, target->name);
    } else if (chooser->has_cid) {
        snprintf(key, sizeof key, "cid %u", chooser->cid);
    } else {
        return find(lanes, "no cid");
    }
    return find(lanes, key);
}
