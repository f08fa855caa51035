#include "http/chunked.h"

#include "base/num.h"
#include "base/text.h"
#include "http/grammar.h"

enum { MAX_SIZE_DIGITS = 16 };

enum {
    IN_SIZE,
    AT_EXTENSION_NAME,
    IN_EXTENSION_NAME,
    AT_EXTENSION_VALUE,
    IN_EXTENSION_TOKEN,
    IN_EXTENSION_QUOTES,
    BEHIND_BACKSLASH,
    BEHIND_QUOTES,
    AT_SIZE_LF,
    IN_CONTENT,
    AT_CONTENT_CR,
    AT_CONTENT_LF,
    AT_TRAILER,
    IN_TRAILER_NAME,
    IN_TRAILER_VALUE,
    AT_TRAILER_LF,
    AT_LAST_LF,
    IS_WHOLE,
    IS_REFUSED
};

void tg_http_chunked_start(tg_http_chunked *decoder, uint64_t max_body_bytes)
{
    *decoder = (tg_http_chunked){.state = IN_SIZE, .body_left = max_body_bytes};
}

static void refuse(tg_http_chunked *decoder, tg_http_refusal refusal)
{
    decoder->state = IS_REFUSED;
    decoder->refusal = refusal;
}

static tg_result refused(const tg_http_chunked *decoder)
{
    return tg_fail(decoder->refusal == TG_HTTP_BAD_CHUNK ? TG_ERR_SYNTAX : TG_ERR_LIMIT);
}

static void go(tg_http_chunked *decoder, bool is_right, unsigned next)
{
    if (is_right) {
        decoder->state = next;
    } else {
        refuse(decoder, TG_HTTP_BAD_CHUNK);
    }
}

/* What may stand behind a size, an extension's name or its value: the next extension or the line's end. We take no
 * blanks there (RFC 9112 §7.1.1 calls them bad). True where the byte is one of the two. */
static bool ends_part(tg_http_chunked *decoder, uint8_t byte)
{
    if (byte == ';') {
        decoder->state = AT_EXTENSION_NAME;
    } else if (byte == '\r') {
        decoder->state = AT_SIZE_LF;
    }
    return byte == ';' || byte == '\r';
}

/* chunk-size = 1*HEXDIG */
static void read_size(tg_http_chunked *decoder, uint8_t byte)
{
    int digit = tg_ascii_hex_value(byte);
    if (digit < 0) {
        if (decoder->num_digits == 0 || !ends_part(decoder, byte)) {
            refuse(decoder, TG_HTTP_BAD_CHUNK);
        }
        return;
    }
    if (decoder->num_digits++ == MAX_SIZE_DIGITS) {
        refuse(decoder, TG_HTTP_CHUNK_TOO_LARGE);
        return;
    }
    decoder->left = decoder->left << 4 | (uint64_t)digit;
}

/* chunk-ext = *( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] )
 * quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE; quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text ) */
static void read_extension(tg_http_chunked *decoder, uint8_t byte)
{
    if (decoder->extension_len++ == TG_HTTP_MAX_CHUNK_EXTENSION_BYTES) {
        refuse(decoder, TG_HTTP_CHUNK_TOO_LARGE);
        return;
    }
    bool is_token = tg_http_is(byte, TG_HTTP_TCHAR);
    switch (decoder->state) {
    case AT_EXTENSION_NAME:
        go(decoder, is_token, IN_EXTENSION_NAME);
        break;
    case IN_EXTENSION_NAME:
        if (byte == '=') {
            decoder->state = AT_EXTENSION_VALUE;
        } else if (!is_token && !ends_part(decoder, byte)) {
            refuse(decoder, TG_HTTP_BAD_CHUNK);
        }
        break;
    case AT_EXTENSION_VALUE:
        go(decoder, is_token || byte == '"', byte == '"' ? IN_EXTENSION_QUOTES : IN_EXTENSION_TOKEN);
        break;
    case IN_EXTENSION_TOKEN:
        if (!is_token && !ends_part(decoder, byte)) {
            refuse(decoder, TG_HTTP_BAD_CHUNK);
        }
        break;
    case IN_EXTENSION_QUOTES:
        go(decoder, tg_http_is(byte, TG_HTTP_VALUE),
           byte == '"'    ? BEHIND_QUOTES
           : byte == '\\' ? BEHIND_BACKSLASH
                          : IN_EXTENSION_QUOTES);
        break;
    case BEHIND_BACKSLASH:
        go(decoder, tg_http_is(byte, TG_HTTP_VALUE), IN_EXTENSION_QUOTES);
        break;
    default: /* BEHIND_QUOTES */
        if (!ends_part(decoder, byte)) {
            refuse(decoder, TG_HTTP_BAD_CHUNK);
        }
        break;
    }
}

