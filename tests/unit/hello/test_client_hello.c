#include "hello/client_hello.h"

#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

#define LABEL62 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL63 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LONG_A  LABEL62 "." LABEL62 "." LABEL62 "." LABEL62
#define LONG_B  LABEL63 "." LABEL63 "." LABEL63 "." LABEL63

typedef struct capture {
    const char *file;
    size_t flight_len;
    size_t hello_len;
    size_t num_records;
    tg_sni_kind sni_kind;
    const char *sni;
    bool has_alpn;
    bool has_ech;
} capture;

static const capture captures[] = {
    {"chromium-027.bin", 1926, 1921, 1, TG_SNI_HOST, "tee-k.example.test", true, true},
    {"chromium-028.bin", 2022, 2017, 1, TG_SNI_HOST, "tee-k.example.test", true, true},
    {"chromium-029.bin", 1958, 1953, 1, TG_SNI_HOST, "tee-k.example.test", true, true},
    {"chromium-030.bin", 1990, 1985, 1, TG_SNI_HOST, "tee-k.example.test", true, true},
    {"curl-020.bin", 517, 512, 1, TG_SNI_HOST, "tee-k.example.test", true, false},
    {"curl-ip-021.bin", 517, 512, 1, TG_SNI_NONE, NULL, true, false},
    {"curl-traildot-022.bin", 517, 512, 1, TG_SNI_HOST, "tee-k.example.test", true, false},
    {"gnutls37-nosni-019.bin", 373, 368, 1, TG_SNI_NONE, NULL, false, false},
    {"gnutls38-018.bin", 400, 395, 1, TG_SNI_HOST, "tee-t.example.test", false, false},
    {"java17-025.bin", 467, 462, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"java17-pkt200-026.bin", 477, 462, 3, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"node-023.bin", 376, 371, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-253-008.bin", 1793, 1788, 1, TG_SNI_HOST, LONG_A, false, false},
    {"ossl35-255-009.bin", 1797, 1792, 1, TG_SNI_ODD, LONG_B, false, false},
    {"ossl35-alpn-acme-013.bin", 1577, 1572, 1, TG_SNI_HOST, "tee-k.example.test", true, false},
    {"ossl35-alpn-many-014.bin", 2916, 2911, 1, TG_SNI_HOST, "tee-k.example.test", true, false},
    {"ossl35-frag512-016.bin", 1575, 1555, 4, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-ipv4lit-005.bin", 1550, 1545, 1, TG_SNI_ODD, "10.0.0.1", false, false},
    {"ossl35-ipv6lit-006.bin", 1553, 1548, 1, TG_SNI_ODD, "2001:db8::1", false, false},
    {"ossl35-nosni-002.bin", 1533, 1528, 1, TG_SNI_NONE, NULL, false, false},
    {"ossl35-pq3-015.bin", 4428, 4423, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-pq3-frag512-017.bin", 4468, 4423, 9, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-punycode-011.bin", 1563, 1558, 1, TG_SNI_HOST, "xn--bcher-kva.example", false, false},
    {"ossl35-sni-001.bin", 1560, 1555, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-space-010.bin", 1558, 1553, 1, TG_SNI_ODD, "bad name.example", false, false},
    {"ossl35-tls12-012.bin", 218, 213, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
    {"ossl35-traildot-003.bin", 1561, 1556, 1, TG_SNI_ODD, "tee-k.example.test.", false, false},
    {"ossl35-underscore-007.bin", 1566, 1561, 1, TG_SNI_HOST, "under_score.example.test", false, false},
    {"ossl35-upper-004.bin", 1560, 1555, 1, TG_SNI_HOST, "TEE-K.Example.TEST", false, false},
    {"python-024.bin", 517, 512, 1, TG_SNI_HOST, "tee-k.example.test", false, false},
};

static tg_result read_whole(tg_slice flight, tg_client_hello *out_hello)
{
    tg_client_hello_reader reader = {0};
    return tg_client_hello_read(&reader, flight, out_hello);
}

static tg_slice load(const char *file)
{
    char path[128];
    snprintf(path, sizeof path, "client_hello/%s", file);
    return tg_read_vector(path);
}

static void assert_capture(const capture *expected, const tg_client_hello *hello)
{
    assert_int_equal(hello->flight_len, expected->flight_len);
    assert_int_equal(hello->hello_len, expected->hello_len);
    assert_int_equal(hello->num_records, expected->num_records);
    assert_int_equal(hello->sni_kind, expected->sni_kind);
    tg_assert_slice(tg_client_hello_sni(hello), tg_slice_str(expected->sni), __FILE__, __LINE__);
    assert_int_equal(hello->has_alpn, expected->has_alpn);
    assert_int_equal(hello->has_ech, expected->has_ech);
}

static void read_captured_flights_gives_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(captures); i++) {
        tg_slice flight = load(captures[i].file);
        tg_client_hello hello;
        assert_ok(read_whole(flight, &hello));
        assert_capture(&captures[i], &hello);
        free((void *)(uintptr_t)flight.ptr);
    }
}

static void read_captured_flights_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(captures); i++) {
        tg_slice flight = load(captures[i].file);
        tg_client_hello hello;
        tg_client_hello_reader reader = {0};
        for (size_t len = 0; len < flight.len; len++) {
            uint8_t *exact = malloc(len > 0 ? len : 1); /* a block of its own, so that a read past its end is seen */
            assert_non_null(exact);
            memcpy(exact, flight.ptr, len);
            assert_code(tg_client_hello_read(&reader, tg_slice_of(exact, len), &hello), TG_ERR_AGAIN);
            free(exact);
        }
        assert_ok(tg_client_hello_read(&reader, flight, &hello));
        assert_capture(&captures[i], &hello);
        free((void *)(uintptr_t)flight.ptr);
    }
}

