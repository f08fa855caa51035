#include "hello/client_hello.h"

#include "base/num.h"
#include "base/reader.h"
#include "base/text.h"

#include <stdlib.h>

enum {
    RECORD_HEADER_BYTES = 5,
    MAX_RECORD_BYTES = 16384, /* RFC 8446 §5.1 */
    MESSAGE_HEADER_BYTES = 4,
    CONTENT_HANDSHAKE = 22,
    CONTENT_ALERT = 21,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    EXTENSION_ECH = 0xfe0d,
    NAME_HOST = 0,
    RANDOM_BYTES = 32,
    MAX_SESSION_ID_BYTES = 32,
    MAX_NAME_BYTES = 253, /* RFC 1035 §2.3.4 without the root's dot */
    MAX_LABEL_BYTES = 63
};

static bool is_name_byte(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == '-' || c == '_';
}

/* Four numeric labels are an IPv4 literal, which RFC 6066 §3 does not permit; a colon is no name byte at all. */
tg_sni_kind tg_sni_kind_of(tg_slice name)
{
    if (name.len == 0 || name.len > MAX_NAME_BYTES) {
        return TG_SNI_ODD;
    }
    bool is_last_numeric = false;
    size_t label_len = 0;
    for (size_t i = 0; i <= name.len; i++) {
        if (i == name.len || name.ptr[i] == '.') {
            if (label_len == 0 || label_len > MAX_LABEL_BYTES) {
                return TG_SNI_ODD;
            }
            label_len = 0;
            continue;
        }
        if (!is_name_byte(name.ptr[i])) {
            return TG_SNI_ODD;
        }
        is_last_numeric = tg_ascii_is_digit(name.ptr[i]) && (label_len == 0 || is_last_numeric);
        label_len++;
    }
    return is_last_numeric ? TG_SNI_ODD : TG_SNI_HOST; /* no top-level domain is a number (RFC 3696 §2) */
}

tg_slice tg_alert_unrecognized_name(void)
{
    static const uint8_t alert[] = {CONTENT_ALERT, 3, 3, 0, 2, 2, 112};
    return tg_slice_of(alert, sizeof alert);
}

/* ServerNameList of RFC 6066 §3: `NameType name_type; opaque name<1..2^16-1>`, at most one of each type. */
static void read_server_names(tg_reader *reader, tg_slice extension, tg_client_hello *hello)
{
    tg_reader outer = tg_reader_of(extension);
    tg_reader names = tg_reader_of(tg_reader_vector16(&outer));
    bool is_bad = !tg_is_ok(tg_reader_finish(&outer)) || names.rest.len == 0;
    while (!is_bad && names.rest.len > 0) {
        uint8_t type = tg_reader_u8(&names);
        tg_slice name = tg_reader_vector16(&names);
        is_bad = !tg_is_ok(tg_reader_result(&names)) || name.len == 0 ||
                 (type == NAME_HOST && hello->sni_kind != TG_SNI_NONE);
        if (!is_bad && type == NAME_HOST) {
            hello->sni_kind = tg_sni_kind_of(name);
            hello->sni_len = (uint8_t)tg_size_min(name.len, TG_MAX_SNI_BYTES);
            memcpy(hello->sni, name.ptr, hello->sni_len);
        }
    }
    if (is_bad) {
        tg_reader_fail(reader, TG_ERR_SYNTAX);
    }
}

static void read_extensions(tg_reader *reader, tg_slice extensions, tg_client_hello *hello)
{
    tg_reader rest = tg_reader_of(extensions);
    bool has_server_name = false;
    while (rest.rest.len > 0 && tg_is_ok(tg_reader_result(reader))) {
        uint16_t type = tg_reader_u16(&rest);
        tg_slice value = tg_reader_vector16(&rest);
        if (!tg_is_ok(tg_reader_result(&rest))) {
            break;
        }
        if (type == EXTENSION_SERVER_NAME) {
            if (has_server_name) {
                tg_reader_fail(reader, TG_ERR_SYNTAX);
            }
            has_server_name = true;
            read_server_names(reader, value, hello);
        } else if (type == EXTENSION_ALPN) {
            hello->has_alpn = true;
        } else if (type == EXTENSION_ECH) {
            hello->has_ech = true;
        }
    }
    if (!tg_is_ok(tg_reader_result(&rest))) {
        tg_reader_fail(reader, TG_ERR_SYNTAX);
    }
}

