#include "schema/yaml_scalar.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>

static bool is_one_of(tg_slice text, const char *a, const char *b, const char *c)
{
    return tg_slice_equal(text, tg_slice_str(a)) || tg_slice_equal(text, tg_slice_str(b)) ||
           tg_slice_equal(text, tg_slice_str(c));
}

static size_t skip_digits(tg_slice text, size_t at)
{
    while (at < text.len && tg_ascii_is_digit(text.ptr[at])) {
        at++;
    }
    return at;
}

/* [-+]? ( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? , which holds the decimal integers too */
static bool is_decimal(tg_slice text)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    size_t behind = skip_digits(text, at);
    bool has_digits = behind > at;
    at = behind;
    if (at < text.len && text.ptr[at] == '.') {
        behind = skip_digits(text, at + 1);
        has_digits = has_digits || behind > at + 1;
        at = behind;
    }
    if (!has_digits) {
        return false;
    }
    if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
        at += 1;
        at += at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+');
        behind = skip_digits(text, at);
        if (behind == at) {
            return false;
        }
        at = behind;
    }
    return at == text.len;
}

/* 0o[0-7]+ and 0x[0-9a-fA-F]+ */
static bool read_based(tg_slice text, double *out_number)
{
    if (text.len < 3 || text.ptr[0] != '0' || (text.ptr[1] != 'o' && text.ptr[1] != 'x')) {
        return false;
    }
    int base = text.ptr[1] == 'o' ? 8 : 16;
    double number = 0;
    for (size_t i = 2; i < text.len; i++) {
        int digit = tg_ascii_hex_value(text.ptr[i]);
        if (digit < 0 || digit >= base) {
            return false;
        }
        number = number * base + digit;
    }
    *out_number = number;
    return true;
}

static bool read_special(tg_slice text, double *out_number)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    tg_slice bare = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? tg_slice_from(text, 1) : text;
    if (is_one_of(bare, ".inf", ".Inf", ".INF")) {
        *out_number = is_negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (is_one_of(text, ".nan", ".NaN", ".NAN")) {
        *out_number = (double)NAN;
        return true;
    }
    return false;
}

/* strtod wants a NUL behind the digits, of which there may be any number. */
static bool read_decimal(tg_slice text, double *out_number)
{
    char few[64];
    char *digits = text.len < sizeof few ? few : malloc(text.len + 1);
    if (digits == NULL) {
        return false;
    }
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = 0;
    *out_number = strtod(digits, NULL);
    if (digits != few) {
        free(digits);
    }
    return true;
}

tg_doc_item tg_yaml_resolve_plain(tg_slice text)
{
    double number = 0;
    if (text.len == 0 || tg_slice_equal(text, TG_LIT("~")) || is_one_of(text, "null", "Null", "NULL")) {
        return (tg_doc_item){.kind = TG_DOC_NULL};
    }
    if (is_one_of(text, "true", "True", "TRUE")) {
        return (tg_doc_item){.kind = TG_DOC_BOOL, .is_true = true};
    }
    if (is_one_of(text, "false", "False", "FALSE")) {
        return (tg_doc_item){.kind = TG_DOC_BOOL};
    }
    if (read_based(text, &number) || read_special(text, &number)) {
        return (tg_doc_item){.kind = TG_DOC_NUMBER, .number = number};
    }
    if (is_decimal(text) && read_decimal(text, &number)) {
        return (tg_doc_item){.kind = TG_DOC_NUMBER, .number = number};
    }
    return (tg_doc_item){.kind = TG_DOC_TEXT};
}
