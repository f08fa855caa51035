#define PCRE2_CODE_UNIT_WIDTH 8

#include "schema/pattern.h"

#include <pcre2.h>
#include <stdlib.h>

struct tg_pii_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    size_t len;
    uint8_t text[];
};

/* `$` is the very end, `[^]` is any character, \uXXXX is read, \C is not: as ECMA-262 with its u flag. */
static pcre2_code *compile(tg_slice text, int *out_error)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        *out_error = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    pcre2_set_max_pattern_length(context, TG_MAX_PATTERN_BYTES);
    pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    size_t offset;
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
                       PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code =
        pcre2_compile(text.len > 0 ? text.ptr : (PCRE2_SPTR) "", text.len, options, out_error, &offset, context);
    pcre2_compile_context_free(context);
    return code;
}

tg_result tg_pii_pattern_new(tg_slice text, tg_pii_pattern **out_pattern, tg_detail *detail)
{
    int error = 0;
    pcre2_code *code = compile(text, &error);
    if (code == NULL && error != PCRE2_ERROR_NOMEMORY) {
        uint8_t message[160] = "";
        pcre2_get_error_message(error, message, sizeof message);
        tg_detail_set_reason(detail, "the pattern cannot be compiled: %s", (const char *)message);
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_pii_pattern *pattern = code != NULL ? malloc(sizeof *pattern + text.len) : NULL;
    pcre2_match_context *limits = pattern != NULL ? pcre2_match_context_create(NULL) : NULL;
    if (limits == NULL) {
        pcre2_code_free(code);
        free(pattern);
        return tg_fail(TG_ERR_MEMORY);
    }
    pcre2_set_match_limit(limits, TG_MAX_PATTERN_STEPS);
    pcre2_set_depth_limit(limits, TG_MAX_PATTERN_DEPTH);
    pcre2_set_heap_limit(limits, TG_MAX_PATTERN_HEAP_KIB);
    *pattern = (tg_pii_pattern){code, limits, text.len};
    if (text.len > 0) {
        memcpy(pattern->text, text.ptr, text.len);
    }
    *out_pattern = pattern;
    return tg_ok();
}

void tg_pii_pattern_free(tg_pii_pattern *pattern)
{
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        pcre2_match_context_free(pattern->limits);
        free(pattern);
    }
}

tg_slice tg_pii_pattern_text(const tg_pii_pattern *pattern)
{
    return tg_slice_of(pattern->text, pattern->len);
}

tg_result tg_pii_pattern_match(const tg_pii_pattern *pattern, tg_slice name, bool *out_matches)
{
    if (name.len > TG_MAX_PATTERN_NAME_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (data == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    int status =
        pcre2_match(pattern->code, name.len > 0 ? name.ptr : (PCRE2_SPTR) "", name.len, 0, 0, data, pattern->limits);
    pcre2_match_data_free(data);
    if (status >= 0 || status == PCRE2_ERROR_NOMATCH) {
        *out_matches = status >= 0;
        return tg_ok();
    }
    if (status == PCRE2_ERROR_NOMEMORY) {
        return tg_fail(TG_ERR_MEMORY);
    }
    bool is_utf8_error = status <= PCRE2_ERROR_UTF8_ERR1 && status >= PCRE2_ERROR_UTF8_ERR21;
    return tg_fail(is_utf8_error ? TG_ERR_SYNTAX : TG_ERR_LIMIT);
}
