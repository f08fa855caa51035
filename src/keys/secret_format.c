#include "keys/secret_format.h"

#include "base/encode.h"
#include "crypto/sha256.h"

#include <jansson.h>
#include <stdio.h>

enum { MAX_ARENA_BYTES = 2 * TG_MAX_KEY_SECRET_BYTES };

static tg_result refuse(tg_detail *detail, tg_slice field, tg_code code, const char *reason)
{
    tg_detail_set_place(detail, TG_LIT("secret"), 0, tg_slice_first(field, TG_MAX_RING_ID_BYTES));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "`teegate dek create` and `teegate dek rotate` write it");
    return tg_fail(code);
}

void tg_key_secret_done(tg_key_secret *secret)
{
    tg_arena_done(&secret->arena);
}

static tg_result check_ciphertext(tg_slice bytes, tg_slice id, tg_detail *detail)
{
    return bytes.len > 0 && bytes.len <= TG_MAX_KMS_CIPHERTEXT_BYTES
               ? tg_ok()
               : refuse(detail, id, TG_ERR_LIMIT, "the ciphertext is empty, or longer than KMS makes it");
}

static tg_result decode(tg_arena *arena, tg_slice text, tg_slice id, tg_slice *out_bytes, tg_detail *detail)
{
    size_t len = 0;
    uint8_t *bytes = tg_arena_alloc(arena, tg_base64_decoded_max(text.len));
    if (bytes == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (!tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, text, bytes, &len))) {
        return refuse(detail, id, TG_ERR_SYNTAX, "the ciphertext is not in padded base64");
    }
    *out_bytes = tg_slice_of(bytes, len);
    return check_ciphertext(*out_bytes, id, detail);
}

/* One ciphertext has no id of its own: it is named by its digest. */
static tg_result set_single(tg_key_secret *secret, tg_slice ciphertext)
{
    uint8_t digest[TG_SHA256_BYTES];
    char name[16];
    TG_TRY(tg_sha256(ciphertext, digest));
    snprintf(name, sizeof name, "kms-%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    secret->keys[0] = (tg_sealed_key){.state = TG_KEY_CURRENT, .ciphertext = ciphertext};
    secret->num_keys = 1;
    return tg_arena_copy(&secret->arena, tg_slice_str(name), &secret->keys[0].id);
}

static bool state_of(const char *text, tg_key_state *out_state)
{
    static const char *const states[] = {"current", "pending", "retired"};
    for (size_t i = 0; text != NULL && i < TG_COUNT(states); i++) {
        if (strcmp(text, states[i]) == 0) {
            *out_state = (tg_key_state)i;
            return true;
        }
    }
    return false;
}

static tg_result read_entry(tg_key_secret *secret, json_t *entry, tg_detail *detail)
{
    json_t *id = json_object_get(entry, "id"), *ciphertext = json_object_get(entry, "ciphertext");
    tg_sealed_key *key = &secret->keys[secret->num_keys];
    if (!json_is_string(id) || !json_is_string(ciphertext) || json_object_size(entry) != 3 ||
        !state_of(json_string_value(json_object_get(entry, "state")), &key->state)) {
        return refuse(detail, tg_slice_str(json_string_value(id)), TG_ERR_SYNTAX,
                      "a key is not {\"id\",\"ciphertext\",\"state\": \"current\", \"pending\" or \"retired\"}");
    }
    tg_slice name = tg_slice_of(json_string_value(id), json_string_length(id));
    if (!tg_key_id_is_valid(name)) {
        return refuse(detail, name, TG_ERR_SYNTAX, "an id is not 1 to 64 of letters, digits, '.', '_', '-'");
    }
    for (size_t i = 0; i < secret->num_keys; i++) {
        if (tg_slice_equal(secret->keys[i].id, name)) {
            return refuse(detail, name, TG_ERR_EXISTS, "two keys have this id");
        }
    }
    TG_TRY(tg_arena_copy(&secret->arena, name, &key->id));
    TG_TRY(decode(&secret->arena, tg_slice_of(json_string_value(ciphertext), json_string_length(ciphertext)), name,
                  &key->ciphertext, detail));
    secret->num_keys++;
    return tg_ok();
}

static tg_result read_entries(tg_key_secret *secret, json_t *tree, tg_detail *detail)
{
    json_t *keys = json_object_get(tree, "keys"), *entry = NULL;
    size_t i = 0, num_current = 0;
    if (!json_is_array(keys) || json_object_size(tree) != 1) {
        return refuse(detail, TG_LIT("keys"), TG_ERR_SYNTAX, "it is not {\"keys\":[...]}");
    }
    if (json_array_size(keys) == 0 || json_array_size(keys) > TG_MAX_RING_KEYS) {
        return refuse(detail, TG_LIT("keys"), TG_ERR_RANGE, "a ring holds 1 to 8 keys");
    }
    json_array_foreach(keys, i, entry)
    {
        TG_TRY(read_entry(secret, entry, detail));
        num_current += secret->keys[i].state == TG_KEY_CURRENT;
    }
    return num_current == 1 ? tg_ok()
                            : refuse(detail, TG_LIT("keys"), TG_ERR_NOT_FOUND, "not exactly one key is current");
}

static tg_result read_ring(tg_key_secret *secret, tg_slice text, tg_detail *detail)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (tree == NULL) {
        return refuse(detail, (tg_slice){NULL, 0}, TG_ERR_SYNTAX, "it begins as JSON and is damaged");
    }
    secret->is_ring = true;
    tg_result read = read_entries(secret, tree, detail);
    json_decref(tree);
    return read;
}

static tg_result read(tg_key_secret *secret, tg_slice content, bool is_binary, tg_detail *detail)
{
    tg_slice text = tg_slice_trim(content, " \t\r\n"), ciphertext;
    if (text.len > 0 && text.ptr[0] == '{') {
        return read_ring(secret, text, detail);
    }
    if (is_binary) {
        TG_TRY(check_ciphertext(content, TG_LIT("SecretBinary"), detail));
        TG_TRY(tg_arena_copy(&secret->arena, content, &ciphertext));
    } else {
        TG_TRY(decode(&secret->arena, text, TG_LIT("SecretString"), &ciphertext, detail));
    }
    return set_single(secret, ciphertext);
}

tg_result tg_key_secret_parse(tg_slice content, bool is_binary, tg_key_secret *out_secret, tg_detail *detail)
{
    tg_key_secret secret = {.is_ring = false};
    if (content.len > TG_MAX_KEY_SECRET_BYTES) {
        return refuse(detail, (tg_slice){NULL, 0}, TG_ERR_LIMIT, "it is longer than 131072 bytes");
    }
    tg_arena_init(&secret.arena, MAX_ARENA_BYTES, false);
    tg_result done = read(&secret, content, is_binary, detail);
    if (!tg_is_ok(done)) {
        tg_key_secret_done(&secret);
        return done;
    }
    *out_secret = secret;
    return tg_ok();
}