static void read_captured_flights_in_every_two_parts_gives_the_same(void **state)
{
    (void)state;
    const capture *expected = &captures[TG_COUNT(captures) - 1];
    for (size_t i = 0; i < TG_COUNT(captures); i++) {
        if (captures[i].num_records > 1) {
            expected = &captures[i];
        }
    }
    tg_slice flight = load(expected->file);
    for (size_t len = 0; len < flight.len; len++) {
        tg_client_hello_reader reader = {0};
        tg_client_hello hello;
        assert_code(tg_client_hello_read(&reader, tg_slice_first(flight, len), &hello), TG_ERR_AGAIN);
        assert_ok(tg_client_hello_read(&reader, flight, &hello));
        assert_capture(expected, &hello);
    }
    free((void *)(uintptr_t)flight.ptr);
}

static void read_every_flipped_byte_never_reads_outside(void **state)
{
    (void)state;
    tg_slice flight = load("java17-pkt200-026.bin");
    uint8_t *changed = malloc(flight.len);
    assert_non_null(changed);
    size_t num_refused = 0;
    for (size_t at = 0; at < flight.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(changed, flight.ptr, flight.len);
            changed[at] ^= (uint8_t)(1u << bit);
            tg_client_hello hello;
            num_refused += !tg_is_ok(read_whole(tg_slice_of(changed, flight.len), &hello));
        }
    }
    assert_in_range(num_refused, 100, flight.len * 8);
    free(changed);
    free((void *)(uintptr_t)flight.ptr);
}

/* Builds a flight of one record a fragment around a hello with the extensions given. */
typedef struct built {
    uint8_t bytes[80000];
    size_t len;
} built;

