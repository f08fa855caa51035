#include "enclave/applications.h"

#include "outbound/outbound.h"

#include <stdlib.h>

/* What is dialled, and what is said first. */
typedef struct way {
    tg_address address;
    bool has_token;
    uint8_t token[TG_PEER_RETURN_TOKEN_BYTES];
} way;

typedef struct application {
    way way;
    tg_outbound *outbound; /* NULL: the place is free */
    tg_http_client *client;
    uint64_t used_at; /* by the count of calls */
} application;

struct tg_applications {
    tg_loop *loop;
    const tg_address *fixed;
    tg_http_client_limits limits;
    uint64_t num_calls;
    application places[TG_MAX_APPLICATIONS];
};

static bool is_dialled_back(const tg_peer *peer)
{
    return peer->return_port != 0 && peer->kind == TG_ADDRESS_VSOCK && peer->has_cid;
}

bool tg_applications_has(const tg_applications *applications, const tg_peer *peer)
{
    return applications->fixed != NULL || is_dialled_back(peer);
}

static way way_to(const tg_applications *applications, const tg_peer *peer)
{
    way found = {.has_token = peer->return_port != 0};
    if (is_dialled_back(peer)) {
        found.address =
            (tg_address){.kind = TG_ADDRESS_VSOCK, .cid = peer->cid, .has_cid = true, .port = peer->return_port};
    } else {
        found.address = *applications->fixed;
    }
    memcpy(found.token, peer->return_token, sizeof found.token);
    return found;
}

static bool is_same(const way *a, const way *b)
{
    char text_a[TG_MAX_ADDRESS_BYTES], text_b[TG_MAX_ADDRESS_BYTES];
    return a->has_token == b->has_token && memcmp(a->token, b->token, sizeof a->token) == 0 &&
           strcmp(tg_address_format(&a->address, text_a), tg_address_format(&b->address, text_b)) == 0;
}

static void leave(application *place)
{
    tg_http_client_free(place->client);
    tg_outbound_unref(place->outbound);
    tg_wipe(place, sizeof *place);
}

static bool is_idle(const application *place)
{
    tg_http_client_counts counts = tg_http_client_counts_of(place->client);
    return counts.num_waiting == 0 && counts.num_connections == counts.num_kept;
}

/* A free place, or that of the application which was not called for longest and is not now. */
static application *make_room(tg_applications *applications)
{
    application *oldest = NULL;
    for (size_t i = 0; i < TG_COUNT(applications->places); i++) {
        application *place = &applications->places[i];
        if (place->outbound == NULL) {
            return place;
        }
        if (is_idle(place) && (oldest == NULL || place->used_at < oldest->used_at)) {
            oldest = place;
        }
    }
    if (oldest != NULL) {
        leave(oldest);
    }
    return oldest;
}

static tg_result settle(tg_applications *applications, const way *to, application *place)
{
    const tg_outbound_settings settings = {
        .url = TG_LIT("http://localhost"), /* the name that the application reads in Host */
        .carrier = &to->address,
        .preface = to->has_token ? tg_slice_of(to->token, sizeof to->token) : (tg_slice){NULL, 0},
        .plain = TG_OUTBOUND_PLAIN_LOOPBACK};
    TG_TRY(tg_outbound_new(&settings, &place->outbound, NULL));
    tg_result made = tg_http_client_new(applications->loop, tg_outbound_connector(place->outbound), TG_LIT("localhost"),
                                        &applications->limits, &place->client);
    if (!tg_is_ok(made)) {
        tg_outbound_unref(TG_TAKE(place->outbound));
        return made;
    }
    place->way = *to;
    return tg_ok();
}

tg_result tg_applications_find(tg_applications *applications, const tg_peer *peer, tg_http_client **out_client)
{
    application *found = NULL;
    if (!tg_applications_has(applications, peer)) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    way to = way_to(applications, peer);
    for (size_t i = 0; i < TG_COUNT(applications->places) && found == NULL; i++) {
        application *place = &applications->places[i];
        found = place->outbound != NULL && is_same(&place->way, &to) ? place : NULL;
    }
    if (found == NULL) {
        found = make_room(applications);
        TG_TRY(found != NULL ? settle(applications, &to, found) : tg_fail(TG_ERR_LIMIT));
    }
    tg_wipe(&to, sizeof to);
    found->used_at = ++applications->num_calls;
    *out_client = found->client;
    return tg_ok();
}

tg_result tg_applications_new(tg_loop *loop, const tg_address *fixed, const tg_http_client_limits *limits,
                              tg_applications **out_applications)
{
    tg_applications *applications = calloc(1, sizeof *applications);
    if (applications == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    applications->loop = loop;
    applications->fixed = fixed;
    applications->limits = *limits;
    *out_applications = applications;
    return tg_ok();
}

void tg_applications_free(tg_applications *applications)
{
    if (applications == NULL) {
        return;
    }
    for (size_t i = 0; i < TG_COUNT(applications->places); i++) {
        if (applications->places[i].outbound != NULL) {
            leave(&applications->places[i]);
        }
    }
    free(applications);
}
