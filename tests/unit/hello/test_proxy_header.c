#include "hello/proxy_header.h"

#include "support/case.h"

#include <stdlib.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define TCP4                                                                                                           \
    SIG "\x21\x11\0\x0c"                                                                                               \
        "\x0a\0\0\x01"                                                                                                 \
        "\x0a\0\0\x02"                                                                                                 \
        "\x30\x39"                                                                                                     \
        "\x01\xbb"
#define ADDR6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"

/* the checksum comes from another implementation, bit by bit */
#define CRC_VECTOR SIG "\x21\x11\x00\x13\x0a\x00\x00\x01\x0a\x00\x00\x02\x30\x39\x01\xbb\x03\x00\x04\x49\x27\x7a\x57"

static tg_proxy_header header;
static size_t len;

static void read_tcp4_gives_addresses_and_length(void **state)
{
    (void)state;
    assert_ok(tg_proxy_header_read(TG_LIT(TCP4 "GET /"), &header, &len));
    assert_int_equal(len, 28);
    assert_int_equal(header.family, TG_PROXY_INET);
    assert_slice(header.source, "\x0a\0\0\x01");
    assert_slice(header.destination, "\x0a\0\0\x02");
    assert_int_equal(header.source_port, 12345);
    assert_int_equal(header.destination_port, 443);
    assert_false(header.is_local);
    assert_int_equal(header.tlvs.len, 0);
}

static void read_every_prefix_wants_more(void **state)
{
    (void)state;
    tg_slice whole = TG_LIT(TCP4);
    for (size_t at = 0; at < whole.len; at++) {
        uint8_t *exact = malloc(at > 0 ? at : 1);
        assert_non_null(exact);
        memcpy(exact, whole.ptr, at);
        assert_code(tg_proxy_header_read(tg_slice_of(exact, at), &header, &len), TG_ERR_AGAIN);
        free(exact);
    }
    assert_ok(tg_proxy_header_read(whole, &header, &len));
}

static void read_every_wrong_signature_byte_is_refused_at_once(void **state)
{
    (void)state;
    for (size_t at = 0; at < 12; at++) {
        uint8_t bytes[12];
        memcpy(bytes, SIG, sizeof bytes);
        bytes[at] ^= 0x20;
        assert_code(tg_proxy_header_read(tg_slice_of(bytes, at + 1), &header, &len), TG_ERR_SYNTAX);
    }
    assert_code(tg_proxy_header_read(TG_LIT("PROXY TCP4 1.2.3.4"), &header, &len), TG_ERR_SYNTAX);
}

static void read_tcp6_and_unix_give_their_addresses(void **state)
{
    (void)state;
    assert_ok(tg_proxy_header_read(TG_LIT(SIG "\x21\x21\0\x24" ADDR6 ADDR6 "\0\x01\0\x02"), &header, &len));
    assert_int_equal(header.family, TG_PROXY_INET6);
    assert_slice(header.destination, ADDR6);
    assert_int_equal(header.source_port, 1);
    uint8_t bytes[16 + 2 * TG_PROXY_UNIX_PATH_BYTES] = {0};
    memcpy(bytes, SIG "\x21\x31\0\xd8", 16);
    memcpy(bytes + 16, "/run/a", 6);
    assert_ok(tg_proxy_header_read(tg_slice_of(bytes, sizeof bytes), &header, &len));
    assert_int_equal(header.family, TG_PROXY_UNIX);
    assert_int_equal(header.source.len, TG_PROXY_UNIX_PATH_BYTES);
    assert_int_equal(header.source_port, 0);
}

static void read_local_ignores_what_it_carries(void **state)
{
    (void)state;
    assert_ok(tg_proxy_header_read(TG_LIT(SIG "\x20\0\0\0"), &header, &len));
    assert_true(header.is_local);
    assert_int_equal(len, 16);
    assert_ok(tg_proxy_header_read(TG_LIT(SIG "\x20\x11\0\x03zzz"), &header, &len));
    assert_true(header.is_local);
    assert_int_equal(len, 19);
    assert_int_equal(header.family, TG_PROXY_UNSPEC);
    assert_int_equal(header.source.len, 0);
}