static void put(built *out, const void *bytes, size_t len)
{
    assert_true(out->len + len <= sizeof out->bytes);
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void put_number(built *out, size_t value, unsigned num_bytes)
{
    for (unsigned i = num_bytes; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        put(out, &byte, 1);
    }
}

static void build_hello(built *out, tg_slice extensions)
{
    static const uint8_t zeros[32];
    out->len = 0;
    put_number(out, 1, 1);
    put_number(out, 2 + 32 + 1 + 4 + 2 + 2 + extensions.len, 3);
    put_number(out, 0x0303, 2);
    put(out, zeros, 32);
    put_number(out, 0, 1);      /* session id */
    put_number(out, 2, 2);      /* cipher suites */
    put_number(out, 0x1301, 2); /* TLS_AES_128_GCM_SHA256 */
    put_number(out, 1, 1);      /* compression methods */
    put_number(out, 0, 1);
    put_number(out, extensions.len, 2);
    put(out, extensions.ptr, extensions.len);
}

static void build_records(built *out, const built *hello, size_t fragment_len)
{
    out->len = 0;
    for (size_t at = 0; at < hello->len; at += fragment_len) {
        size_t len = hello->len - at < fragment_len ? hello->len - at : fragment_len;
        put_number(out, 22, 1);
        put_number(out, 0x0301, 2);
        put_number(out, len, 2);
        put(out, hello->bytes + at, len);
    }
}

static tg_result read_extensions(const char *bytes, size_t len, tg_client_hello *out_hello)
{
    static built hello, flight;
    build_hello(&hello, tg_slice_of(bytes, len));
    build_records(&flight, &hello, 16384);
    return read_whole(tg_slice_of(flight.bytes, flight.len), out_hello);
}
#define read_ext(literal, hello) read_extensions(literal, sizeof(literal) - 1, hello)

static void read_first_bytes_of_other_protocols_are_not_tls(void **state)
{
    (void)state;
    tg_client_hello hello;
    assert_code(read_whole(TG_LIT("GET / HTTP/1.1\r\n"), &hello), TG_ERR_UNSUPPORTED);
    assert_code(read_whole(TG_LIT("G"), &hello), TG_ERR_UNSUPPORTED);
    assert_code(read_whole(TG_LIT("\x80\x2e\x01\x03\x01"), &hello), TG_ERR_UNSUPPORTED);
    assert_code(read_whole(TG_LIT("\x16\x02"), &hello), TG_ERR_UNSUPPORTED);
    assert_code(read_whole(TG_LIT("\0"), &hello), TG_ERR_UNSUPPORTED);
    assert_code(read_whole(TG_LIT("\x16\x03"), &hello), TG_ERR_AGAIN);
    assert_code(read_whole(tg_slice_of(NULL, 0), &hello), TG_ERR_AGAIN);
}

static void read_bad_records_are_refused(void **state)
{
    (void)state;
    tg_client_hello hello;
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x00\x00"), &hello), TG_ERR_SYNTAX);     /* empty fragment */
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x40\x01"), &hello), TG_ERR_SYNTAX);     /* 16385 bytes */
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x40\x00"), &hello), TG_ERR_AGAIN);      /* 16384 bytes */
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x00\x04\x02"), &hello), TG_ERR_SYNTAX); /* a ServerHello */
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x00\x01\x01\x17\x03\x01\x00\x01\x00"), &hello), TG_ERR_SYNTAX);
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x00\x01\x01\x16\x02\x01\x00\x01\x00"), &hello), TG_ERR_SYNTAX);
}

static void read_message_behind_the_hello_in_its_record_is_refused(void **state)
{
    (void)state;
    static built hello, flight;
    tg_client_hello out;
    build_hello(&hello, TG_LIT(""));
    put_number(&hello, 0, 1);
    build_records(&flight, &hello, 16384);
    assert_code(read_whole(tg_slice_of(flight.bytes, flight.len), &out), TG_ERR_SYNTAX);
}

static void read_record_behind_the_hello_is_left_alone(void **state)
{
    (void)state;
    static built hello, flight;
    tg_client_hello out;
    build_hello(&hello, TG_LIT(""));
    build_records(&flight, &hello, 16384);
    size_t flight_len = flight.len;
    put(&flight, "\x17\x03\x03\x00\x01x", 6);
    assert_ok(read_whole(tg_slice_of(flight.bytes, flight.len), &out));
    assert_int_equal(out.flight_len, flight_len);
    assert_int_equal(out.sni_kind, TG_SNI_NONE);
}

static void read_hello_of_the_longest_allowed_is_taken(void **state)
{
    (void)state;
    static built hello, flight;
    static uint8_t padding[65535];
    tg_client_hello out;
    /* four records of 16384 and one of 1 cost 25 bytes of headers: find the extension length that fills 65,536 */
    for (size_t over = 0; over < 2; over++) {
        size_t ext_len = 65536 - 4 * 5 - (4 + 2 + 32 + 1 + 4 + 2 + 2) + over;
        memset(padding, 0, sizeof padding);
        padding[0] = 0x12; /* an unknown extension that fills it all */
        padding[1] = 0x34;
        padding[2] = (uint8_t)((ext_len - 4) >> 8);
        padding[3] = (uint8_t)(ext_len - 4);
        build_hello(&hello, tg_slice_of(padding, ext_len));
        build_records(&flight, &hello, 16384);
        assert_int_equal(flight.len, 65536 + over);
        tg_result read = read_whole(tg_slice_of(flight.bytes, flight.len), &out);
        assert_code(read, over == 0 ? TG_OK : TG_ERR_LIMIT);
        /* said as soon as the length is known */
        read = read_whole(tg_slice_of(flight.bytes, 9), &out);
        assert_code(read, over == 0 ? TG_ERR_AGAIN : TG_ERR_LIMIT);
    }
}

static void read_hello_in_records_of_one_byte_is_joined_or_too_large(void **state)
{
    (void)state;
    static built hello, flight;
    tg_client_hello out;
    build_hello(&hello, TG_LIT("\0\0\0\x0c\0\x0a\0\0\x07"
                               "Ab.test"));
    build_records(&flight, &hello, 1);
    assert_ok(read_whole(tg_slice_of(flight.bytes, flight.len), &out));
    assert_slice(tg_client_hello_sni(&out), "Ab.test");
    assert_int_equal(out.num_records, hello.len);
    static uint8_t padding[12000] = {0x12, 0x34, 11996 >> 8, 11996 & 255};
    build_hello(&hello, tg_slice_of(padding, sizeof padding));
    build_records(&flight, &hello, 1);
    assert_true(flight.len > 65536);
    assert_code(read_whole(tg_slice_of(flight.bytes, flight.len), &out), TG_ERR_LIMIT);
    tg_client_hello_reader reader = {0};
    tg_result read = tg_fail(TG_ERR_AGAIN);
    size_t len = 0;
    for (; read.code == TG_ERR_AGAIN && len < flight.len; len++) {
        read = tg_client_hello_read(&reader, tg_slice_of(flight.bytes, len), &out);
    }
    assert_code(read, TG_ERR_LIMIT);
    assert_true(len <= 65537);
}

static void read_hello_of_announced_16_mib_is_too_large_at_once(void **state)
{
    (void)state;
    tg_client_hello hello;
    assert_code(read_whole(TG_LIT("\x16\x03\x01\x00\x10\x01\xff\xff\xff"), &hello), TG_ERR_LIMIT);
}

static void read_server_name_faults_are_refused(void **state)
{
    (void)state;
    tg_client_hello hello;
    assert_ok(read_ext("\0\0\0\x06\0\x04\0\0\x01x", &hello));
    assert_slice(tg_client_hello_sni(&hello), "x");
    assert_code(read_ext("\0\0\0\0", &hello), TG_ERR_SYNTAX);                           /* no list */
    assert_code(read_ext("\0\0\0\x02\0\0", &hello), TG_ERR_SYNTAX);                     /* empty list */
    assert_code(read_ext("\0\0\0\x05\0\x03\0\0\0", &hello), TG_ERR_SYNTAX);             /* empty name */
    assert_code(read_ext("\0\0\0\x06\0\x04\0\0\x02x", &hello), TG_ERR_SYNTAX);          /* name past its list */
    assert_code(read_ext("\0\0\0\x07\0\x04\0\0\x01xy", &hello), TG_ERR_SYNTAX);         /* bytes behind the list */
    assert_code(read_ext("\0\0\0\x0a\0\x08\0\0\x01x\0\0\x01y", &hello), TG_ERR_SYNTAX); /* two host names */
    assert_code(read_ext("\0\0\0\x06\0\x04\0\0\x01x\0\0\0\x06\0\x04\0\0\x01x", &hello), TG_ERR_SYNTAX);
    assert_code(read_ext("\0\0\0\x09\0\x04\0\0\x01x", &hello), TG_ERR_SYNTAX); /* past the extensions */
    assert_code(read_ext("\0\0\0", &hello), TG_ERR_SYNTAX);
    assert_ok(read_ext("\0\0\0\x0a\0\x08\x07\0\x01x\0\0\x01y", &hello)); /* another type before the host name */
    assert_slice(tg_client_hello_sni(&hello), "y");
    assert_ok(read_ext("\0\0\0\x06\0\x04\x07\0\x01x", &hello));
    assert_int_equal(hello.sni_kind, TG_SNI_NONE);
}

static void read_name_with_nul_is_odd(void **state)
{
    (void)state;
    tg_client_hello hello;
    assert_ok(read_ext("\0\0\0\x08\0\x06\0\0\x03x\0y", &hello));
    assert_int_equal(hello.sni_kind, TG_SNI_ODD);
    assert_slice(tg_client_hello_sni(&hello), "x\0y");
}

static void read_hello_body_faults_are_refused(void **state)
{
    (void)state;
    static built good, hello, flight;
    tg_client_hello out;
    build_hello(&good, TG_LIT(""));
    const struct {
        size_t at;
        uint8_t value;
    } faults[] = {
        {4, 2},   /* major version 2 */
        {38, 33}, /* session id past the end */
        {40, 3},  /* odd length of the cipher suites */
        {40, 0},  /* none */
        {43, 0},  /* no compression method */
        {46, 1},  /* extensions past the end */
    };
    for (size_t i = 0; i < TG_COUNT(faults); i++) {
        hello = good;
        hello.bytes[faults[i].at] = faults[i].value;
        build_records(&flight, &hello, 16384);
        assert_code(read_whole(tg_slice_of(flight.bytes, flight.len), &out), TG_ERR_SYNTAX);
    }
    hello = good; /* without the extensions' vector, as in old clients */
    hello.len -= 2;
    hello.bytes[3] = (uint8_t)(hello.bytes[3] - 2);
    build_records(&flight, &hello, 16384);
    assert_ok(read_whole(tg_slice_of(flight.bytes, flight.len), &out));
    assert_int_equal(out.sni_kind, TG_SNI_NONE);
    hello.len -= 1; /* every shorter body is cut inside a member */
    hello.bytes[3]--;
    build_records(&flight, &hello, 16384);
    assert_code(read_whole(tg_slice_of(flight.bytes, flight.len), &out), TG_ERR_SYNTAX);
}

static void kind_of_names_follows_their_labels(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        tg_sni_kind kind;
    } cases[] = {
        {"a", TG_SNI_HOST},
        {"a-b.c_d", TG_SNI_HOST},
        {"1.2.3.example", TG_SNI_HOST},
        {"a.1b", TG_SNI_HOST},
        {"xn--p1ai", TG_SNI_HOST},
        {LABEL63 ".x", TG_SNI_HOST},
        {"", TG_SNI_ODD},
        {".", TG_SNI_ODD},
        {"a.", TG_SNI_ODD},
        {".a", TG_SNI_ODD},
        {"a..b", TG_SNI_ODD},
        {"a b", TG_SNI_ODD},
        {"127.0.0.1", TG_SNI_ODD},
        {"127.1", TG_SNI_ODD},
        {"[::1]", TG_SNI_ODD},
        {"::1", TG_SNI_ODD},
        {"a/b", TG_SNI_ODD},
        {"b\xc3\xbc.x", TG_SNI_ODD},
        {LABEL63 "b.x", TG_SNI_ODD},
        {"*.x", TG_SNI_ODD},
        {LONG_B, TG_SNI_ODD},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_int_equal(tg_sni_kind_of(tg_slice_str(cases[i].name)), cases[i].kind);
    }
    assert_int_equal(tg_sni_kind_of(TG_LIT(LONG_A ".b")), TG_SNI_HOST);
    assert_int_equal(tg_sni_kind_of(TG_LIT(LONG_A ".bb")), TG_SNI_ODD);
}

