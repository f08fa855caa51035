#include "proxy/visit.h"

#include "proxy/proxy_metrics.h"
#include "proxy/worker.h"
#include "sys/log.h"

#include <sys/socket.h>

static bool refuse(const tg_proxy_visit *visit, tg_limit_verdict verdict)
{
    tg_proxy_visit_refused(visit, "limit reached", tg_slice_str(tg_limit_verdict_name(verdict)), TG_LIT(""),
                           "see limits in the configuration");
    return false;
}

/* Room for one more that has not said where to: the one that has waited longest leaves. */
static void make_room(tg_proxy_worker *worker)
{
    uint64_t max = worker->config->limits.pending / worker->shared->num_workers;
    if (worker->num_pending > (max > 0 ? max : 1)) {
        tg_proxy_visit *oldest = TG_OBJECT_OF(worker->pending.next, tg_proxy_visit, link);
        tg_proxy_visit_refused(oldest, "limit reached", TG_LIT("limit_pending"), TG_LIT(""),
                               "clients that send nothing hold places; see limits.pending");
        oldest->stop(oldest, "limit_pending");
    }
}

bool tg_proxy_visit_begin(tg_proxy_visit *visit, tg_proxy_worker *worker, const tg_proxy_door *door,
                          const tg_stream *stream)
{
    const tg_proxy_limits *limits = &worker->config->limits;
    visit->worker = worker;
    visit->door = *door;
    visit->peer = *tg_stream_peer(stream);
    visit->id = atomic_fetch_add_explicit(&worker->shared->last_id, 1, memory_order_relaxed) + 1;
    visit->began_ms = tg_loop_now_ms(worker->loop);
    tg_limit_verdict verdict = tg_limiter_enter(worker->shared->limiter, limits);
    if (verdict != TG_LIMIT_FINE) {
        return refuse(visit, verdict);
    }
    if (!door->accepts_proxy) { /* else the address behind the balancer counts, once it is known */
        visit->key = tg_limit_key_of_peer(&visit->peer);
        verdict = tg_limiter_enter_key(worker->shared->limiter, limits, &visit->key, visit->began_ms);
        if (verdict != TG_LIMIT_FINE) {
            tg_limiter_leave(worker->shared->limiter);
            return refuse(visit, verdict);
        }
        visit->has_key = true;
    }
    visit->config = tg_proxy_config_ref(worker->config);
    visit->is_pending = true;
    tg_link_append(&worker->pending, &visit->link);
    worker->num_pending++;
    worker->num_visits++;
    tg_proxy_count_open(door->service, 1);
    make_room(worker);
    return true;
}

void tg_proxy_visit_renew(tg_proxy_visit *visit)
{
    tg_proxy_config *former = visit->config;
    visit->config = tg_proxy_config_ref(visit->worker->config);
    tg_proxy_config_unref(former);
}

void tg_proxy_visit_settle(tg_proxy_visit *visit)
{
    if (visit->is_pending) {
        visit->is_pending = false;
        visit->worker->num_pending--;
        tg_link_remove(&visit->link);
        tg_link_append(&visit->worker->open, &visit->link);
    }
}

void tg_proxy_visit_unsettle(tg_proxy_visit *visit)
{
    if (!visit->is_pending) {
        visit->is_pending = true;
        visit->worker->num_pending++;
        tg_link_remove(&visit->link);
        tg_link_append(&visit->worker->pending, &visit->link);
    }
}

void tg_proxy_visit_leave(tg_proxy_visit *visit)
{
    tg_limiter *limiter = visit->worker->shared->limiter;
    if (visit->has_left) {
        return;
    }
    visit->has_left = true;
    if (visit->has_key) {
        tg_limiter_leave_key(limiter, &visit->key);
    }
    tg_limiter_leave(limiter);
}

void tg_proxy_visit_end(tg_proxy_visit *visit, tg_slice route, const char *outcome)
{
    tg_proxy_worker *worker = visit->worker;
    tg_link_remove(&visit->link);
    worker->num_pending -= visit->is_pending;
    tg_proxy_visit_leave(visit);
    tg_proxy_count_open(visit->door.service, -1);
    tg_proxy_count_end(visit->door.service, route, outcome);
    tg_proxy_config_unref(TG_TAKE(visit->config));
    worker->num_visits--;
    tg_proxy_worker_visit_left(worker);
}

