#include "proxy/sidecar.h"

#include "unit/proxy/served.h"

#include "hello/proxy_header.h"

static int enclave, application;
static tg_proxy_sidecar sidecar;

static tg_address unix_address(const char *name)
{
    tg_address address = {.kind = TG_ADDRESS_UNIX};
    snprintf(address.name, sizeof address.name, "%s", tg_test_path(name));
    return address;
}

static int set_up(void **state)
{
    static const uint8_t token[TG_RETURN_TOKEN_BYTES] = "sixteen bytes :)";
    if (tg_test_folder_set_up(state) != 0 || tg_test_log_set_up(state) != 0) {
        return -1;
    }
    enclave = served_listen("enclave");
    application = served_listen("app");
    sidecar = (tg_proxy_sidecar){.listen = unix_address("in"),
                                 .enclave = unix_address("enclave"),
                                 .has_application = true,
                                 .application = unix_address("app"),
                                 .return_listen = unix_address("back")};
    memcpy(sidecar.return_port.token, token, sizeof token);
    host.options.sidecar = &sidecar;
    served_start("{\"forwards\": [{\"listen\": \"unix:@/unused\", \"connect\": \"unix:@/enclave\"}]}");
    return 0;
}

static int tear_down(void **state)
{
    served_stop();
    close(enclave);
    close(application);
    tg_test_log_tear_down(state);
    return tg_test_folder_tear_down(state);
}

static void enter_tells_the_enclave_the_return_port(void **state)
{
    (void)state;
    uint8_t bytes[256];
    tg_proxy_header header;
    tg_return_port told;
    tg_slice value;
    size_t len;
    int client = served_connect("in");
    served_say(client, "hello");
    int inner = served_accept(enclave);
    assert_int_equal(recv(inner, bytes, 16, MSG_WAITALL | MSG_PEEK), 16);
    size_t whole = 16 + (size_t)(bytes[14] << 8 | bytes[15]);
    assert_int_equal(recv(inner, bytes, whole, MSG_WAITALL), whole);
    assert_ok(tg_proxy_header_read(tg_slice_of(bytes, whole), &header, &len));
    assert_true(tg_proxy_header_tlv(&header, TG_PROXY_TLV_RETURN_PORT, &value));
    assert_ok(tg_return_port_read(value, &told));
    assert_memory_equal(told.token, sidecar.return_port.token, sizeof told.token);
    assert_true(told.port > 0);
    assert_hears(inner, "hello");
    close(inner);
    assert_ends(client);
    close(client);
}

static void return_with_the_token_reaches_the_application(void **state)
{
    (void)state;
    int dialled = served_connect("back");
    served_say(dialled, "sixteen");
    served_say(dialled, " bytes :)and then");
    int inner = served_accept(application);
    assert_hears(inner, "and then");
    served_say(inner, "back");
    assert_hears(dialled, "back");
    assert_true(tg_test_log_says("\"route\":\"application\""));
    close(inner);
    close(dialled);
}

static void return_with_another_token_is_refused(void **state)
{
    (void)state;
    int dialled = served_connect("back");
    served_say(dialled, "sixteen bytes :(");
    assert_ends(dialled);
    close(dialled);
    assert_true(tg_test_log_says("\"rule\":\"token\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enter_tells_the_enclave_the_return_port),
        cmocka_unit_test(return_with_the_token_reaches_the_application),
        cmocka_unit_test(return_with_another_token_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