static void read_unspec_keeps_wellformed_tlvs_and_skips_the_rest(void **state)
{
    (void)state;
    assert_ok(tg_proxy_header_read(TG_LIT(SIG "\x21\0\0\x05\x02\0\x02hi"), &header, &len));
    assert_slice(header.tlvs, "\x02\0\x02hi");
    assert_ok(tg_proxy_header_read(TG_LIT(SIG "\x21\0\0\x02zz"), &header, &len));
    assert_int_equal(header.tlvs.len, 0);
    assert_int_equal(len, 18);
}

static void read_other_versions_and_kinds_are_unsupported(void **state)
{
    (void)state;
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x11\x11\0\0"), &header, &len), TG_ERR_UNSUPPORTED);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x22\x11\0\0"), &header, &len), TG_ERR_UNSUPPORTED);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x12\0\0"), &header, &len), TG_ERR_UNSUPPORTED);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x41\0\0"), &header, &len), TG_ERR_UNSUPPORTED);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x01\0\0"), &header, &len), TG_ERR_UNSUPPORTED);
}

static void read_addresses_past_the_length_are_refused(void **state)
{
    (void)state;
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x11\0\x0b"
                                                "12345678901"),
                                     &header, &len),
                TG_ERR_SYNTAX);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x21\0\x0c"
                                                "123456789012"),
                                     &header, &len),
                TG_ERR_SYNTAX);
}

static void read_length_at_the_limit_is_taken_and_over_it_refused(void **state)
{
    (void)state;
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x11\x0f\xf0"), &header, &len), TG_ERR_AGAIN);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x21\x11\x0f\xf1"), &header, &len), TG_ERR_LIMIT);
    assert_code(tg_proxy_header_read(TG_LIT(SIG "\x20\0\xff\xff"), &header, &len), TG_ERR_LIMIT);
}

#define WITH_TLVS(length, tlvs) SIG "\x21\x11\0" length "123412341212" tlvs

static void read_bad_tlvs_are_refused(void **state)
{
    (void)state;
    assert_ok(tg_proxy_header_read(TG_LIT(WITH_TLVS("\x0f", "\x04\0\0")), &header, &len));
    assert_code(tg_proxy_header_read(TG_LIT(WITH_TLVS("\x0e", "\x04\0")), &header, &len), TG_ERR_SYNTAX);
    assert_code(tg_proxy_header_read(TG_LIT(WITH_TLVS("\x10", "\x04\0\x02z")), &header, &len), TG_ERR_SYNTAX);
    assert_code(tg_proxy_header_read(TG_LIT(WITH_TLVS("\x12", "\x03\0\x03zzz")), &header, &len), TG_ERR_SYNTAX);
    assert_code(tg_proxy_header_read(TG_LIT(WITH_TLVS("\x13", "\x03\0\x04zzzz")), &header, &len), TG_ERR_AUTH);
}

static void append_then_read_gives_the_same_header(void **state)
{
    (void)state;
    for (int has_crc = 0; has_crc < 2; has_crc++) {
        tg_buf tlvs, buf;
        tg_buf_init(&tlvs, 256);
        tg_buf_init(&buf, TG_PROXY_HEADER_MAX_BYTES);
        assert_ok(tg_proxy_tlv_append(&tlvs, TG_PROXY_TLV_AUTHORITY, TG_LIT("tee-k.example.org")));
        assert_ok(tg_proxy_tlv_append(&tlvs, TG_PROXY_TLV_NOOP, TG_LIT("")));
        tg_proxy_header out = {.family = TG_PROXY_INET6,
                               .source = TG_LIT(ADDR6),
                               .destination = TG_LIT(ADDR6),
                               .source_port = 65535,
                               .destination_port = 443,
                               .tlvs = tg_buf_slice(&tlvs)};
        assert_ok(tg_proxy_header_append(&buf, &out, has_crc == 1));
        assert_ok(tg_proxy_header_read(tg_buf_slice(&buf), &header, &len));
        assert_int_equal(len, tg_buf_len(&buf));
        assert_slice(header.source, ADDR6);
        assert_int_equal(header.source_port, 65535);
        tg_slice value;
        assert_true(tg_proxy_header_tlv(&header, TG_PROXY_TLV_AUTHORITY, &value));
        assert_slice(value, "tee-k.example.org");
        assert_true(tg_proxy_header_tlv(&header, TG_PROXY_TLV_NOOP, &value));
        assert_int_equal(tg_proxy_header_tlv(&header, TG_PROXY_TLV_CRC32C, &value), has_crc == 1);
        assert_false(tg_proxy_header_tlv(&header, TG_PROXY_TLV_ALPN, &value));
        for (size_t at = 16; has_crc == 1 && at < 16 + 36; at++) { /* a changed address is seen */
            buf.ptr[buf.start + at] ^= 1;
            assert_false(tg_is_ok(tg_proxy_header_read(tg_buf_slice(&buf), &header, &len)));
            buf.ptr[buf.start + at] ^= 1;
        }
        tg_buf_done(&buf);
        tg_buf_done(&tlvs);
    }
}

