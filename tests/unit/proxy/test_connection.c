#include "proxy/connection.h"

#include "unit/proxy/served.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t unrecognized_name[] = {0x15, 3, 3, 0, 2, 2, 0x70};

static int enclave, tcp_server;
static char tcp_line[64]; /* 127.0.0.1:PORT and a newline */

static int listen_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    served_set_patience(fd);
    snprintf(tcp_line, sizeof tcp_line, "127.0.0.1:%u\n", ntohs(address.sin_port));
    return fd;
}

static int set_up(void **state)
{
    if (tg_test_folder_set_up(state) != 0 || tg_test_log_set_up(state) != 0) {
        return -1;
    }
    enclave = served_listen("k");
    tcp_server = listen_tcp();
    served_start(
        "{\"domains\": {"
        "\"k.x\": {\"cid\": 16, \"http\": \"unix:@/k\", \"https\": \"unix:@/k\", \"egress\": [\"127.0.0.1/32\"]},"
        "\"*.wild.x\": {\"cid\": 17, \"http\": \"unix:@/k\", \"https\": \"unix:@/k\"},"
        "\"down.x\": {\"cid\": 18, \"http\": \"unix:@/n\", \"https\": \"unix:@/nobody\", \"egress\": [\"a.x:443\"]}},"
        "\"listen\": {\"http\": [], \"kms\": [], \"https\": [\"unix:@/tls\", {\"address\": \"unix:@/told\", "
        "\"accept_proxy\": true, \"send_proxy\": true}],"
        "\"internet\": [\"unix:@/out16?cid=16\", \"unix:@/out17?cid=17\", \"unix:@/out18?cid=18\"]},"
        "\"forwards\": [{\"listen\": \"unix:@/any\", \"connect\": \"unix:@/k\"},"
        "{\"listen\": \"unix:@/for16?cid=16\", \"connect\": \"unix:@/k\", \"cids\": [16]},"
        "{\"listen\": \"unix:@/for17?cid=17\", \"connect\": \"unix:@/k\", \"cids\": [16]},"
        "{\"listen\": \"unix:@/dead\", \"connect\": \"unix:@/nobody\"}],"
        "\"limits\": {\"per_cid\": 3, \"pending\": 3, \"rate_per_cid\": 1000},"
        "\"timeouts\": {\"hello_ms\": 3000, \"idle_ms\": 3000, \"connect_ms\": 2000}}");
    return 0;
}

static int tear_down(void **state)
{
    served_stop();
    close(enclave);
    close(tcp_server);
    tg_test_log_tear_down(state);
    return tg_test_folder_tear_down(state);
}

static int forget(void **state)
{
    (void)state;
    tg_test_log_forget();
    return 0;
}

static void put16(tg_buf *buf, size_t value)
{
    assert_ok(tg_buf_append_byte(buf, (uint8_t)(value >> 8)));
    assert_ok(tg_buf_append_byte(buf, (uint8_t)value));
}

/* The least ClientHello, with this server name or without any (NULL), in one record. */
static tg_buf hello_of(const char *name)
{
    static const uint8_t zeros[32];
    size_t name_len = name != NULL ? strlen(name) : 0, extensions_len = name != NULL ? 9 + name_len : 0;
    size_t body_len = 2 + 32 + 1 + 4 + 2 + 2 + extensions_len;
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_buf_append(&buf, tg_slice_of((const uint8_t[]){0x16, 3, 1}, 3)));
    put16(&buf, body_len + 4);
    assert_ok(tg_buf_append(&buf, tg_slice_of((const uint8_t[]){1, 0}, 2)));
    put16(&buf, body_len);
    put16(&buf, 0x0303);
    assert_ok(tg_buf_append(&buf, tg_slice_of(zeros, sizeof zeros)));
    assert_ok(tg_buf_append(&buf, tg_slice_of((const uint8_t[]){0, 0, 2, 0x13, 1, 1, 0}, 7)));
    put16(&buf, extensions_len);
    if (name != NULL) {
        put16(&buf, 0);
        put16(&buf, name_len + 5);
        put16(&buf, name_len + 3);
        assert_ok(tg_buf_append_byte(&buf, 0));
        put16(&buf, name_len);
        assert_ok(tg_buf_append_str(&buf, name));
    }
    return buf;
}