bool tg_proxy_visit_learn(tg_proxy_visit *visit, const tg_proxy_header *header, tg_proxy_source *out_source)
{
    tg_slice ip = {NULL, 0};
    *out_source = (tg_proxy_source){.family = TG_PROXY_UNSPEC};
    if (header->family == TG_PROXY_INET || header->family == TG_PROXY_INET6) {
        out_source->family = header->family;
        memcpy(out_source->source, header->source.ptr, header->source.len);
        memcpy(out_source->destination, header->destination.ptr, header->destination.len);
        out_source->source_port = header->source_port;
        out_source->destination_port = header->destination_port;
        ip = header->source;
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* the log names the client itself */
        visit->peer = (tg_peer){.kind = TG_ADDRESS_TCP, .port = header->source_port};
        memcpy(visit->peer.ip, mapped, sizeof mapped);
        memcpy(visit->peer.ip + (ip.len == 4 ? 12 : 0), ip.ptr, ip.len);
    }
    visit->key = tg_limit_key_of_ip(ip);
    tg_limit_verdict verdict = tg_limiter_enter_key(visit->worker->shared->limiter, &visit->config->limits, &visit->key,
                                                    tg_loop_now_ms(visit->worker->loop));
    visit->has_key = verdict == TG_LIMIT_FINE;
    return visit->has_key || refuse(visit, verdict);
}

/* The peer and the address that it dialled, both of one family. */
static void source_of_socket(const tg_proxy_visit *visit, const tg_stream *client, tg_proxy_source *source)
{
    tg_sockaddr local = {.len = sizeof local.in6};
    tg_peer own;
    int fd = tg_stream_raw_fd(client);
    if (visit->peer.kind != TG_ADDRESS_TCP || fd < 0 || getsockname(fd, &local.any, &local.len) != 0 ||
        !tg_is_ok(tg_peer_of_sockaddr(&local, &own)) || own.kind != TG_ADDRESS_TCP) {
        return;
    }
    bool is_ipv4 = tg_peer_is_ipv4(&visit->peer) && tg_peer_is_ipv4(&own);
    size_t skip = is_ipv4 ? 12 : 0;
    source->family = is_ipv4 ? TG_PROXY_INET : TG_PROXY_INET6;
    memcpy(source->source, visit->peer.ip + skip, sizeof visit->peer.ip - skip);
    memcpy(source->destination, own.ip + skip, sizeof own.ip - skip);
    source->source_port = (uint16_t)visit->peer.port;
    source->destination_port = (uint16_t)own.port;
}

tg_result tg_proxy_visit_header(const tg_proxy_visit *visit, const tg_proxy_source *source, const tg_stream *client,
                                tg_slice tlvs, tg_buf *buf)
{
    tg_proxy_source known = *source;
    if (known.family == TG_PROXY_UNSPEC) {
        source_of_socket(visit, client, &known);
    }
    size_t len = known.family == TG_PROXY_INET ? 4 : known.family == TG_PROXY_INET6 ? 16 : 0;
    const tg_proxy_header header = {
        .family = known.family,
        .source = tg_slice_of(known.source, len),
        .destination = tg_slice_of(known.destination, len),
        .source_port = known.source_port,
        .destination_port = known.destination_port,
        .tlvs = tlvs,
    };
    return tg_proxy_header_append(buf, &header, false);
}

void tg_proxy_visit_refused(const tg_proxy_visit *visit, const char *event, tg_slice rule, tg_slice name,
                            const char *remedy)
{
    char peer[TG_PEER_TEXT_BYTES];
    uint64_t num_unlogged;
    tg_proxy_count_refusal(visit->door.service, rule);
    if (!tg_proxy_worker_may_log(visit->worker, TG_LOG_OF_REFUSALS, &num_unlogged)) {
        return;
    }
    tg_log(TG_LOG_WARN, "proxy", event, TG_F_UINT("connection", visit->id),
           TG_F_STR("service", tg_proxy_service_name(visit->door.service)),
           TG_F_STR("peer", tg_peer_format(&visit->peer, peer)), TG_F_SLICE("name", name), TG_F_SLICE("rule", rule),
           TG_F_STR("remedy", remedy != NULL ? remedy : ""), TG_F_UINT("unlogged", num_unlogged));
}