static void append_with_checksum_gives_the_known_bytes(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 64);
    tg_proxy_header out = {.is_local = true};
    assert_ok(tg_proxy_header_append(&buf, &out, false));
    assert_slice(tg_buf_slice(&buf), SIG "\x20\0\0\0");
    tg_buf_clear(&buf);
    out = (tg_proxy_header){.family = TG_PROXY_INET,
                            .source = TG_LIT("\x0a\0\0\x01"),
                            .destination = TG_LIT("\x0a\0\0\x02"),
                            .source_port = 12345,
                            .destination_port = 443};
    assert_ok(tg_proxy_header_append(&buf, &out, false));
    assert_slice(tg_buf_slice(&buf), TCP4);
    tg_buf_clear(&buf);
    assert_ok(tg_proxy_header_append(&buf, &out, true));
    assert_slice(tg_buf_slice(&buf), CRC_VECTOR);
    tg_buf_done(&buf);
}

static void append_of_bad_addresses_or_sizes_changes_nothing(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 100000);
    tg_proxy_header out = {.family = TG_PROXY_INET, .source = TG_LIT("123"), .destination = TG_LIT("1234")};
    assert_code(tg_proxy_header_append(&buf, &out, false), TG_ERR_RANGE);
    out.source = TG_LIT("1234");
    static uint8_t tlvs[TG_PROXY_HEADER_MAX_BYTES];
    out.tlvs = tg_slice_of(tlvs, TG_PROXY_HEADER_MAX_BYTES - 16 - 12);
    assert_code(tg_proxy_header_append(&buf, &out, true), TG_ERR_RANGE);
    assert_ok(tg_proxy_header_append(&buf, &out, false));
    assert_int_equal(tg_buf_len(&buf), TG_PROXY_HEADER_MAX_BYTES);
    tg_buf_clear(&buf);
    static uint8_t value[65536];
    assert_code(tg_proxy_tlv_append(&buf, 1, tg_slice_of(value, sizeof value)), TG_ERR_RANGE);
    assert_ok(tg_proxy_tlv_append(&buf, 1, tg_slice_of(value, sizeof value - 1)));
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_tcp4_gives_addresses_and_length),
        cmocka_unit_test(read_every_prefix_wants_more),
        cmocka_unit_test(read_every_wrong_signature_byte_is_refused_at_once),
        cmocka_unit_test(read_tcp6_and_unix_give_their_addresses),
        cmocka_unit_test(read_local_ignores_what_it_carries),
        cmocka_unit_test(read_unspec_keeps_wellformed_tlvs_and_skips_the_rest),
        cmocka_unit_test(read_other_versions_and_kinds_are_unsupported),
        cmocka_unit_test(read_addresses_past_the_length_are_refused),
        cmocka_unit_test(read_length_at_the_limit_is_taken_and_over_it_refused),
        cmocka_unit_test(read_bad_tlvs_are_refused),
        cmocka_unit_test(append_then_read_gives_the_same_header),
        cmocka_unit_test(append_with_checksum_gives_the_known_bytes),
        cmocka_unit_test(append_of_bad_addresses_or_sizes_changes_nothing),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