static void hears_bytes(int fd, tg_slice expected)
{
    uint8_t got[4096];
    assert_int_equal(recv(fd, got, expected.len, MSG_WAITALL), expected.len);
    assert_memory_equal(got, expected.ptr, expected.len);
}

/* A client of the SNI router sends these bytes; its enclave's side, which has heard them. */
static int routed(const char *name, int *out_client)
{
    tg_buf hello = hello_of(name);
    *out_client = served_connect("tls");
    served_send(*out_client, tg_buf_slice(&hello));
    int inner = served_accept(enclave);
    hears_bytes(inner, tg_buf_slice(&hello));
    tg_buf_done(&hello);
    return inner;
}

static void sni_known_name_reaches_its_enclave_with_every_byte(void **state)
{
    (void)state;
    static const char *const names[] = {"k.x", "K.X", "deep.wild.x"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        int client, inner = routed(names[i], &client);
        served_say(inner, "hello");
        assert_hears(client, "hello");
        shutdown(client, SHUT_WR);
        assert_ends(inner);
        served_say(inner, "half-closed");
        assert_hears(client, "half-closed");
        close(inner);
        assert_ends(client);
        close(client);
    }
    assert_true(tg_test_log_says("\"event\":\"connection ended\""));
    assert_true(tg_test_log_says("\"route\":\"k.x\""));
}

static void sni_hello_byte_by_byte_is_taken(void **state)
{
    (void)state;
    tg_buf hello = hello_of("k.x");
    int client = served_connect("tls");
    for (size_t i = 0; i < tg_buf_len(&hello); i++) {
        served_send(client, tg_slice_first(tg_slice_from(tg_buf_slice(&hello), i), 1));
    }
    int inner = served_accept(enclave);
    hears_bytes(inner, tg_buf_slice(&hello));
    tg_buf_done(&hello);
    close(inner);
    close(client);
}

static void assert_hello_refused(tg_buf hello, bool has_alert, const char *event)
{
    uint8_t got[64];
    int client = served_connect("tls");
    served_send(client, tg_buf_slice(&hello));
    ssize_t len = recv(client, got, sizeof got, MSG_WAITALL);
    assert_int_equal(len, has_alert ? sizeof unrecognized_name : 0);
    assert_memory_equal(got, unrecognized_name, (size_t)len);
    close(client);
    tg_buf_done(&hello);
    assert_true(tg_test_log_says(event));
}

static void sni_without_a_configured_name_gets_the_alert(void **state)
{
    (void)state;
    assert_hello_refused(hello_of(NULL), true, "\"event\":\"no SNI\"");
    assert_hello_refused(hello_of("other.x"), true, "\"event\":\"domain not found\"");
    assert_hello_refused(hello_of("wild.x"), true, "\"name\":\"wild.x\"");
    assert_hello_refused(hello_of("127.0.0.1"), true, "\"rule\":\"no_domain\"");
}

static void sni_what_is_no_hello_is_closed_without_a_word(void **state)
{
    (void)state;
    tg_buf text, malformed = hello_of("k.x");
    tg_buf_init(&text, 100);
    assert_ok(tg_buf_append_str(&text, "GET / HTTP/1.1\r\n\r\n"));
    assert_hello_refused(text, false, "\"event\":\"not TLS\"");
    malformed.ptr[malformed.start + 5] = 2; /* no ClientHello */
    assert_hello_refused(malformed, false, "\"event\":\"malformed ClientHello\"");
}

