#include "enclave/clock_watch.h"

#include "sys/clock.h"
#include "sys/log.h"
#include "sys/metric.h"

#include <stdlib.h>

enum { MAX_DOCUMENT_BYTES = 16384 };

static tg_metric_family set_back = {
    .name = "teegate_clock_set_back_total",
    .help = "Times that the host's clock was found behind the attested time, and was not before.",
    .kind = TG_METRIC_COUNTER};
static tg_metric_family behind = {.name = "teegate_clock_behind_seconds",
                                  .help = "How far the host's clock is behind the attested time; 0 where it is not.",
                                  .kind = TG_METRIC_GAUGE,
                                  .unit = TG_METRIC_IN_NANOSECONDS};

struct tg_clock_watch {
    tg_attest_device *device;
    tg_loop *loop;
    tg_deadline look, ask;
    uint64_t num_told;
    bool is_failing;
};

/* Once for each time that it was set back. */
static void look(tg_clock_watch *self)
{
    tg_clock_standing standing = tg_clock_stand();
    tg_metric_set(tg_metric_only(&behind), (int64_t)(standing.behind_ms * 1000000));
    if (standing.num_set_back == self->num_told) {
        return;
    }
    char host[25], floor[25];
    tg_clock_format(standing.floor_unix_ms - standing.behind_ms, host);
    tg_clock_format(standing.floor_unix_ms, floor);
    tg_metric_add(tg_metric_only(&set_back), standing.num_set_back - self->num_told);
    self->num_told = standing.num_set_back;
    tg_log(TG_LOG_WARN, "clock", "clock_set_back", TG_F_STR("host", host), TG_F_STR("attested", floor),
           TG_F_UINT("behind_ms", standing.behind_ms),
           TG_F_STR("effect", "the attested time is taken for every decision"));
}

/* What the document says beside its time is of no use here; tg_attest takes the time. */
static void ask(tg_clock_watch *self)
{
    const tg_attest_request request = {.nonce = {NULL, 0}};
    tg_detail detail = {0};
    tg_buf document;
    tg_buf_init(&document, MAX_DOCUMENT_BYTES);
    bool is_failing = !tg_is_ok(tg_attest(self->device, &request, &document, &detail));
    tg_buf_done(&document);
    if (is_failing && !self->is_failing) {
        tg_log_fault(TG_LOG_ERROR, "clock", "no_attested_time", &detail);
    }
    self->is_failing = is_failing;
}

static void on_look(tg_deadline *deadline)
{
    tg_clock_watch *self = TG_OBJECT_OF(deadline, tg_clock_watch, look);
    look(self);
    tg_deadline_arm_in(self->loop, deadline, TG_CLOCK_LOOK_MS);
}

static void on_ask(tg_deadline *deadline)
{
    tg_clock_watch *self = TG_OBJECT_OF(deadline, tg_clock_watch, ask);
    ask(self);
    tg_deadline_arm_in(self->loop, deadline, TG_CLOCK_ASK_MS);
}

tg_result tg_clock_watch_open(tg_attest_device *device, tg_loop *loop, tg_clock_watch **out_watch)
{
    tg_clock_watch *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *self = (tg_clock_watch){.device = device, .loop = loop, .look = {.run = on_look}, .ask = {.run = on_ask}};
    tg_metric_add(tg_metric_only(&set_back), 0);
    on_ask(&self->ask);
    on_look(&self->look);
    *out_watch = self;
    return tg_ok();
}

void tg_clock_watch_close(tg_clock_watch *watch)
{
    if (watch != NULL) {
        tg_deadline_disarm(&watch->look);
        tg_deadline_disarm(&watch->ask);
        free(watch);
    }
}