/* The size line is whole. last-chunk = 1*( "0" ) [ chunk-ext ] CRLF */
static void begin_chunk(tg_http_chunked *decoder, uint8_t byte)
{
    if (byte != '\n') {
        refuse(decoder, TG_HTTP_BAD_CHUNK);
    } else if (decoder->left > decoder->body_left) {
        refuse(decoder, TG_HTTP_BODY_TOO_LARGE);
    } else {
        decoder->body_left -= decoder->left;
        decoder->num_digits = 0;
        decoder->state = decoder->left > 0 ? IN_CONTENT : AT_TRAILER;
    }
}

/* trailer-section = *( field-line CRLF ); a field line as in http/head.c */
static void read_trailer(tg_http_chunked *decoder, uint8_t byte)
{
    if (decoder->trailer_len++ == TG_HTTP_MAX_TRAILER_BYTES) {
        refuse(decoder, TG_HTTP_CHUNK_TOO_LARGE);
        return;
    }
    switch (decoder->state) {
    case AT_TRAILER:
        go(decoder, byte == '\r' || tg_http_is(byte, TG_HTTP_TCHAR), byte == '\r' ? AT_LAST_LF : IN_TRAILER_NAME);
        break;
    case IN_TRAILER_NAME:
        go(decoder, byte == ':' || tg_http_is(byte, TG_HTTP_TCHAR), byte == ':' ? IN_TRAILER_VALUE : IN_TRAILER_NAME);
        break;
    case IN_TRAILER_VALUE:
        go(decoder, byte == '\r' || tg_http_is(byte, TG_HTTP_VALUE), byte == '\r' ? AT_TRAILER_LF : IN_TRAILER_VALUE);
        break;
    case AT_TRAILER_LF:
        go(decoder, byte == '\n', AT_TRAILER);
        break;
    default: /* AT_LAST_LF */
        go(decoder, byte == '\n', IS_WHOLE);
        break;
    }
}

static void read_byte(tg_http_chunked *decoder, uint8_t byte)
{
    switch (decoder->state) {
    case IN_SIZE:
        read_size(decoder, byte);
        break;
    case AT_SIZE_LF:
        begin_chunk(decoder, byte);
        break;
    case AT_CONTENT_CR:
        go(decoder, byte == '\r', AT_CONTENT_LF);
        break;
    case AT_CONTENT_LF:
        go(decoder, byte == '\n', IN_SIZE);
        break;
    case AT_TRAILER:
    case IN_TRAILER_NAME:
    case IN_TRAILER_VALUE:
    case AT_TRAILER_LF:
    case AT_LAST_LF:
        read_trailer(decoder, byte);
        break;
    default:
        read_extension(decoder, byte);
        break;
    }
}

/* chunked-body = *chunk last-chunk trailer-section CRLF
 * chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF */
tg_result tg_http_chunked_next(tg_http_chunked *decoder, tg_slice *rest, tg_slice *out_content)
{
    while (decoder->state != IS_WHOLE && decoder->state != IS_REFUSED) {
        if (rest->len == 0) {
            return tg_fail(TG_ERR_AGAIN);
        }
        if (decoder->state == IN_CONTENT) {
            size_t len = decoder->left < rest->len ? (size_t)decoder->left : rest->len;
            *out_content = tg_slice_first(*rest, len);
            *rest = tg_slice_from(*rest, len);
            decoder->left -= len;
            decoder->state = decoder->left > 0 ? IN_CONTENT : AT_CONTENT_CR;
            return tg_ok();
        }
        read_byte(decoder, rest->ptr[0]);
        *rest = tg_slice_from(*rest, 1);
    }
    return decoder->state == IS_WHOLE ? tg_fail(TG_ERR_EOF) : refused(decoder);
}
