#include "attest/manifest.h"
#include "support/case.h"

#include <jansson.h>
#include <stdlib.h>

static const uint8_t digest[32] = {0xde, 0xad};

static tg_manifest full_manifest(void)
{
    static const tg_manifest_dek deks[] = {{{digest, 16}, "current"}, {{digest + 1, 16}, "retired"}};
    const tg_slice some = tg_slice_of(digest, sizeof digest);
    return (tg_manifest){.tls_spki = some,
                         .tls_key_origin = "generated",
                         .jwks = some,
                         .ohttp = some,
                         .routes = some,
                         .secrets_key = some,
                         .secrets_mode = "sealed",
                         .settings = TG_LIT("{\"a\":1}"),
                         .schemas = some,
                         .client_ca = some,
                         .deks = deks,
                         .num_deks = TG_COUNT(deks)};
}

/* jansson sorts and packs the same tree: what it writes must be what we wrote. */
static void assert_is_canonical(tg_slice text)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(tree);
    char *packed = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);
    tg_assert_slice(text, tg_slice_str(packed), __FILE__, __LINE__);
    free(packed);
    json_decref(tree);
}

static void append_full_manifest_is_canonical_json(void **state)
{
    (void)state;
    tg_buf buf;
    const tg_manifest manifest = full_manifest();
    tg_buf_init(&buf, TG_MAX_MANIFEST_BYTES);
    assert_ok(tg_manifest_append(&manifest, &buf));
    assert_is_canonical(tg_buf_slice(&buf));
    assert_true(tg_slice_starts(tg_buf_slice(&buf), TG_LIT("{\"client_ca\":\"dead00000000")));
    assert_true(tg_slice_ends(tg_buf_slice(&buf), TG_LIT("\",\"v\":1}")));
    tg_buf_done(&buf);
}

static void append_absent_parts_are_null(void **state)
{
    (void)state;
    tg_buf buf;
    const tg_manifest manifest = {
        .tls_key_origin = "image", .secrets_mode = "none", .settings = TG_LIT("{}"), .deks = NULL};
    tg_buf_init(&buf, TG_MAX_MANIFEST_BYTES);
    assert_ok(tg_manifest_append(&manifest, &buf));
    assert_slice(tg_buf_slice(&buf),
                 "{\"client_ca\":null,\"deks\":[],\"jwks\":null,\"ohttp\":null,\"routes\":null,\"schemas\":null,"
                 "\"secrets_key\":null,\"secrets_mode\":\"none\",\"settings\":{},\"tls_key_origin\":\"image\",\"tls_"
                 "spki\":null,\"v\":1}");
    tg_buf_done(&buf);
}

static void append_each_maximum_too_small_is_limit(void **state)
{
    (void)state;
    const tg_manifest manifest = full_manifest();
    tg_buf whole;
    tg_buf_init(&whole, TG_MAX_MANIFEST_BYTES);
    assert_ok(tg_manifest_append(&manifest, &whole));
    for (size_t max = 0; max < tg_buf_len(&whole); max++) {
        tg_buf buf;
        tg_buf_init(&buf, max);
        assert_code(tg_manifest_append(&manifest, &buf), TG_ERR_LIMIT);
        tg_buf_done(&buf);
    }
    tg_buf_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_full_manifest_is_canonical_json),
        cmocka_unit_test(append_absent_parts_are_null),
        cmocka_unit_test(append_each_maximum_too_small_is_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
