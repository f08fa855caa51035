#include "support/random_json.h"

#include "support/case.h"

uint32_t tg_dice_roll(tg_dice *dice, uint32_t sides)
{
    dice->state ^= dice->state << 13; /* xorshift64 */
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return (uint32_t)(dice->state >> 32) % sides;
}

static void put(tg_buf *buf, const char *text)
{
    assert_ok(tg_buf_append_str(buf, text));
}

static void put_space(tg_buf *buf, tg_dice *dice)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r\n  "};
    put(buf, spaces[tg_dice_roll(dice, TG_COUNT(spaces))]);
}

static void put_string(tg_buf *buf, tg_dice *dice, const tg_random_json *how)
{
    static const char *const plain[] = {"x",
                                        "hello",
                                        "123-45-6789",
                                        " ",
                                        "~",
                                        "gr\xc3\xbc\xc3\x9f",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "{",
                                        "]",
                                        ",",
                                        "0123456789abcdef0123456789abcdef"};
    static const char *const escapes[] = {"\\n",     "\\\"",           "\\\\",    "\\/", "\\u0041",
                                          "\\u00e9", "\\ud83d\\ude00", "\\u001f", "\\b"};
    put(buf, "\"");
    for (uint32_t left = tg_dice_roll(dice, 5); left > 0; left--) {
        if (how->has_escapes && tg_dice_roll(dice, 3) == 0) {
            put(buf, escapes[tg_dice_roll(dice, TG_COUNT(escapes))]);
        } else {
            put(buf, plain[tg_dice_roll(dice, TG_COUNT(plain))]);
        }
    }
    put(buf, "\"");
}

static void put_value(tg_buf *buf, tg_dice *dice, const tg_random_json *how, uint32_t depth);

static void put_object(tg_buf *buf, tg_dice *dice, const tg_random_json *how, uint32_t depth)
{
    static const char *const names[][2] = {{"a", "\\u0061"}, {"b", "\\u0062"},     {"c", "c"},
                                           {"d", "d"},       {"ssn", "s\\u0073n"}, {"list", "l\\u0069st"}};
    bool is_first = true;
    put(buf, "{");
    put_space(buf, dice);
    for (uint32_t i = 0; i < TG_COUNT(names); i++) {
        if (tg_dice_roll(dice, 2) == 0) {
            continue;
        }
        put(buf, is_first ? "\"" : ",\"");
        put(buf, names[i][how->has_escapes ? tg_dice_roll(dice, 2) : 0]);
        put(buf, "\"");
        put_space(buf, dice);
        put(buf, ":");
        put_value(buf, dice, how, depth + 1);
        is_first = false;
    }
    put(buf, "}");
}

static void put_array(tg_buf *buf, tg_dice *dice, const tg_random_json *how, uint32_t depth)
{
    put(buf, "[");
    put_space(buf, dice);
    for (uint32_t i = 0, len = tg_dice_roll(dice, 6); i < len; i++) {
        put(buf, i > 0 ? "," : "");
        put_value(buf, dice, how, depth + 1);
    }
    put(buf, "]");
}

static void put_value(tg_buf *buf, tg_dice *dice, const tg_random_json *how, uint32_t depth)
{
    static const char *const scalars[] = {"null", "true", "false", "0",    "-0",      "-17",
                                          "1.50", "1e3",  "4E+2",  "0.25", "-1.5e-3", "9007199254740993"};
    put_space(buf, dice);
    uint32_t kind = tg_dice_roll(dice, depth < how->max_depth ? 6 : 3);
    if (kind == 0) {
        put(buf, scalars[tg_dice_roll(dice, TG_COUNT(scalars))]);
    } else if (kind < 3) {
        put_string(buf, dice, how);
    } else if (kind < 5) {
        put_object(buf, dice, how, depth);
    } else {
        put_array(buf, dice, how, depth);
    }
    put_space(buf, dice);
}

void tg_random_json_append(tg_buf *buf, tg_dice *dice, const tg_random_json *how)
{
    put_value(buf, dice, how, 0);
}