static void sni_too_large_hello_is_refused(void **state)
{
    (void)state;
    static uint8_t record[5 + 16384];
    const uint8_t begin[] = {0x16, 3, 1, 0x40, 0, 1, 1, 0, 0}; /* a handshake message of 64 KiB in records of 16 */
    memcpy(record, begin, sizeof begin);
    int client = served_connect("tls");
    for (int i = 0; i < 5; i++) {
        (void)!send(client, record, sizeof record, MSG_NOSIGNAL);
        memset(record + 5, 0, 4);
    }
    assert_ends(client);
    close(client);
    assert_true(tg_test_log_says("\"event\":\"ClientHello too large\""));
}

static void sni_slow_client_and_one_that_leaves_are_let_go(void **state)
{
    (void)state;
    int slow = served_connect("tls"), leaving = served_connect("tls");
    served_say(leaving, "\x16\x03");
    close(leaving);
    served_say(slow, "\x16\x03\x01");
    assert_ends(slow);
    close(slow);
    assert_true(tg_test_log_says("\"event\":\"client too slow\""));
}

static void sni_dead_enclave_lets_the_client_go(void **state)
{
    (void)state;
    tg_buf hello = hello_of("down.x");
    int client = served_connect("tls");
    served_send(client, tg_buf_slice(&hello));
    assert_ends(client);
    close(client);
    tg_buf_done(&hello);
    assert_true(tg_test_log_says("\"event\":\"dial failed\""));
}

static void header_is_demanded_learnt_and_passed_on(void **state)
{
    (void)state;
    const uint8_t addresses[] = {192, 0, 2, 7, 192, 0, 2, 8};
    const tg_proxy_header header = {.family = TG_PROXY_INET,
                                    .source = tg_slice_of(addresses, 4),
                                    .destination = tg_slice_of(addresses + 4, 4),
                                    .source_port = 4711,
                                    .destination_port = 443};
    tg_buf both, hello = hello_of("k.x");
    tg_buf_init(&both, 4096);
    assert_ok(tg_proxy_header_append(&both, &header, false));
    assert_ok(tg_buf_append(&both, tg_buf_slice(&hello)));
    int client = served_connect("told");
    served_send(client, tg_buf_slice(&both));
    int inner = served_accept(enclave);
    hears_bytes(inner, tg_buf_slice(&both));
    close(inner);
    close(client);
    client = served_connect("told");
    served_send(client, tg_buf_slice(&hello));
    assert_ends(client);
    close(client);
    assert_true(tg_test_log_says("\"event\":\"bad PROXY header\""));
    tg_buf_done(&both);
    tg_buf_done(&hello);
}

static void egress_line_reaches_what_the_rules_of_the_cid_allow(void **state)
{
    (void)state;
    int client = served_connect("out16");
    served_say(client, tcp_line);
    served_say(client, "behind the line");
    int outside = served_accept(tcp_server);
    assert_hears(outside, "behind the line");
    served_say(outside, "answer");
    assert_hears(client, "answer");
    close(outside);
    assert_ends(client);
    close(client);
}

static void assert_egress_refused(const char *door, const char *line, const char *rule)
{
    char part[64];
    int client = served_connect(door);
    served_say(client, line);
    assert_ends(client);
    close(client);
    snprintf(part, sizeof part, "\"rule\":\"%s\"", rule);
    if (!tg_test_log_says(part)) {
        fail_msg("%s: no %s in %s", line, part, tg_test_log());
    }
}

static void egress_special_addresses_and_bad_lines_are_refused(void **state)
{
    (void)state;
    assert_egress_refused("out17", tcp_line, "loopback");
    assert_egress_refused("out17", "169.254.169.254:80\n", "metadata");
    assert_egress_refused("out17", "[::ffff:127.0.0.1]:80\n", "translated");
    assert_egress_refused("out18", "name.example:80\n", "no_rule");
    assert_egress_refused("out17", "localhost:1\n", "loopback");
    assert_egress_refused("out17", "no port\n", "bad_line");
    char long_line[4200];
    memset(long_line, 'a', sizeof long_line - 1);
    long_line[sizeof long_line - 1] = 0;
    assert_egress_refused("out17", long_line, "line_too_long");
}