static void alert_is_fatal_unrecognized_name(void **state)
{
    (void)state;
    assert_slice(tg_alert_unrecognized_name(), "\x15\x03\x03\x00\x02\x02\x70");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_captured_flights_gives_their_names),
        cmocka_unit_test(read_captured_flights_byte_by_byte_gives_the_same),
        cmocka_unit_test(read_captured_flights_in_every_two_parts_gives_the_same),
        cmocka_unit_test(read_every_flipped_byte_never_reads_outside),
        cmocka_unit_test(read_first_bytes_of_other_protocols_are_not_tls),
        cmocka_unit_test(read_bad_records_are_refused),
        cmocka_unit_test(read_message_behind_the_hello_in_its_record_is_refused),
        cmocka_unit_test(read_record_behind_the_hello_is_left_alone),
        cmocka_unit_test(read_hello_of_the_longest_allowed_is_taken),
        cmocka_unit_test(read_hello_in_records_of_one_byte_is_joined_or_too_large),
        cmocka_unit_test(read_hello_of_announced_16_mib_is_too_large_at_once),
        cmocka_unit_test(read_server_name_faults_are_refused),
        cmocka_unit_test(read_name_with_nul_is_odd),
        cmocka_unit_test(read_hello_body_faults_are_refused),
        cmocka_unit_test(kind_of_names_follows_their_labels),
        cmocka_unit_test(alert_is_fatal_unrecognized_name),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
