#include "envelope/jose.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/sha256.h"

static tg_result refuse(tg_code code, tg_detail *detail, const char *name, const char *what)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(name));
    tg_detail_set_reason(detail, "`%s` %s", name, what);
    return tg_fail(code);
}

static tg_result refuse_extensions(const json_t *header, tg_detail *detail)
{
    static const char *const names[] = {"crit", "zip", "b64"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        if (json_object_get(header, names[i]) != NULL) {
            return refuse(TG_ERR_DENIED, detail, names[i], "is not taken");
        }
    }
    return tg_ok();
}

tg_result tg_jose_header_read(tg_slice text, json_t **out_header, tg_detail *detail)
{
    uint8_t bytes[TG_MAX_JOSE_HEADER_BYTES + 3];
    size_t len;
    json_error_t error;
    if (text.len > tg_base64_encoded_len(TG_BASE64_URL, TG_MAX_JOSE_HEADER_BYTES)) {
        return refuse(TG_ERR_LIMIT, detail, "protected header", "is longer than 4096 bytes");
    }
    if (!tg_is_ok(tg_base64_decode(TG_BASE64_URL, text, bytes, &len))) {
        return refuse(TG_ERR_SYNTAX, detail, "protected header", "is not base64url");
    }
    json_t *header = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(header)) {
        json_decref(header);
        return refuse(TG_ERR_SYNTAX, detail, "protected header", "is not a JSON object, or has a member twice");
    }
    tg_result result = refuse_extensions(header, detail);
    if (!tg_is_ok(result)) {
        json_decref(header);
        return result;
    }
    *out_header = header;
    return tg_ok();
}

tg_result tg_jose_expect(const json_t *header, const char *name, const char *value, tg_detail *detail)
{
    const char *actual = json_string_value(json_object_get(header, name));
    if (actual == NULL) {
        return refuse(TG_ERR_SYNTAX, detail, name, "is missing or no string");
    }
    if (strcmp(actual, value) != 0) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(name));
        tg_detail_set_reason(detail, "`%s` must be %s", name, value);
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    return tg_ok();
}

/* Whether it is a string of 1 to `max` characters from `first` to the tilde; jansson takes no NUL in one. */
static bool is_text(const json_t *member, uint8_t first, size_t max)
{
    const char *text = json_string_value(member);
    size_t len = json_string_length(member);
    bool is_good = text != NULL && len >= 1 && len <= max;
    for (size_t i = 0; is_good && i < len; i++) {
        is_good = (uint8_t)text[i] >= first && (uint8_t)text[i] < 0x7f;
    }
    return is_good;
}

tg_result tg_jose_read_kid(const json_t *header, char out_kid[TG_MAX_KID_BYTES + 1], tg_detail *detail)
{
    const json_t *member = json_object_get(header, "kid");
    if (!is_text(member, '!', TG_MAX_KID_BYTES)) {
        return refuse(TG_ERR_SYNTAX, detail, "kid", "is missing, or is not 1 to 128 printable characters");
    }
    memcpy(out_kid, json_string_value(member), json_string_length(member) + 1);
    return tg_ok();
}

tg_result tg_jose_read_text(const json_t *header, const char *name, char *out, size_t cap, tg_detail *detail)
{
    const json_t *member = json_object_get(header, name);
    if (member == NULL) {
        out[0] = 0;
        return tg_ok();
    }
    if (!is_text(member, ' ', cap - 1)) {
        return refuse(TG_ERR_SYNTAX, detail, name, "is no string of printable characters, or is too long");
    }
    memcpy(out, json_string_value(member), json_string_length(member) + 1);
    return tg_ok();
}

tg_result tg_jose_read_bytes(const json_t *header, const char *name, uint8_t *out, size_t cap, size_t *out_len,
                             tg_detail *detail)
{
    const json_t *member = json_object_get(header, name);
    uint8_t bytes[TG_MAX_JOSE_HEADER_BYTES + 3];
    size_t len = 0;
    if (member == NULL) {
        *out_len = 0;
        return tg_ok();
    }
    tg_slice text = tg_slice_of(json_string_value(member), json_string_length(member));
    if (!json_is_string(member) || text.len > TG_MAX_JOSE_HEADER_BYTES ||
        !tg_is_ok(tg_base64_decode(TG_BASE64_URL, text, bytes, &len))) {
        return refuse(TG_ERR_SYNTAX, detail, name, "is not base64url");
    }
    if (len > cap) {
        return refuse(TG_ERR_LIMIT, detail, name, "is too long");
    }
    memcpy(out, bytes, len);
    *out_len = len;
    return tg_ok();
}

tg_result tg_jose_read_number(const json_t *header, const char *name, bool *out_has, uint64_t *out_value,
                              tg_detail *detail)
{
    const json_t *member = json_object_get(header, name);
    json_int_t value = json_integer_value(member);
    if (member != NULL && (!json_is_integer(member) || value < 0 || value > TG_MAX_JOSE_NUMBER)) {
        return refuse(TG_ERR_SYNTAX, detail, name, "is no whole number");
    }
    *out_has = member != NULL;
    *out_value = (uint64_t)value;
    return tg_ok();
}

