#include "proxy/proxy_admin.h"

#include "base/text.h"
#include "http/server.h"
#include "io/listener.h"
#include "proxy/probe.h"
#include "sys/log.h"
#include "telemetry/prometheus.h"

#include <stdlib.h>

enum { MAX_CONNECTIONS = 64, MAX_BODY_BYTES = 1024, MAX_METRICS_BYTES = 16 << 20 };

struct tg_proxy_admin {
    tg_loop *loop;
    tg_proxy *proxy;
    const tg_bound *bound;
    tg_listener *listener;
    tg_http_server *server;
    tg_probe *probe;
    tg_http_request *waiting[MAX_CONNECTIONS]; /* for what the probe says: at most one a connection */
    size_t num_waiting;
};

static void respond_json(tg_http_request *request, unsigned status, tg_buf *body)
{
    static const tg_http_header headers[] = {{TG_LIT("Content-Type"), TG_LIT("application/json")},
                                             {TG_LIT("Cache-Control"), TG_LIT("no-store")}};
    tg_http_respond(request, status, headers, TG_COUNT(headers), body);
}

static tg_result append_results(tg_buf *buf, const char *status, const tg_probe_result *results, size_t num_results)
{
    TG_TRY(tg_buf_printf(buf, "{\"status\":\"%s\",\"enclaves\":{", status));
    for (size_t i = 0; i < num_results; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? "," : ""));
        TG_TRY(tg_json_append_string(buf, tg_slice_str(results[i].name)));
        TG_TRY(tg_buf_append_str(buf, ":{\"address\":"));
        TG_TRY(tg_json_append_string(buf, tg_slice_str(results[i].target)));
        TG_TRY(tg_buf_printf(buf, ",\"answers\":%s,\"latency_ms\":%llu}", results[i].answers ? "true" : "false",
                             (unsigned long long)results[i].latency_ms));
    }
    return tg_buf_append_str(buf, "}}\n");
}

static void on_probed(const tg_probe_result *results, size_t num_results, void *owner)
{
    tg_proxy_admin *admin = owner;
    size_t num_good = 0;
    for (size_t i = 0; i < num_results; i++) {
        num_good += results[i].answers;
    }
    bool is_down = num_results > 0 && num_good == 0;
    const char *status = is_down ? "down" : num_good < num_results ? "degraded" : "ok";
    while (admin->num_waiting > 0) {
        tg_http_request *request = admin->waiting[--admin->num_waiting];
        tg_buf *body = tg_http_answer_buf(request);
        if (tg_is_ok(append_results(body, status, results, num_results))) {
            respond_json(request, is_down ? 503 : 200, body);
        } else {
            tg_http_respond_error(request, 500, NULL, "no memory", TG_LIT(""));
        }
    }
}

static void answer_health(tg_proxy_admin *admin, tg_http_request *request)
{
    if (admin->num_waiting == MAX_CONNECTIONS) {
        tg_http_respond_error(request, 503, NULL, "too many ask at a time", TG_LIT(""));
        return;
    }
    admin->waiting[admin->num_waiting++] = request;
    tg_probe_ask(admin->probe, tg_proxy_current_config(admin->proxy));
}

static void answer_metrics(tg_http_request *request)
{
    static const tg_http_header headers[] = {{TG_LIT("Content-Type"), TG_LIT(TG_PROMETHEUS_CONTENT_TYPE)}};
    tg_buf text;
    tg_buf_init(&text, MAX_METRICS_BYTES);
    if (tg_is_ok(tg_prometheus_append(&text))) {
        tg_http_respond(request, 200, headers, TG_COUNT(headers), &text);
    } else {
        tg_http_respond_error(request, 500, NULL, "the metrics do not fit", TG_LIT(""));
    }
    tg_buf_done(&text);
}

static void answer_status(tg_proxy_admin *admin, tg_http_request *request)
{
    const tg_proxy_config *config = tg_proxy_current_config(admin->proxy);
    tg_buf *body = tg_http_answer_buf(request);
    const tg_sandbox_report *sandbox = tg_proxy_sandbox(admin->proxy);
    tg_result result = tg_buf_printf(
        body,
        "{\"version\":\"%s\",\"uptime_s\":%llu,\"draining\":%s,\"connections\":%zu,\"domains\":%zu,\"forwards\":%zu,"
        "\"sandbox\":{\"uid\":%u,\"capabilities\":%s,\"landlock_abi\":%d,\"seccomp\":%s}}\n",
        TG_VERSION, (unsigned long long)(tg_proxy_uptime_ms(admin->proxy) / 1000),
        tg_proxy_is_draining(admin->proxy) ? "true" : "false", tg_proxy_num_connections(admin->proxy),
        config->num_domains, config->num_forwards, (unsigned)sandbox->uid,
        sandbox->has_no_capabilities ? "false" : "true", sandbox->landlock_abi, sandbox->has_filter ? "true" : "false");
    if (tg_is_ok(result)) {
        respond_json(request, 200, body);
    } else {
        tg_http_respond_error(request, 500, NULL, "no memory", TG_LIT(""));
    }
}

