#include "enclave/applications.h"

#include "support/case.h"
#include "support/folder.h"
#include "unit/enclave/tls_client.h"

static tg_loop *loop;
static tg_address fixed;

static int set_up(void **state)
{
    char text[256];
    if (tg_test_folder_set_up(state) != 0) {
        return -1;
    }
    assert_ok(tg_loop_new(&loop));
    snprintf(text, sizeof text, "unix:%s", tg_test_path("app"));
    assert_ok(tg_address_parse(tg_slice_str(text), &fixed, NULL));
    return 0;
}

static int tear_down(void **state)
{
    tg_loop_free(loop);
    return tg_test_folder_tear_down(state);
}

static tg_applications *open_applications(const tg_address *address)
{
    tg_http_client_limits limits;
    tg_applications *applications;
    tg_http_client_limits_default(&limits);
    assert_ok(tg_applications_new(loop, address, &limits, &applications));
    return applications;
}

static tg_peer peer_of(tg_address_kind kind, uint32_t return_port, char token)
{
    tg_peer peer = {.kind = kind, .has_cid = kind == TG_ADDRESS_VSOCK, .cid = 16, .return_port = return_port};
    memset(peer.return_token, token, sizeof peer.return_token);
    return peer;
}

static void find_without_a_way_is_not_found(void **state)
{
    (void)state;
    tg_http_client *client = NULL;
    tg_applications *applications = open_applications(NULL);
    const tg_peer plain = peer_of(TG_ADDRESS_VSOCK, 0, 0), elsewhere = peer_of(TG_ADDRESS_UNIX, 7, 'a');
    assert_false(tg_applications_has(applications, &plain));
    assert_code(tg_applications_find(applications, &plain, &client), TG_ERR_NOT_FOUND);
    assert_code(tg_applications_find(applications, &elsewhere, &client), TG_ERR_NOT_FOUND); /* no CID to dial */
    const tg_peer sidecar = peer_of(TG_ADDRESS_VSOCK, 7000, 'a');
    assert_true(tg_applications_has(applications, &sidecar));
    assert_ok(tg_applications_find(applications, &sidecar, &client));
    assert_non_null(client);
    tg_applications_free(applications);
    tg_applications_free(NULL);
}

static void find_gives_one_client_for_one_way(void **state)
{
    (void)state;
    tg_http_client *first, *other;
    tg_applications *applications = open_applications(&fixed);
    const tg_peer a = peer_of(TG_ADDRESS_VSOCK, 7000, 'a'), b = peer_of(TG_ADDRESS_VSOCK, 7000, 'b');
    const tg_peer c = peer_of(TG_ADDRESS_VSOCK, 7001, 'a'), plain = peer_of(TG_ADDRESS_TCP, 0, 0);
    const tg_peer elsewhere = peer_of(TG_ADDRESS_UNIX, 7000, 'a'), *const others[] = {&b, &c, &plain, &elsewhere};
    assert_ok(tg_applications_find(applications, &a, &first));
    assert_ok(tg_applications_find(applications, &a, &other));
    assert_ptr_equal(other, first);
    for (size_t i = 0; i < TG_COUNT(others); i++) {
        assert_ok(tg_applications_find(applications, others[i], &other));
        assert_ptr_not_equal(other, first);
    }
    tg_applications_free(applications);
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)call, (void)outcome, (void)owner;
}

static void find_past_the_maximum_takes_the_place_that_rested_longest(void **state)
{
    (void)state;
    tg_http_client *clients[TG_MAX_APPLICATIONS], *again;
    tg_applications *applications = open_applications(NULL);
    for (size_t i = 0; i < TG_MAX_APPLICATIONS; i++) {
        const tg_peer peer = peer_of(TG_ADDRESS_VSOCK, 7000, (char)('a' + i));
        assert_ok(tg_applications_find(applications, &peer, &clients[i]));
    }
    const tg_peer first = peer_of(TG_ADDRESS_VSOCK, 7000, 'a'), one_more = peer_of(TG_ADDRESS_VSOCK, 7000, 'Z');
    assert_ok(tg_applications_find(applications, &first, &again)); /* the second has rested longest now */
    assert_ok(tg_applications_find(applications, &one_more, &again));
    assert_ok(tg_applications_find(applications, &first, &again));
    assert_ptr_equal(again, clients[0]);
    tg_applications_free(applications);
}

static void find_while_all_are_called_is_refused(void **state)
{
    (void)state;
    tg_http_client *client;
    tg_applications *applications = open_applications(&fixed);
    const tg_http_ask ask = {.method = TG_LIT("POST"), .target = TG_LIT("/")};
    const tg_http_call_handlers handlers = {.on_done = on_done};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixed.name, strlen(fixed.name) + 1);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    for (size_t i = 0; i < TG_MAX_APPLICATIONS; i++) {
        const tg_peer peer = peer_of(TG_ADDRESS_UNIX, 7000, (char)('a' + i));
        assert_ok(tg_applications_find(applications, &peer, &client));
        assert_ok(tg_http_call_start(client, &ask, &handlers, NULL, NULL));
    }
    const tg_peer one_more = peer_of(TG_ADDRESS_UNIX, 7000, 'Z');
    assert_code(tg_applications_find(applications, &one_more, &client), TG_ERR_LIMIT);
    tg_applications_free(applications);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(find_without_a_way_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_gives_one_client_for_one_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_past_the_maximum_takes_the_place_that_rested_longest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_while_all_are_called_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
