#include "support/case.h"

#include "base/encode.h"
#include "envelope/bhttp.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1024, ARENA_BYTES = 1 << 20 };

typedef struct bytes {
    uint8_t ptr[MAX_BYTES];
    size_t len;
} bytes;

static bytes hex(const char *text)
{
    bytes decoded = {.len = strlen(text) / 2};
    assert_true(decoded.len <= MAX_BYTES);
    assert_ok(tg_hex_decode(tg_slice_str(text), decoded.ptr));
    return decoded;
}

/* RFC 9292 §5.1 and §5.2. */
static const char known_request[] = "00034745540568747470"
                                    "73000a2f68656c6c6f2e747874"
                                    "406c"
                                    "0a757365722d6167656e74"
                                    "346375726c2f372e31362e33206c69626375726c2f372e31362e33204f7065"
                                    "6e53534c2f302e392e376c207a6c69622f312e322e33"
                                    "04686f73740f7777772e6578616d706c652e636f6d"
                                    "0f6163636570742d6c616e677561676506656e2c206d69"
                                    "0000";
static const char indeterminate_request[] =
    "02034745540568747470"
    "73000a2f68656c6c6f2e747874"
    "0a757365722d6167656e74"
    "346375726c2f372e31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e33"
    "04686f73740f7777772e6578616d706c652e636f6d"
    "0f6163636570742d6c616e677561676506656e2c206d69"
    "00"
    "000000000000000000000000";
static const char response[] =
    "0340660772756e6e696e670a22736c6565702031352200"
    "4067046c696e6b233c2f7374796c652e6373733e3b2072656c3d7072656c6f61643b"
    "2061733d7374796c65046c696e6b243c2f7363726970742e6a733e3b2072656c3d7072656c6f61643b2061733d73637269707400"
    "40c8"
    "04646174651d4d6f6e2c203237204a756c20323030392031323a32383a353320474d54"
    "06736572766572064170616368650d6c6173742d"
    "6d6f6469666965641d5765642c203232204a756c20323030392031393a31353a353620474d54"
    "046574616714223334616133383"
    "72d642d313536386562303022"
    "0d6163636570742d72616e676573056279746573"
    "0e636f6e74656e742d6c656e677468023531"
    "0476617279"
    "0f4163636570742d456e636f64696e67"
    "0c636f6e74656e742d74797065"
    "0a746578742f706c61696e"
    "00"
    "3348656c6c6f20576f726c6421204d7920636f6e74656e7420696e636c75646573206120747261696c696e672043524c462e0d0a"
    "0000";

static tg_result parse(tg_slice message, tg_arena *arena, tg_bhttp *out)
{
    tg_arena_init(arena, ARENA_BYTES, true);
    return tg_bhttp_parse(message, arena, out);
}

static void check_request(tg_slice message)
{
    tg_arena arena;
    tg_bhttp read;
    assert_ok(parse(message, &arena, &read));
    assert_true(read.is_request);
    assert_slice(read.method, "GET");
    assert_slice(read.scheme, "https");
    assert_slice(read.authority, "");
    assert_slice(read.path, "/hello.txt");
    assert_int_equal(read.header.num_fields, 3);
    assert_slice(read.header.fields[0].value, "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3");
    assert_slice(tg_bhttp_find(&read.header, TG_LIT("HOST")), "www.example.com");
    assert_null(tg_bhttp_find(&read.header, TG_LIT("date")).ptr);
    assert_int_equal(read.content.len, 0);
    assert_int_equal(read.trailer.num_fields, 0);
    tg_arena_done(&arena);
}

static void tg_bhttp_parse_rfc_9292_requests_may_be_cut_and_padded(void **state)
{
    bytes known = hex(known_request), indeterminate = hex(indeterminate_request);
    (void)state;
    for (size_t num_cut = 0; num_cut <= 2; num_cut++) {
        check_request(tg_slice_of(known.ptr, known.len - num_cut));
    }
    for (size_t num_cut = 0; num_cut <= 12; num_cut++) {
        check_request(tg_slice_of(indeterminate.ptr, indeterminate.len - num_cut));
    }
    known.ptr[known.len] = 0;
    check_request(tg_slice_of(known.ptr, known.len + 1));
    known.ptr[known.len] = 1;
    tg_arena arena;
    tg_bhttp read;
    assert_code(parse(tg_slice_of(known.ptr, known.len + 1), &arena, &read), TG_ERR_SYNTAX);
    tg_arena_done(&arena);
}

static void tg_bhttp_parse_any_other_cut_is_truncated(void **state)
{
    bytes known = hex(known_request), indeterminate = hex(indeterminate_request);
    size_t control_len = 23; /* the header section may be left out too, as RFC 9458's example does */
    (void)state;
    for (size_t len = 0; len < known.len - 2; len++) {
        tg_arena arena;
        tg_bhttp read;
        tg_code expected = len == control_len ? TG_OK : TG_ERR_TRUNCATED;
        assert_code(parse(tg_slice_of(known.ptr, len), &arena, &read), expected);
        tg_arena_done(&arena);
        assert_code(parse(tg_slice_of(indeterminate.ptr, len < 128 ? len : 5), &arena, &read), expected);
        tg_arena_done(&arena);
    }
}

