#include "enclave/envelope_service.h"

#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

struct tg_envelope_service {
    tg_publisher *publisher;
    tg_loop *loop;
    tg_subscription subscription;
    tg_deadline check;
    tg_key_ring *ring; /* that the keys were derived from; NULL before any */
    uint64_t until_unix_s;
};

static tg_result derive(tg_envelope_service *self, const tg_key_ring *ring, uint64_t now_unix_s)
{
    const tg_secret *sources[TG_MAX_ENVELOPE_SOURCES];
    tg_envelope_keys *keys;
    size_t num_sources = tg_key_ring_len(ring);
    num_sources = num_sources < TG_MAX_ENVELOPE_SOURCES ? num_sources : TG_MAX_ENVELOPE_SOURCES;
    for (size_t i = 0; i < num_sources; i++) {
        sources[i] = tg_key_ring_at(ring, i)->key;
    }
    TG_TRY(tg_envelope_keys_new(sources, num_sources, now_unix_s, &keys));
    self->until_unix_s = tg_envelope_keys_until_unix_s(keys);
    return tg_publisher_set_envelope_keys(self->publisher, keys);
}

/* Whether the keys are those of this ring in this epoch; a clock set back is followed too. */
static bool are_current(const tg_envelope_service *self, const tg_key_ring *ring, uint64_t now_unix_s)
{
    return self->ring == ring && now_unix_s < self->until_unix_s &&
           now_unix_s + TG_ENVELOPE_EPOCH_S >= self->until_unix_s;
}

static tg_result follow(tg_envelope_service *self)
{
    tg_snapshot *snapshot = tg_publisher_current(self->publisher);
    tg_key_ring *ring = tg_snapshot_ring(snapshot);
    uint64_t now_unix_s = tg_clock_unix_ms() / 1000;
    tg_result result = tg_ok();
    if (ring != NULL && !are_current(self, ring, now_unix_s)) {
        tg_key_ring_unref(self->ring);
        self->ring = tg_key_ring_ref(ring);
        result = derive(self, ring, now_unix_s);
    }
    tg_snapshot_unref(snapshot);
    return result;
}

static void follow_or_log(tg_envelope_service *self)
{
    tg_result result = follow(self);
    if (!tg_is_ok(result)) {
        self->until_unix_s = 0; /* tried again with the next check */
        tg_log(TG_LOG_ERROR, "envelope", "keys_not_derived", TG_F_ERR(result));
    }
}

static void on_changed(void *owner)
{
    follow_or_log(owner);
}

static void on_check(tg_deadline *deadline)
{
    tg_envelope_service *self = TG_OBJECT_OF(deadline, tg_envelope_service, check);
    follow_or_log(self);
    tg_deadline_arm_in(self->loop, &self->check, TG_ENVELOPE_CHECK_MS);
}

tg_result tg_envelope_service_open(tg_publisher *publisher, tg_loop *loop, tg_envelope_service **out_service)
{
    tg_envelope_service *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *self = (tg_envelope_service){.publisher = publisher, .loop = loop, .check = {.run = on_check}};
    self->subscription = (tg_subscription){.loop = loop, .changed = on_changed, .owner = self};
    tg_result result = tg_publisher_subscribe(publisher, &self->subscription);
    if (!tg_is_ok(result)) {
        free(self);
        return result;
    }
    *out_service = self; /* subscribed: it lives as long as the publisher, whatever follows */
    tg_deadline_arm_in(loop, &self->check, TG_ENVELOPE_CHECK_MS);
    return follow(self);
}

void tg_envelope_service_close(tg_envelope_service *service)
{
    if (service != NULL) {
        tg_deadline_disarm(&service->check);
        tg_key_ring_unref(service->ring);
        free(service);
    }
}