static void egress_configured_domain_goes_straight_to_its_enclave(void **state)
{
    (void)state;
    static const char *const lines[] = {"k.x:443\nhello", "K.x.:80\nhello"};
    for (size_t i = 0; i < TG_COUNT(lines); i++) {
        int client = served_connect("out17");
        served_say(client, lines[i]);
        int inner = served_accept(enclave);
        assert_hears(inner, "hello");
        close(inner);
        close(client);
    }
    assert_egress_refused("out18", "k.x:8443\n", "no_rule");
}

static void forward_carries_bytes_of_those_who_may(void **state)
{
    (void)state;
    static const char *const doors[] = {"any", "for16"};
    for (size_t i = 0; i < TG_COUNT(doors); i++) {
        int client = served_connect(doors[i]);
        int inner = served_accept(enclave);
        served_say(inner, "first word");
        assert_hears(client, "first word");
        close(client);
        assert_ends(inner);
        close(inner);
    }
    int other = served_connect("for17");
    assert_ends(other);
    close(other);
    assert_true(tg_test_log_says("\"event\":\"forward refused\""));
    int dead = served_connect("dead");
    assert_ends(dead);
    close(dead);
}

static void relay_without_a_byte_ends_after_idle_ms(void **state)
{
    (void)state;
    int client = served_connect("any"), inner = served_accept(enclave);
    assert_ends(client);
    assert_ends(inner);
    close(client);
    close(inner);
    assert_true(tg_test_log_says("\"end\":\"idle\""));
}

static void limit_per_cid_refuses_the_one_past_it(void **state)
{
    (void)state;
    int clients[3], inner[3];
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        clients[i] = served_connect("for16");
        inner[i] = served_accept(enclave);
    }
    int past = served_connect("for16");
    assert_ends(past);
    close(past);
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        served_say(inner[i], "in");
        assert_hears(clients[i], "in");
        close(clients[i]);
        close(inner[i]);
    }
    assert_true(tg_test_log_says("\"event\":\"limit reached\""));
}

static void limit_of_pending_lets_the_oldest_go(void **state)
{
    (void)state;
    int clients[4];
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        clients[i] = served_connect("tls");
        served_say(clients[i], "\x16");
        usleep(20000); /* their order is that of coming in */
    }
    assert_ends(clients[0]);
    assert_true(tg_test_log_says("\"rule\":\"limit_pending\""));
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        close(clients[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sni_known_name_reaches_its_enclave_with_every_byte, forget),
        cmocka_unit_test_setup(sni_hello_byte_by_byte_is_taken, forget),
        cmocka_unit_test_setup(sni_without_a_configured_name_gets_the_alert, forget),
        cmocka_unit_test_setup(sni_what_is_no_hello_is_closed_without_a_word, forget),
        cmocka_unit_test_setup(sni_too_large_hello_is_refused, forget),
        cmocka_unit_test_setup(sni_slow_client_and_one_that_leaves_are_let_go, forget),
        cmocka_unit_test_setup(sni_dead_enclave_lets_the_client_go, forget),
        cmocka_unit_test_setup(header_is_demanded_learnt_and_passed_on, forget),
        cmocka_unit_test_setup(egress_line_reaches_what_the_rules_of_the_cid_allow, forget),
        cmocka_unit_test_setup(egress_special_addresses_and_bad_lines_are_refused, forget),
        cmocka_unit_test_setup(egress_configured_domain_goes_straight_to_its_enclave, forget),
        cmocka_unit_test_setup(forward_carries_bytes_of_those_who_may, forget),
        cmocka_unit_test_setup(relay_without_a_byte_ends_after_idle_ms, forget),
        cmocka_unit_test_setup(limit_per_cid_refuses_the_one_past_it, forget),
        cmocka_unit_test_setup(limit_of_pending_lets_the_oldest_go, forget),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