static void tg_bhttp_parse_rfc_9292_response_drops_informational_ones(void **state)
{
    bytes message = hex(response);
    tg_arena arena;
    tg_bhttp read;
    (void)state;
    assert_ok(parse(tg_slice_of(message.ptr, message.len), &arena, &read));
    assert_false(read.is_request);
    assert_int_equal(read.status, 200);
    assert_int_equal(read.header.num_fields, 8);
    assert_slice(tg_bhttp_find(&read.header, TG_LIT("vary")), "Accept-Encoding");
    assert_slice(read.content, "Hello World! My content includes a trailing CRLF.\r\n");
    tg_arena_done(&arena);
}

static void tg_bhttp_parse_chunks_are_joined_and_trailers_kept(void **state)
{
    /* 200, no header, "This", " conte", "nt", end, trailer `trailer: text`, end */
    bytes message = hex("0340c80004546869730620636f6e7465026e740007747261696c6572047465787400");
    tg_arena arena;
    tg_bhttp read;
    (void)state;
    assert_ok(parse(tg_slice_of(message.ptr, message.len), &arena, &read));
    assert_slice(read.content, "This content");
    assert_int_equal(read.trailer.num_fields, 1);
    assert_slice(read.trailer.fields[0].name, "trailer");
    assert_slice(read.trailer.fields[0].value, "text");
    tg_arena_done(&arena);
    for (size_t len = 0; len < message.len; len++) { /* never a shorter content: only whole parts may be left out */
        tg_result result = parse(tg_slice_of(message.ptr, len), &arena, &read);
        if (tg_is_ok(result)) {
            assert_true(read.content.len == 0 || read.content.len == 12);
        }
        tg_arena_done(&arena);
    }
    tg_arena_init(&arena, 1, true); /* no room for joining */
    assert_code(tg_bhttp_parse(tg_slice_of(message.ptr, message.len), &arena, &read), TG_ERR_MEMORY);
    tg_arena_done(&arena);
}

static void tg_bhttp_parse_what_is_no_message_is_refused(void **state)
{
    static const struct {
        const char *message;
        tg_code code;
    } cases[] = {
        {"04", TG_ERR_SYNTAX},                 /* framing */
        {"c000000000000004", TG_ERR_SYNTAX},   /* the same, in eight bytes */
        {"8000000003474554016100012f", TG_OK}, /* a longer varint than needed */
        {"00034745200161"
         "00"
         "012f",
         TG_ERR_SYNTAX}, /* a blank in the method */
        {"0000"
         "0161"
         "00"
         "012f",
         TG_ERR_SYNTAX}, /* no method */
        {"0003474554"
         "00"
         "00"
         "012f",
         TG_ERR_SYNTAX}, /* no scheme */
        {"0003474554"
         "0161"
         "00"
         "00",
         TG_ERR_SYNTAX}, /* no path */
        {"0003474554"
         "0161"
         "01"
         "0d"
         "012f",
         TG_ERR_SYNTAX}, /* CR in the authority */
        {"0003474554"
         "0161"
         "00"
         "022f20",
         TG_ERR_SYNTAX}, /* a blank in the path */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "03"
         "016100",
         TG_OK}, /* a field of no value */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "02"
         "0000",
         TG_ERR_SYNTAX},
        {"0003474554"
         "0161"
         "00"
         "012f"
         "04"
         "01200161",
         TG_ERR_SYNTAX},
        {"0003474554"
         "0161"
         "00"
         "012f"
         "05"
         "01610261"
         "0a",
         TG_ERR_SYNTAX},
        {"0003474554"
         "0161"
         "00"
         "012f"
         "05"
         "016102"
         "2061",
         TG_ERR_SYNTAX}, /* a leading blank */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "05"
         "016102"
         "6100",
         TG_ERR_SYNTAX}, /* NUL */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "09"
         "053a70617468"
         "022f78",
         TG_ERR_UNSUPPORTED},
        {"0003474554"
         "0161"
         "00"
         "012f"
         "02"
         "0161",
         TG_ERR_TRUNCATED}, /* a line past its section */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "00"
         "bfffffff",
         TG_ERR_TRUNCATED}, /* content of a gigabyte */
        {"0003474554"
         "0161"
         "00"
         "012f"
         "00"
         "ffffffffffffffff",
         TG_ERR_TRUNCATED},
        {"0003474554"
         "ffffffffffffffff"
         "61",
         TG_ERR_TRUNCATED},
        {"014063", TG_ERR_SYNTAX}, /* status 99 */
        {"014258", TG_ERR_SYNTAX}, /* status 600 */
        {"014257", TG_OK},
        {"0140c7", TG_ERR_TRUNCATED}, /* an informational one alone */
        {"0140c70040c8", TG_OK},
        {"014064004064004064004064004064004064004064004064004064"
         "0040c8",
         TG_ERR_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        bytes message = hex(cases[i].message);
        tg_arena arena;
        tg_bhttp read;
        assert_code(parse(tg_slice_of(message.ptr, message.len), &arena, &read), cases[i].code);
        tg_arena_done(&arena);
    }
}