static void answer_text(tg_http_request *request, unsigned status, const char *text)
{
    static const tg_http_header headers[] = {{TG_LIT("Content-Type"), TG_LIT("text/plain; charset=utf-8")}};
    tg_http_respond_text(request, status, headers, TG_COUNT(headers), tg_slice_str(text));
}

static void on_request(tg_http_request *request, void *context)
{
    tg_proxy_admin *admin = context;
    tg_slice path = request->path;
    if (request->method != TG_HTTP_GET && request->method != TG_HTTP_HEAD) {
        tg_http_respond_not_allowed(request, "GET, HEAD");
    } else if (tg_slice_equal(path, TG_LIT("/metrics"))) {
        answer_metrics(request);
    } else if (tg_slice_equal(path, TG_LIT("/health"))) {
        answer_health(admin, request);
    } else if (tg_slice_equal(path, TG_LIT("/live"))) {
        answer_text(request, 200, "live\n");
    } else if (tg_slice_equal(path, TG_LIT("/ready"))) {
        bool is_draining = tg_proxy_is_draining(admin->proxy);
        answer_text(request, is_draining ? 503 : 200, is_draining ? "draining\n" : "ready\n");
    } else if (tg_slice_equal(path, TG_LIT("/status"))) {
        answer_status(admin, request);
    } else if (tg_slice_equal(path, TG_LIT("/version"))) {
        answer_text(request, 200, "teegate-proxy " TG_VERSION "\n");
    } else {
        tg_http_respond_error(request, 404, NULL, "there is /metrics, /health, /live, /ready, /status, /version",
                              TG_LIT(""));
    }
}

static void on_cancel(tg_http_request *request, void *context)
{
    tg_proxy_admin *admin = context;
    for (size_t i = 0; i < admin->num_waiting; i++) {
        if (admin->waiting[i] == request) {
            admin->waiting[i] = admin->waiting[--admin->num_waiting];
            return;
        }
    }
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    tg_proxy_admin *admin = owner;
    (void)listener;
    if (!tg_is_ok(tg_http_server_adopt(admin->server, stream))) {
        tg_log(TG_LOG_WARN, "admin", "connection refused", TG_F_UINT("max_connections", MAX_CONNECTIONS));
    }
}

static const tg_listener_calls listener_calls = {.accepted = on_accepted};

static tg_result set_up(tg_proxy_admin *admin, const tg_proxy_sidecar *sidecar)
{
    tg_http_limits limits;
    const tg_http_handlers handlers = {.on_request = on_request, .on_cancel = on_cancel, .context = admin};
    tg_http_limits_default(&limits);
    limits.num_connections = MAX_CONNECTIONS;
    limits.body_bytes = MAX_BODY_BYTES;
    TG_TRY(tg_http_server_new(admin->loop, &limits, &handlers, NULL, &admin->server));
    TG_TRY(tg_probe_new(admin->loop, sidecar, on_probed, admin, &admin->probe));
    return tg_listener_open(admin->loop, admin->bound, &listener_calls, admin, &admin->listener);
}

tg_result tg_proxy_admin_open(tg_loop *loop, tg_proxy *proxy, const tg_proxy_sidecar *sidecar, const tg_bound *bound,
                              tg_proxy_admin **out_admin)
{
    tg_proxy_admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    admin->loop = loop;
    admin->proxy = proxy;
    admin->bound = bound;
    tg_result result = set_up(admin, sidecar);
    if (!tg_is_ok(result)) {
        tg_proxy_admin_close(admin);
        return result;
    }
    *out_admin = admin;
    return tg_ok();
}

void tg_proxy_admin_close(tg_proxy_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    tg_listener_close(admin->listener);
    if (admin->server != NULL) {
        tg_http_server_free(admin->server);
    }
    tg_probe_free(admin->probe);
    free(admin);
}

const tg_bound *tg_proxy_admin_bound(const tg_proxy_admin *admin)
{
    return admin->bound;
}