/* ClientHello of RFC 8446 §4.1.2; without the extensions' vector it is one of RFC 5246 §7.4.1.2. */
static tg_result read_message(tg_slice message, tg_client_hello *hello)
{
    tg_reader reader = tg_reader_of(message);
    tg_reader_u32(&reader); /* type and length, seen by the record walk */
    uint16_t version = tg_reader_u16(&reader);
    tg_reader_bytes(&reader, RANDOM_BYTES);
    tg_slice session_id = tg_reader_vector8(&reader);
    tg_slice cipher_suites = tg_reader_vector16(&reader);
    tg_slice compressions = tg_reader_vector8(&reader);
    if (tg_is_ok(tg_reader_result(&reader)) &&
        (version >> 8 != 3 || session_id.len > MAX_SESSION_ID_BYTES || cipher_suites.len < 2 ||
         cipher_suites.len % 2 != 0 || compressions.len == 0)) {
        tg_reader_fail(&reader, TG_ERR_SYNTAX);
    }
    if (reader.rest.len > 0) {
        tg_slice extensions = tg_reader_vector16(&reader);
        if (tg_is_ok(tg_reader_result(&reader))) {
            read_extensions(&reader, extensions, hello);
        }
    }
    return tg_is_ok(tg_reader_finish(&reader)) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

/* Copies the message out of its records, each of which the walk has checked. */
static void join_records(tg_slice flight, size_t hello_len, uint8_t *out)
{
    size_t done = 0;
    for (size_t at = 0; done < hello_len;) {
        size_t record_len = (size_t)flight.ptr[at + 3] << 8 | flight.ptr[at + 4];
        size_t take = tg_size_min(record_len, hello_len - done);
        memcpy(out + done, flight.ptr + at + RECORD_HEADER_BYTES, take);
        done += take;
        at += RECORD_HEADER_BYTES + record_len;
    }
}

static tg_result finish(const tg_client_hello_reader *reader, tg_slice flight, size_t flight_len,
                        tg_client_hello *out_hello)
{
    tg_client_hello hello = {
        .flight_len = flight_len, .hello_len = reader->need_len, .num_records = reader->num_records};
    if (hello.num_records == 1) {
        TG_TRY(read_message(tg_slice_of(flight.ptr + RECORD_HEADER_BYTES, hello.hello_len), &hello));
    } else {
        uint8_t *joined = malloc(hello.hello_len);
        if (joined == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        join_records(flight, hello.hello_len, joined);
        tg_result read = read_message(tg_slice_of(joined, hello.hello_len), &hello);
        free(joined);
        TG_TRY(read);
    }
    *out_hello = hello;
    return tg_ok();
}

/* The first bytes tell TLS from anything else: handshake, then major version 3. */
static bool is_tls(tg_slice flight)
{
    return (flight.len < 1 || flight.ptr[0] == CONTENT_HANDSHAKE) && (flight.len < 2 || flight.ptr[1] == 3);
}

/* Collects the message's header from a record's bytes and checks the length that it announces. */
static tg_result take_message_header(tg_client_hello_reader *reader, tg_slice fragment, size_t record_at)
{
    for (size_t i = 0; reader->have_len + i < MESSAGE_HEADER_BYTES && i < fragment.len; i++) {
        reader->header[reader->have_len + i] = fragment.ptr[i];
    }
    size_t known_len = reader->have_len + fragment.len;
    if (known_len >= 1 && reader->header[0] != MESSAGE_CLIENT_HELLO) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (known_len < MESSAGE_HEADER_BYTES) {
        return tg_ok();
    }
    const uint8_t *header = reader->header;
    size_t need_len = MESSAGE_HEADER_BYTES + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
    size_t rest_len = need_len - reader->have_len; /* it takes this many records at least */
    size_t num_headers = (rest_len + MAX_RECORD_BYTES - 1) / MAX_RECORD_BYTES;
    if (record_at + num_headers * RECORD_HEADER_BYTES + rest_len > TG_MAX_CLIENT_HELLO_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    reader->need_len = need_len;
    return tg_ok();
}

tg_result tg_client_hello_read(tg_client_hello_reader *reader, tg_slice flight, tg_client_hello *out_hello)
{
    if (!is_tls(flight)) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    for (;;) {
        size_t at = reader->next_record;
        if (at + RECORD_HEADER_BYTES > TG_MAX_CLIENT_HELLO_BYTES) {
            return tg_fail(TG_ERR_LIMIT);
        }
        tg_slice record = tg_slice_from(flight, at);
        if (record.len < RECORD_HEADER_BYTES) {
            return tg_fail(TG_ERR_AGAIN);
        }
        size_t record_len = (size_t)record.ptr[3] << 8 | record.ptr[4];
        if (record.ptr[0] != CONTENT_HANDSHAKE || record.ptr[1] != 3 || record_len == 0 ||
            record_len > MAX_RECORD_BYTES) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        tg_slice fragment = tg_slice_first(tg_slice_from(record, RECORD_HEADER_BYTES), record_len);
        if (reader->need_len == 0) {
            TG_TRY(take_message_header(reader, fragment, at));
        }
        size_t missing = reader->need_len - reader->have_len;
        if (reader->need_len > 0 && record_len > missing) {
            return tg_fail(TG_ERR_SYNTAX); /* a second message in the record: no client may send one yet */
        }
        if (at + RECORD_HEADER_BYTES + (reader->need_len > 0 ? missing : 0) > TG_MAX_CLIENT_HELLO_BYTES) {
            return tg_fail(TG_ERR_LIMIT);
        }
        if (fragment.len < record_len) {
            return tg_fail(TG_ERR_AGAIN);
        }
        reader->have_len += record_len;
        reader->num_records++;
        reader->next_record += RECORD_HEADER_BYTES + record_len;
        if (reader->need_len > 0 && reader->have_len == reader->need_len) {
            return finish(reader, flight, reader->next_record, out_hello);
        }
    }
}
