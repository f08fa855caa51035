#include "tls/hello_guard.h"

/* RFC 8446 §5.1 and §4:
 *   record  = type(1) version(2) length(2) fragment
 *   message = type(1) length(3) body, in one or more records of type handshake
 * A second ClientHello follows a HelloRetryRequest, with a change_cipher_spec between them (appendix D.4). */
enum { RECORD_CHANGE_CIPHER_SPEC = 20, RECORD_HANDSHAKE = 22, MESSAGE_CLIENT_HELLO = 1, MAX_HELLOS = 2 };

static size_t fill(uint8_t *header, uint8_t *header_len, size_t want, tg_slice bytes)
{
    size_t len = want - *header_len < bytes.len ? want - *header_len : bytes.len;
    memcpy(header + *header_len, bytes.ptr, len);
    *header_len = (uint8_t)(*header_len + len);
    return len;
}

static size_t take_record_header(tg_tls_hello_guard *guard, tg_slice bytes)
{
    size_t len = fill(guard->record_header, &guard->record_header_len, sizeof guard->record_header, bytes);
    if (guard->record_header_len == sizeof guard->record_header) {
        uint8_t type = guard->record_header[0];
        guard->record_left = (uint16_t)(guard->record_header[3] << 8 | guard->record_header[4]);
        guard->is_over = type != RECORD_HANDSHAKE && type != RECORD_CHANGE_CIPHER_SPEC;
    }
    return len;
}

static tg_result take_message(tg_tls_hello_guard *guard, tg_slice bytes, size_t max_hello_bytes, size_t *out_len)
{
    size_t len;
    if (guard->message_header_len < sizeof guard->message_header) {
        len = fill(guard->message_header, &guard->message_header_len, sizeof guard->message_header, bytes);
        if (guard->message_header_len == sizeof guard->message_header) {
            const uint8_t *header = guard->message_header;
            guard->message_left = (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
            guard->is_over = header[0] != MESSAGE_CLIENT_HELLO || guard->num_hellos == MAX_HELLOS;
            guard->num_hellos++;
            if (!guard->is_over && guard->message_left > max_hello_bytes) {
                return tg_fail(TG_ERR_LIMIT);
            }
        }
    } else {
        len = guard->message_left < bytes.len ? guard->message_left : bytes.len;
        guard->message_left -= (uint32_t)len;
    }
    if (guard->message_header_len == sizeof guard->message_header && guard->message_left == 0) {
        guard->message_header_len = 0;
    }
    *out_len = len;
    return tg_ok();
}

tg_result tg_tls_hello_guard_take(tg_tls_hello_guard *guard, tg_slice bytes, size_t max_hello_bytes)
{
    while (bytes.len > 0 && !guard->is_over) {
        size_t len = 0;
        if (guard->record_header_len < sizeof guard->record_header) {
            len = take_record_header(guard, bytes);
        } else {
            tg_slice fragment = tg_slice_first(bytes, guard->record_left);
            len = fragment.len;
            if (guard->record_header[0] == RECORD_HANDSHAKE && fragment.len > 0) {
                TG_TRY(take_message(guard, fragment, max_hello_bytes, &len));
            }
            guard->record_left = (uint16_t)(guard->record_left - len);
        }
        if (guard->record_header_len == sizeof guard->record_header && guard->record_left == 0) {
            guard->record_header_len = 0;
        }
        bytes = tg_slice_from(bytes, len);
    }
    return tg_ok();
}