static void round_trip(const tg_bhttp *message, tg_bhttp_form form, tg_code expected)
{
    tg_buf out;
    tg_arena arena;
    tg_bhttp read;
    tg_buf_init(&out, 1 << 20);
    assert_ok(tg_bhttp_append(message, form, &out));
    assert_code(parse(tg_buf_slice(&out), &arena, &read), expected);
    if (expected == TG_OK) {
        assert_int_equal(read.is_request, message->is_request);
        assert_int_equal(read.status, message->status);
        assert_true(tg_slice_equal(read.path, message->path) && tg_slice_equal(read.authority, message->authority));
        assert_true(tg_slice_equal(read.content, message->content));
        assert_int_equal(read.header.num_fields, message->header.num_fields);
        for (size_t i = 0; i < read.header.num_fields; i++) {
            assert_true(tg_slice_equal(read.header.fields[i].value, message->header.fields[i].value));
        }
        assert_int_equal(read.trailer.num_fields, message->trailer.num_fields);
    }
    tg_arena_done(&arena);
    tg_buf_done(&out);
}

static void tg_bhttp_append_of_every_form_reads_back(void **state)
{
    static const size_t lens[] = {0, 1, 63, 64, 16383, 16384, 60000};
    tg_bhttp_field fields[TG_MAX_BHTTP_FIELDS + 1];
    char *text = malloc(60000);
    (void)state;
    assert_non_null(text);
    memset(text, 'v', 60000);
    for (size_t i = 0; i < TG_COUNT(fields); i++) {
        fields[i] = (tg_bhttp_field){TG_LIT("x-field"), TG_LIT("value")};
    }
    for (size_t i = 0; i < TG_COUNT(lens) * 4; i++) {
        tg_slice some = tg_slice_of(text, lens[i / 4]);
        fields[0].value = some;
        tg_bhttp message = {
            .is_request = i % 2 == 0, .content = some, .header = {fields, 2}, .trailer = {fields + 1, 1}};
        if (message.is_request) {
            message.method = TG_LIT("POST");
            message.scheme = TG_LIT("https");
            message.authority = TG_LIT("example.com");
            message.path = TG_LIT("/process");
        } else {
            message.status = 599;
        }
        round_trip(&message, i % 4 < 2 ? TG_BHTTP_KNOWN_LENGTH : TG_BHTTP_INDETERMINATE_LENGTH, TG_OK);
    }
    fields[0].value = TG_LIT("v");
    tg_bhttp message = {.status = 200, .header = {fields, TG_MAX_BHTTP_FIELDS}};
    round_trip(&message, TG_BHTTP_KNOWN_LENGTH, TG_OK);
    message.header.num_fields++;
    round_trip(&message, TG_BHTTP_KNOWN_LENGTH, TG_ERR_LIMIT);
    round_trip(&message, TG_BHTTP_INDETERMINATE_LENGTH, TG_ERR_LIMIT);
    fields[0].value = fields[1].value = tg_slice_of(text, TG_MAX_BHTTP_SECTION_BYTES / 2);
    message.header.num_fields = 2;
    round_trip(&message, TG_BHTTP_KNOWN_LENGTH, TG_ERR_LIMIT);
    free(text);
}

static void tg_bhttp_append_past_the_buffer_is_refused(void **state)
{
    const tg_bhttp message = {
        .is_request = true, .method = TG_LIT("GET"), .scheme = TG_LIT("https"), .path = TG_LIT("/")};
    (void)state;
    for (size_t max = 0; max < 20; max++) {
        tg_buf out;
        tg_buf_init(&out, max);
        assert_code(tg_bhttp_append(&message, TG_BHTTP_INDETERMINATE_LENGTH, &out), max >= 17 ? TG_OK : TG_ERR_LIMIT);
        tg_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_bhttp_parse_rfc_9292_requests_may_be_cut_and_padded),
        cmocka_unit_test(tg_bhttp_parse_any_other_cut_is_truncated),
        cmocka_unit_test(tg_bhttp_parse_rfc_9292_response_drops_informational_ones),
        cmocka_unit_test(tg_bhttp_parse_chunks_are_joined_and_trailers_kept),
        cmocka_unit_test(tg_bhttp_parse_what_is_no_message_is_refused),
        cmocka_unit_test(tg_bhttp_append_of_every_form_reads_back),
        cmocka_unit_test(tg_bhttp_append_past_the_buffer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
