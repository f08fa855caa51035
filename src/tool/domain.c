#include "tool/domain.h"

#include "base/num.h"
#include "base/text.h"

#include <math.h>

enum { MAX_DEPTH = 16, PRINTABLE = 95, WORD_CHARACTERS = 63, DAYS_OF_A_LIFETIME = 40000 };

typedef struct pattern_reader {
    tg_slice rest;
    size_t depth;
    bool is_lost; /* something that this reader does not understand */
} pattern_reader;

static uint8_t peek(const pattern_reader *in)
{
    return in->rest.len > 0 ? in->rest.ptr[0] : 0;
}

static uint8_t take(pattern_reader *in)
{
    uint8_t c = peek(in);
    in->rest = tg_slice_from(in->rest, 1);
    return c;
}

/* An escape's number of characters, behind its backslash. */
static double read_escape(pattern_reader *in)
{
    uint8_t c = take(in);
    switch (c) {
    case 'd':
        return 10;
    case 'w':
        return WORD_CHARACTERS;
    case 's':
        return 6;
    case 'D':
    case 'W':
    case 'S':
        return PRINTABLE;
    default:
        in->is_lost = in->is_lost || tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == 0;
        return 1;
    }
}

/* class = "[" [ "^" ] 1*( character [ "-" character ] ) "]", behind its opening bracket */
static double read_class(pattern_reader *in)
{
    bool is_negated = peek(in) == '^';
    if (is_negated) {
        take(in);
    }
    double count = 0;
    for (bool is_first = true; in->rest.len > 0 && (is_first || peek(in) != ']'); is_first = false) {
        uint8_t from = take(in);
        if (from == '\\') {
            count += read_escape(in);
        } else if (peek(in) == '-' && in->rest.len > 1 && in->rest.ptr[1] != ']') {
            take(in);
            uint8_t to = take(in);
            count += to >= from ? to - from + 1 : 1;
        } else {
            count += 1;
        }
    }
    in->is_lost = in->is_lost || take(in) != ']';
    if (is_negated) {
        count = count < PRINTABLE ? PRINTABLE - count : 1;
    }
    return count;
}

static double read_alternatives(pattern_reader *in);

static double read_group(pattern_reader *in)
{
    if (peek(in) == '?') {
        take(in);
        in->is_lost = in->is_lost || take(in) != ':'; /* a look-ahead or a name */
    }
    if (++in->depth > MAX_DEPTH) {
        in->is_lost = true;
        in->rest.len = 0;
        return 0;
    }
    double count = read_alternatives(in);
    in->depth--;
    in->is_lost = in->is_lost || take(in) != ')';
    return count;
}

static double read_atom(pattern_reader *in)
{
    uint8_t c = take(in);
    switch (c) {
    case '\\':
        return read_escape(in);
    case '[':
        return read_class(in);
    case '(':
        return read_group(in);
    case '.':
        return PRINTABLE;
    case '^': /* an anchor that does not stand at the pattern's end */
    case '$':
        in->is_lost = true;
        return 1;
    default:
        return 1;
    }
}

static double least_of(double a, double b)
{
    return a < b ? a : b;
}

static double sum_of_powers(double base, uint64_t from, uint64_t to)
{
    double sum = 0, power = 1;
    for (uint64_t i = 0; i <= to && isfinite(sum); i++) {
        sum += i >= from ? power : 0;
        power *= base;
    }
    return sum;
}

/* repeat = "?" / "*" / "+" / "{" number [ "," [ number ] ] "}"; applied to an atom of `count` values */
static double read_repeat(pattern_reader *in, double count)
{
    uint64_t from, to;
    switch (peek(in)) {
    case '?':
        take(in);
        return count + 1;
    case '*':
    case '+':
        take(in);
        return (double)INFINITY;
    case '{':
        break;
    default:
        return count;
    }
    tg_slice bounds = tg_slice_from(in->rest, 1);
    size_t end = tg_slice_find(bounds, '}');
    in->rest = tg_slice_from(bounds, end + 1);
    bounds = tg_slice_first(bounds, end);
    tg_slice low = tg_slice_split(&bounds, ',');
    if (!tg_is_ok(tg_num_parse_u64(low, 1000, &from))) {
        in->is_lost = true;
        return count;
    }
    if (bounds.ptr == NULL) {
        return sum_of_powers(count, from, from);
    }
    return tg_is_ok(tg_num_parse_u64(bounds, 1000, &to)) && to >= from ? sum_of_powers(count, from, to)
                                                                       : (double)INFINITY;
}

static double read_alternatives(pattern_reader *in)
{
    double sum = 0, product = 1;
    while (in->rest.len > 0 && peek(in) != ')') {
        if (peek(in) == '|') {
            take(in);
            sum += product;
            product = 1;
        } else {
            product *= read_repeat(in, read_atom(in));
        }
    }
    return sum + product;
}

double tg_domain_of_pattern(tg_slice pattern)
{
    bool is_anchored = tg_slice_starts(pattern, TG_LIT("^")) && tg_slice_ends(pattern, TG_LIT("$")) &&
                       !tg_slice_ends(pattern, TG_LIT("\\$")) && pattern.len >= 2;
    if (!is_anchored) {
        return (double)INFINITY;
    }
    pattern_reader in = {.rest = tg_slice_of(pattern.ptr + 1, pattern.len - 2)};
    double count = read_alternatives(&in);
    return in.is_lost || in.rest.len > 0 ? (double)INFINITY : count;
}

double tg_domain_of_path(const tg_pii_path *path)
{
    if (path->num_enum > 0) {
        return (double)path->num_enum;
    }
    uint32_t types = path->types & ~(uint32_t)TG_TYPE_NULL;
    if (types == TG_TYPE_BOOLEAN) {
        return 2;
    }
    if (types != TG_TYPE_STRING) {
        return (double)INFINITY;
    }
    double count = path->pattern.len > 0 ? tg_domain_of_pattern(path->pattern) : (double)INFINITY;
    if (tg_slice_equal(path->format, TG_LIT("date"))) {
        count = least_of(count, DAYS_OF_A_LIFETIME);
    }
    if (path->max_length <= 64) {
        count = least_of(count, sum_of_powers(PRINTABLE, 0, path->max_length));
    }
    return count;
}