tg_result tg_jwk_read_point(const json_t *jwk, const char *name, uint8_t out_point[TG_P256_PUBLIC_BYTES],
                            tg_detail *detail)
{
    static const char *const coordinates[] = {"x", "y"};
    const char *kind = json_string_value(json_object_get(jwk, "kty"));
    const char *curve = json_string_value(json_object_get(jwk, "crv"));
    uint8_t point[TG_P256_PUBLIC_BYTES] = {4};
    if (!json_is_object(jwk) || kind == NULL) {
        return refuse(TG_ERR_SYNTAX, detail, name, "is missing or no JWK");
    }
    if (strcmp(kind, "EC") != 0 || curve == NULL || strcmp(curve, "P-256") != 0) {
        return refuse(TG_ERR_UNSUPPORTED, detail, name, "is not a key of P-256");
    }
    if (json_object_get(jwk, "d") != NULL) {
        return refuse(TG_ERR_SYNTAX, detail, name, "holds a private key");
    }
    for (size_t i = 0; i < TG_COUNT(coordinates); i++) {
        size_t len = 0;
        tg_detail ignored = {0};
        uint8_t *out = point + 1 + i * TG_P256_COORDINATE_BYTES;
        if (!tg_is_ok(tg_jose_read_bytes(jwk, coordinates[i], out, TG_P256_COORDINATE_BYTES, &len, &ignored)) ||
            len != TG_P256_COORDINATE_BYTES) {
            return refuse(TG_ERR_SYNTAX, detail, name, "must have x and y of 32 bytes in base64url");
        }
    }
    memcpy(out_point, point, sizeof point);
    return tg_ok();
}

static tg_result append_coordinates(tg_buf *buf, tg_slice point)
{
    tg_slice x = tg_slice_of(point.ptr + 1, TG_P256_COORDINATE_BYTES);
    tg_slice y = tg_slice_of(point.ptr + 1 + TG_P256_COORDINATE_BYTES, TG_P256_COORDINATE_BYTES);
    TG_TRY(tg_buf_append_str(buf, "\"x\":\""));
    TG_TRY(tg_base64_append(buf, TG_BASE64_URL, x));
    TG_TRY(tg_buf_append_str(buf, "\",\"y\":\""));
    TG_TRY(tg_base64_append(buf, TG_BASE64_URL, y));
    return tg_buf_append_byte(buf, '"');
}

tg_result tg_jwk_append_point(tg_buf *buf, tg_slice point)
{
    TG_TRY(tg_buf_append_str(buf, "\"kty\":\"EC\",\"crv\":\"P-256\","));
    return append_coordinates(buf, point);
}

tg_result tg_jose_append_text(tg_buf *json, const char *name, const char *text)
{
    if (text == NULL || text[0] == 0) {
        return tg_ok();
    }
    TG_TRY(tg_buf_printf(json, ",\"%s\":", name));
    return tg_json_append_string(json, tg_slice_str(text));
}

tg_result tg_jwk_append(tg_buf *buf, tg_slice point, const char *use, const char *algorithm, const char *kid)
{
    TG_TRY(tg_buf_append_byte(buf, '{'));
    TG_TRY(tg_jwk_append_point(buf, point));
    return tg_buf_printf(buf, ",\"use\":\"%s\",\"alg\":\"%s\",\"kid\":\"%s\"}", use, algorithm, kid);
}

/* RFC 7638 §3.2: the required members in the order of their names, without a blank. */
tg_result tg_jwk_thumbprint(tg_slice point, char out_kid[TG_THUMBPRINT_BYTES + 1])
{
    uint8_t digest[TG_SHA256_BYTES];
    tg_buf text;
    tg_buf_init(&text, TG_MAX_JWK_BYTES);
    tg_result result = tg_buf_append_str(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",");
    if (tg_is_ok(result)) {
        result = append_coordinates(&text, point);
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append_byte(&text, '}');
    }
    if (tg_is_ok(result)) {
        result = tg_sha256(tg_buf_slice(&text), digest);
    }
    tg_buf_done(&text);
    TG_TRY(result);
    tg_base64_encode(TG_BASE64_URL, tg_slice_of(digest, sizeof digest), (uint8_t *)out_kid);
    out_kid[TG_THUMBPRINT_BYTES] = 0;
    return tg_ok();
}

tg_result tg_jose_split(tg_slice compact, tg_slice *out_parts, size_t num_parts, tg_detail *detail)
{
    tg_slice rest = compact;
    size_t num_found = 0;
    while (rest.ptr != NULL && num_found < num_parts) {
        out_parts[num_found++] = tg_slice_split(&rest, '.');
    }
    if (num_found != num_parts || rest.ptr != NULL) {
        tg_detail_set_reason(detail, "not a compact serialization of %zu parts", num_parts);
        return tg_fail(TG_ERR_SYNTAX);
    }
    return tg_ok();
}
