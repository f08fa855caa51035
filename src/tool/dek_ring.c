#include "tool/dek_ring.h"

#include "base/encode.h"
#include "keys/secret_format.h"

#include <stdlib.h>

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason, const char *remedy)
{
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

static tg_result append(json_t *ring, const tg_sealed_key *key)
{
    static const char *const states[] = {"current", "pending", "retired"};
    tg_buf text;
    tg_buf_init(&text, TG_MAX_KEY_SECRET_BYTES);
    tg_result encoded = tg_base64_append(&text, TG_BASE64_PADDED, key->ciphertext);
    json_t *entry = tg_is_ok(encoded) ? json_pack("{s:s%, s:s%, s:s}", "id", (const char *)key->id.ptr, key->id.len,
                                                  "ciphertext", (const char *)tg_buf_slice(&text).ptr,
                                                  tg_buf_len(&text), "state", states[key->state])
                                      : NULL;
    tg_buf_done(&text);
    TG_TRY(encoded);
    return json_array_append_new(json_object_get(ring, "keys"), entry) == 0 ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

static tg_result to_ring(tg_slice content, bool is_binary, json_t **out_ring, tg_detail *detail)
{
    tg_key_secret secret;
    TG_TRY(tg_key_secret_parse(content, is_binary, &secret, detail));
    json_t *ring = json_pack("{s:[]}", "keys");
    tg_result made = ring != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    for (size_t i = 0; i < secret.num_keys && tg_is_ok(made); i++) {
        made = append(ring, &secret.keys[i]);
    }
    tg_key_secret_done(&secret);
    if (!tg_is_ok(made)) {
        json_decref(ring);
        return made;
    }
    *out_ring = ring;
    return tg_ok();
}

tg_result tg_dek_ring_read(const json_t *answer, json_t **out_ring, tg_detail *detail)
{
    const json_t *text = json_object_get(answer, "SecretString"), *binary = json_object_get(answer, "SecretBinary");
    if (json_is_string(text)) {
        return to_ring(tg_slice_of(json_string_value(text), json_string_length(text)), false, out_ring, detail);
    }
    tg_slice encoded = tg_slice_of(json_string_value(binary), json_string_length(binary));
    uint8_t *bytes = malloc(tg_base64_decoded_max(encoded.len));
    size_t len = 0;
    if (bytes == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result read = json_is_string(binary) && tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, encoded, bytes, &len))
                         ? to_ring(tg_slice_of(bytes, len), true, out_ring, detail)
                         : refuse(detail, TG_ERR_SYNTAX, "the secret has no value", "`teegate dek create` makes one");
    free(bytes);
    return read;
}

/* The entry whose member has this text; NULL where there is none. */
static json_t *find(json_t *ring, const char *member, const char *text, size_t *out_index)
{
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(ring, "keys"), i, entry)
    {
        const char *value = json_string_value(json_object_get(entry, member));
        if (value != NULL && strcmp(value, text) == 0) {
            *out_index = i;
            return entry;
        }
    }
    return NULL;
}

tg_result tg_dek_ring_add(json_t *ring, const char *id, const char *ciphertext_base64, const char *state,
                          tg_detail *detail)
{
    size_t index = 0;
    if (!tg_key_id_is_valid(tg_slice_str(id))) {
        return refuse(detail, TG_ERR_SYNTAX, "the id is not 1 to 64 of letters, digits, '.', '_', '-'",
                      "give another --id");
    }
    if (find(ring, "state", "pending", &index) != NULL) {
        return refuse(detail, TG_ERR_EXISTS, "a key is pending already", "`--finish` makes it current first");
    }
    if (find(ring, "id", id, &index) != NULL) {
        return refuse(detail, TG_ERR_EXISTS, "a key has this id already", "give another --id");
    }
    if (json_array_size(json_object_get(ring, "keys")) == TG_MAX_RING_KEYS) {
        return refuse(detail, TG_ERR_LIMIT, "8 keys are there, as many as there may be", "`--drop ID` a retired one");
    }
    json_t *entry = json_pack("{s:s, s:s, s:s}", "id", id, "ciphertext", ciphertext_base64, "state", state);
    return json_array_insert_new(json_object_get(ring, "keys"), 0, entry) == 0 ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

tg_result tg_dek_ring_finish(json_t *ring, tg_detail *detail)
{
    size_t index = 0;
    json_t *pending = find(ring, "state", "pending", &index), *current = find(ring, "state", "current", &index);
    if (pending == NULL || current == NULL) {
        return refuse(detail, TG_ERR_NOT_FOUND, "no key is pending", "`teegate dek rotate` adds one first");
    }
    bool is_set = json_object_set_new(pending, "state", json_string("current")) == 0 &&
                  json_object_set_new(current, "state", json_string("retired")) == 0;
    return is_set ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

tg_result tg_dek_ring_drop(json_t *ring, const char *id, tg_detail *detail)
{
    size_t index = 0;
    json_t *entry = find(ring, "id", id, &index);
    if (entry == NULL) {
        return refuse(detail, TG_ERR_NOT_FOUND, "no key has this id", "");
    }
    if (strcmp(json_string_value(json_object_get(entry, "state")), "retired") != 0) {
        return refuse(detail, TG_ERR_DENIED,
                      "only a retired key can be dropped: what it sealed can then never be opened", "");
    }
    return json_array_remove(json_object_get(ring, "keys"), index) == 0 ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}
