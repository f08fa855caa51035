#include "io/resolve.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <uv.h>

struct tg_lookup {
    uv_getaddrinfo_t uv;
    tg_loop *loop;
    tg_lookup_lane *lane; /* NULL: none */
    tg_link link;         /* in the lane, while it waits */
    tg_address address;
    size_t max_addresses;
    bool is_running;
    bool is_cancelled;
    tg_lookup_done_fn *done;
    void *owner;
};

void tg_lookup_sort(tg_sockaddr *addresses, size_t num_addresses)
{
    for (size_t i = 1; i < num_addresses; i++) {
        size_t other = i;
        while (other < num_addresses && addresses[other].any.sa_family == addresses[i - 1].any.sa_family) {
            other++;
        }
        if (other == num_addresses) {
            return;
        }
        tg_sockaddr moved = addresses[other];
        memmove(&addresses[i + 1], &addresses[i], (other - i) * sizeof addresses[0]);
        addresses[i] = moved;
    }
}

static tg_result result_of(int status)
{
    switch (status) {
    case 0:
        return tg_ok();
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return tg_fail(TG_ERR_NOT_FOUND);
    case UV_EAI_MEMORY:
    case UV_ENOMEM:
        return tg_fail(TG_ERR_MEMORY);
    default:
        return tg_fail(TG_ERR_LIBRARY);
    }
}

static bool take_address(const tg_lookup *lookup, const struct addrinfo *info, tg_sockaddr *out)
{
    *out = (tg_sockaddr){.len = info->ai_addrlen};
    if (info->ai_family == AF_INET && info->ai_addrlen == sizeof out->in) {
        memcpy(&out->in, info->ai_addr, sizeof out->in);
        out->in.sin_port = htons((uint16_t)lookup->address.port);
        return true;
    }
    if (info->ai_family == AF_INET6 && info->ai_addrlen == sizeof out->in6) {
        memcpy(&out->in6, info->ai_addr, sizeof out->in6);
        out->in6.sin6_port = htons((uint16_t)lookup->address.port);
        return true;
    }
    return false;
}

static void leave_lane(tg_lookup_lane *lane);

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    tg_lookup *lookup = uv->data;
    tg_result result = result_of(status);
    const char *reason = tg_is_ok(result) ? "" : uv_err_name(status);
    tg_sockaddr *addresses = NULL;
    size_t num_addresses = 0;
    if (tg_is_ok(result) && !lookup->is_cancelled) {
        addresses = calloc(lookup->max_addresses, sizeof *addresses);
        result = addresses != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    }
    for (struct addrinfo *info = found; addresses != NULL && info != NULL && num_addresses < lookup->max_addresses;
         info = info->ai_next) {
        num_addresses += take_address(lookup, info, &addresses[num_addresses]);
    }
    uv_freeaddrinfo(found);
    if (tg_is_ok(result) && num_addresses == 0) {
        result = tg_fail(TG_ERR_NOT_FOUND);
        reason = "no addresses";
    }
    tg_lookup given = *lookup;
    free(lookup);
    leave_lane(given.lane);
    if (!given.is_cancelled) {
        tg_lookup_sort(addresses, num_addresses);
        given.done(result, addresses, num_addresses, reason, given.owner);
    }
    free(addresses);
}

static tg_result run(tg_lookup *lookup)
{
    /* Not AI_ADDRCONFIG: it hides addresses on machines whose only interface is the loopback, as an enclave's. */
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error =
        uv_getaddrinfo(tg_loop_uv_begin(lookup->loop), &lookup->uv, on_resolved, lookup->address.name, NULL, &hints);
    if (error != 0) {
        return error == UV_ENOMEM ? tg_fail(TG_ERR_MEMORY) : tg_fail_os(-error);
    }
    lookup->is_running = true;
    if (lookup->lane != NULL) {
        lookup->lane->num_running++;
    }
    return tg_ok();
}

/* One has come back: the next may run. One that cannot is told so. */
static void leave_lane(tg_lookup_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    lane->num_running--;
    while (lane->num_running < lane->max_running && !tg_link_is_empty(&lane->waiting)) {
        tg_lookup *next = TG_OBJECT_OF(lane->waiting.next, tg_lookup, link);
        tg_link_remove(&next->link);
        tg_result result = run(next);
        if (!tg_is_ok(result)) {
            tg_lookup given = *next;
            free(next);
            given.done(result, NULL, 0, "", given.owner);
        }
    }
}

tg_result tg_lookup_start(tg_loop *loop, const tg_address *address, size_t max_addresses, tg_lookup_lane *lane,
                          tg_lookup_done_fn *done, void *owner, tg_lookup **out_lookup)
{
    tg_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *lookup = (tg_lookup){.uv.data = lookup,
                          .loop = loop,
                          .lane = lane,
                          .address = *address,
                          .max_addresses = max_addresses,
                          .done = done,
                          .owner = owner};
    if (lane != NULL && lane->num_running >= lane->max_running) {
        tg_link_append(&lane->waiting, &lookup->link);
    } else {
        tg_result result = run(lookup);
        if (!tg_is_ok(result)) {
            free(lookup);
            return result;
        }
    }
    *out_lookup = lookup;
    return tg_ok();
}

void tg_lookup_cancel(tg_lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    if (!lookup->is_running) {
        tg_link_remove(&lookup->link);
        free(lookup);
        return;
    }
    lookup->is_cancelled = true;
    uv_cancel((uv_req_t *)&lookup->uv); /* fails where a thread has begun: then its answer is dropped */
}
