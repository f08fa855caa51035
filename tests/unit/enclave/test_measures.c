#include "enclave/measures.h"
#include "sys/clock.h"
#include "telemetry/prometheus.h"
#include "unit/enclave/parts.h"

#include <stdio.h>

static tg_publisher *publisher; /* lives as long as the process: gauges are computed from it */

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_publisher_new(&publisher)) && tg_is_ok(tg_measures_start(publisher)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_measures_stop();
    tg_publisher_free(publisher);
    return 0;
}

/* Whether the export holds this line. */
static bool exports(const char *line)
{
    tg_buf buf;
    char part[256];
    tg_buf_init(&buf, 1 << 20);
    assert_ok(tg_buf_append_byte(&buf, '\n'));
    assert_ok(tg_prometheus_append(&buf));
    assert_ok(tg_buf_append_byte(&buf, 0));
    assert_in_range(snprintf(part, sizeof part, "\n%s\n", line), 1, sizeof part - 1);
    bool is_there = strstr((const char *)tg_buf_slice(&buf).ptr, part) != NULL;
    tg_buf_done(&buf);
    return is_there;
}

static void collect_empty_enclave_is_not_ready(void **state)
{
    (void)state;
    assert_true(exports("teegate_ready 0"));
    assert_true(exports("teegate_deks 0"));
    assert_true(exports("teegate_dek_age_seconds -1"));
    assert_true(exports("teegate_schema_set_age_seconds -1"));
    assert_true(exports("teegate_schemas{state=\"loaded\"} 0"));
}

static void set_ready_is_what_was_last_said(void **state)
{
    (void)state;
    tg_measures_set_ready(true);
    assert_true(exports("teegate_ready 1"));
    tg_measures_set_ready(false);
    assert_true(exports("teegate_ready 0"));
}

static void collect_follows_what_is_published(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA\xBB")));
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), tg_clock_unix_ms() + 60000));
    assert_true(exports("teegate_deks 2"));
    assert_true(exports("teegate_schema_set_age_seconds 0")); /* a clock that was set back makes no negative age */
    assert_false(exports("teegate_dek_age_seconds -1"));
    assert_true(exports("teegate_schemas{state=\"loaded\"} 1"));
    assert_true(exports("teegate_schemas{state=\"kept\"} 0"));
    assert_true(exports("teegate_schemas{state=\"refused\"} 0"));
}

static void request_is_counted_by_route_and_status(void **state)
{
    (void)state;
    const tg_http_request request = {.route = "/encrypt"};
    const tg_http_request unread = {.route = NULL};
    const tg_http_record answered = {
        .request = &request, .status = 200, .bytes_in = 10, .bytes_out = 20, .duration_ns = 1000};
    const tg_http_record gone = {.request = &request, .status = 200, .is_aborted = true};
    const tg_http_record refused = {.request = &unread, .status = 400, .refusal = TG_HTTP_BAD_FIELD_NAME};
    tg_measures_request(&answered);
    tg_measures_request(&answered);
    tg_measures_request(&gone);
    tg_measures_request(&refused);
    assert_true(exports("teegate_http_requests_total{route=\"/encrypt\",status=\"200\"} 3"));
    assert_true(exports("teegate_http_requests_total{route=\"none\",status=\"400\"} 1"));
    assert_true(exports("teegate_http_request_duration_seconds_count{route=\"/encrypt\"} 3"));
    assert_true(exports("teegate_http_bytes_total{direction=\"in\"} 20"));
    assert_true(exports("teegate_http_bytes_total{direction=\"out\"} 40"));
    assert_true(exports("teegate_http_requests_aborted_total 1"));
    char line[128];
    snprintf(line, sizeof line, "teegate_requests_refused_total{reason=\"%s\"} 1",
             tg_http_refusal_name(TG_HTTP_BAD_FIELD_NAME));
    assert_true(exports(line));
}

static void fields_and_lookups_are_counted_by_schema_and_result(void **state)
{
    (void)state;
    tg_measures_fields(TG_LIT("bank/payments"), true, 5, 0);
    tg_measures_fields(TG_LIT("bank/payments"), false, 4, 3);
    tg_measures_fields(TG_LIT("empty"), true, 0, 0);
    tg_measures_schema_lookup(true);
    tg_measures_schema_lookup(false);
    tg_measures_schema_refresh("ok");
    tg_measures_tls_fault();
    tg_measures_accept_fault(0);
    tg_measures_accept_fault(7);
    assert_true(exports("teegate_fields_total{operation=\"encrypt\",schema=\"bank/payments\"} 5"));
    assert_true(exports("teegate_fields_total{operation=\"decrypt\",schema=\"bank/payments\"} 4"));
    assert_true(exports("teegate_fields_total{operation=\"encrypt\",schema=\"empty\"} 0"));
    assert_true(exports("teegate_fields_old_key_total 3"));
    assert_true(exports("teegate_schema_lookups_total{result=\"hit\"} 1"));
    assert_true(exports("teegate_schema_lookups_total{result=\"miss\"} 1"));
    assert_true(exports("teegate_schema_refreshes_total{outcome=\"ok\"} 1"));
    assert_true(exports("teegate_tls_faults_total 1"));
    assert_true(exports("teegate_accept_faults_total 8"));
}

static void on_request(tg_http_request *request, void *context)
{
    (void)request;
    (void)context;
}

static void servers_are_counted_until_they_are_forgotten(void **state)
{
    (void)state;
    const tg_http_handlers handlers = {.on_request = on_request};
    tg_loop *loop = NULL;
    tg_http_server *server = NULL;
    assert_ok(tg_loop_new(&loop));
    assert_ok(tg_http_server_new(loop, NULL, &handlers, NULL, &server));
    for (size_t i = 0; i < (size_t)TG_MAX_SUBSCRIBERS + 2; i++) {
        tg_measures_add_server(server);
    }
    assert_true(exports("teegate_http_connections 0"));
    assert_true(exports("teegate_http_connections_accepted 0"));
    tg_measures_stop();
    tg_http_server_free(server);
    tg_loop_free(loop);
    assert_true(exports("teegate_http_connections 0"));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(collect_empty_enclave_is_not_ready),
        cmocka_unit_test(set_ready_is_what_was_last_said),
        cmocka_unit_test(collect_follows_what_is_published),
        cmocka_unit_test(request_is_counted_by_route_and_status),
        cmocka_unit_test(fields_and_lookups_are_counted_by_schema_and_result),
        cmocka_unit_test(servers_are_counted_until_they_are_forgotten),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
