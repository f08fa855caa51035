#include "settings/setting_value.h"

#include "base/distance.h"
#include "base/num.h"
#include "base/text.h"

enum { MAX_SHOWN_BYTES = 60 };

static const char *const level_names[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const unit_names[] = {"", "port", "bytes", "bytes/s", "ms", "s"};

const char *tg_setting_unit_name(tg_setting_unit unit)
{
    return (size_t)unit < TG_COUNT(unit_names) ? unit_names[unit] : "";
}

static void *member_of(const tg_setting *setting, void *values)
{
    return (uint8_t *)values + setting->offset;
}

static const void *member_of_const(const tg_setting *setting, const void *values)
{
    return (const uint8_t *)values + setting->offset;
}

/* The value as a fault shows it, with a verb behind it: `"70000" is`; a secret's is never shown. */
typedef struct shown_value {
    char text[MAX_SHOWN_BYTES + 8];
} shown_value;

static shown_value show(const tg_setting *setting, tg_slice text)
{
    shown_value shown = {"the value"};
    if ((setting->flags & TG_SETTING_SECRET) == 0) {
        tg_slice cut = tg_slice_first(text, MAX_SHOWN_BYTES);
        bool is_cut = cut.len < text.len;
        size_t len = 0;
        shown.text[len++] = '"';
        for (size_t i = 0; i < cut.len; i++) {
            shown.text[len++] = cut.ptr[i] != 0 ? (char)cut.ptr[i] : '?';
        }
        memcpy(shown.text + len, is_cut ? "...\"" : "\"", is_cut ? 5 : 2);
    }
    return shown;
}

static tg_result refuse(const tg_setting *setting, tg_slice text, tg_code code, const char *reason, const char *form,
                        tg_detail *fault)
{
    tg_detail_set_reason(fault, "%s %s", show(setting, text).text, reason);
    const char *remedy = setting->form != NULL ? setting->form : form;
    if (remedy != NULL) {
        tg_detail_set_remedy(fault, "write %s", remedy);
    }
    return tg_fail(code);
}

static bool has_control(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static tg_result check_text(const tg_setting *setting, tg_slice text, tg_detail *fault)
{
    const char *form = setting->type == TG_SETTING_PATH ? "the path of a file" : "one line of text";
    if (text.len == 0) {
        return refuse(setting, text, TG_ERR_SYNTAX, "is empty", form, fault);
    }
    size_t max = setting->type == TG_SETTING_PATH ? TG_MAX_SETTING_TEXT - 1 : TG_MAX_SETTING_TEXT;
    if (text.len > max) {
        return refuse(setting, text, TG_ERR_RANGE, "is too long (4096 bytes at most)", form, fault);
    }
    if (has_control(text) || !tg_utf8_is_valid(text)) {
        return refuse(setting, text, TG_ERR_SYNTAX, "holds bytes that are no UTF-8 text", form, fault);
    }
    const char *wrong = setting->check != NULL ? setting->check(text) : NULL;
    return wrong != NULL ? refuse(setting, text, TG_ERR_SYNTAX, wrong, NULL, fault) : tg_ok();
}

typedef struct suffix {
    const char *text;
    uint64_t factor;
} suffix;

static const suffix byte_suffixes[] = {
    {"KiB", UINT64_C(1) << 10}, {"MiB", UINT64_C(1) << 20}, {"GiB", UINT64_C(1) << 30}, {NULL, 0}};
/* in milliseconds */
static const suffix time_suffixes[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                       {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static const char *number_form(tg_setting_unit unit)
{
    switch (unit) {
    case TG_UNIT_BYTES:
    case TG_UNIT_BYTES_PER_S:
        return "digits, as bytes or with KiB, MiB or GiB behind them";
    case TG_UNIT_MS:
        return "digits, as milliseconds or with ms, s, m, h or d behind them";
    case TG_UNIT_S:
        return "digits, as seconds or with s, m, h or d behind them";
    case TG_UNIT_PORT:
        return "a port number, 1 to 65535";
    case TG_UNIT_COUNT:
        break;
    }
    return "digits only";
}

/* number = 1*DIGIT [ *SP suffix ]; the result is in the setting's unit and must come out even. */
static tg_result parse_number(const tg_setting *setting, tg_slice text, uint64_t *out_number)
{
    size_t num_digits = 0;
    while (num_digits < text.len && tg_ascii_is_digit(text.ptr[num_digits])) {
        num_digits++;
    }
    uint64_t number;
    TG_TRY(tg_num_parse_u64(tg_slice_first(text, num_digits), UINT64_MAX, &number));
    tg_slice behind = tg_slice_trim(tg_slice_from(text, num_digits), " ");
    uint64_t divisor = setting->unit == TG_UNIT_S ? 1000 : 1;
    if (behind.len > 0) {
        bool is_bytes = setting->unit == TG_UNIT_BYTES || setting->unit == TG_UNIT_BYTES_PER_S;
        bool is_time = setting->unit == TG_UNIT_MS || setting->unit == TG_UNIT_S;
        const suffix *each = is_bytes ? byte_suffixes : is_time ? time_suffixes : NULL;
        while (each != NULL && each->text != NULL && !tg_slice_equal(behind, tg_slice_str(each->text))) {
            each++;
        }
        if (each == NULL || each->text == NULL) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        if (__builtin_mul_overflow(number, each->factor, &number)) {
            return tg_fail(TG_ERR_RANGE);
        }
        if (number % divisor != 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        number /= divisor;
    }
    *out_number = number;
    return number >= setting->min && number <= setting->max ? tg_ok() : tg_fail(TG_ERR_RANGE);
}

static tg_result store_number(const tg_setting *setting, tg_slice text, void *values, tg_detail *fault)
{
    uint64_t number = 0;
    tg_result result = parse_number(setting, text, &number);
    if (result.code == TG_ERR_RANGE) {
        const char *unit = setting->unit == TG_UNIT_PORT ? "" : tg_setting_unit_name(setting->unit);
        tg_detail_set_reason(fault, "%s is out of range", show(setting, text).text);
        tg_detail_set_remedy(fault, "%llu to %llu%s%s are allowed", (unsigned long long)setting->min,
                             (unsigned long long)setting->max, *unit != 0 ? " " : "", unit);
        return result;
    }
    if (!tg_is_ok(result)) {
        return refuse(setting, text, result.code, "is not such a number", number_form(setting->unit), fault);
    }
    memcpy(member_of(setting, values), &number, sizeof number);
    return tg_ok();
}

static tg_result store_bool(const tg_setting *setting, tg_slice text, void *values, tg_detail *fault)
{
    bool is_true = tg_text_equal_nocase(text, TG_LIT("true")) || tg_slice_equal(text, TG_LIT("1"));
    bool is_false = tg_text_equal_nocase(text, TG_LIT("false")) || tg_slice_equal(text, TG_LIT("0"));
    if (!is_true && !is_false) {
        return refuse(setting, text, TG_ERR_SYNTAX, "is neither true nor false", "true or false", fault);
    }
    memcpy(member_of(setting, values), &is_true, sizeof is_true);
    return tg_ok();
}

static tg_result store_choice(const tg_setting *setting, const char *const *choices, tg_slice text, void *values,
                              tg_detail *fault)
{
    tg_log_level level;
    for (size_t i = 0; setting->type == TG_SETTING_CHOICE && choices[i] != NULL; i++) {
        if (tg_slice_equal(text, tg_slice_str(choices[i]))) {
            memcpy(member_of(setting, values), &i, sizeof i);
            return tg_ok();
        }
    }
    if (setting->type == TG_SETTING_LEVEL && tg_is_ok(tg_log_parse_level(text, &level))) {
        memcpy(member_of(setting, values), &level, sizeof level);
        return tg_ok();
    }
    char form[160];
    tg_buf buf;
    tg_buf_init(&buf, sizeof form - 1);
    for (size_t i = 0; choices[i] != NULL; i++) {
        const char *before = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
        if (!tg_is_ok(tg_buf_printf(&buf, "%s%s", before, choices[i]))) {
            break;
        }
    }
    tg_slice listed = tg_buf_slice(&buf);
    if (listed.ptr != NULL) {
        memcpy(form, listed.ptr, listed.len);
    }
    form[listed.len] = 0;
    tg_buf_done(&buf);
    return refuse(setting, text, TG_ERR_SYNTAX, "is no such value", form, fault);
}

static tg_result store_text(const tg_setting *setting, tg_slice text, tg_arena *arena, void *values, tg_detail *fault)
{
    TG_TRY(check_text(setting, text, fault));
    tg_slice copy;
    TG_TRY(tg_arena_copy(arena, text, &copy));
    const char *stored = (const char *)copy.ptr;
    memcpy(member_of(setting, values), &stored, sizeof stored);
    return tg_ok();
}

tg_result tg_setting_parse_list(const tg_setting *setting, const tg_slice *items, size_t num_items, tg_arena *arena,
                                void *values, tg_detail *fault)
{
    if (num_items == 0) {
        tg_detail_set_reason(fault, "the list is empty");
        tg_detail_set_remedy(fault, "name at least one, or leave the setting out");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (num_items > TG_MAX_SETTING_ITEMS) {
        tg_detail_set_reason(fault, "the list has more than %d items", TG_MAX_SETTING_ITEMS);
        return tg_fail(TG_ERR_RANGE);
    }
    for (size_t i = 0; i < num_items; i++) {
        TG_TRY(check_text(setting, items[i], fault));
    }
    const char **copies = tg_arena_zalloc(arena, num_items, sizeof *copies);
    if (copies == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < num_items; i++) {
        tg_slice copy;
        TG_TRY(tg_arena_copy(arena, items[i], &copy));
        copies[i] = (const char *)copy.ptr;
    }
    tg_setting_list list = {copies, num_items};
    memcpy(member_of(setting, values), &list, sizeof list);
    return tg_ok();
}

/* list = item *( "," item ), blanks around an item do not count */
static tg_result store_list(const tg_setting *setting, tg_slice text, tg_arena *arena, void *values, tg_detail *fault)
{
    tg_slice items[TG_MAX_SETTING_ITEMS + 1];
    size_t num_items = 0;
    for (tg_slice rest = text; num_items < TG_COUNT(items) && rest.ptr != NULL;) {
        items[num_items++] = tg_slice_trim(tg_slice_split(&rest, ','), " \t");
    }
    return tg_setting_parse_list(setting, items, num_items, arena, values, fault);
}

tg_result tg_setting_parse(const tg_setting *setting, tg_slice text, tg_arena *arena, void *values, tg_detail *fault)
{
    switch (setting->type) {
    case TG_SETTING_TEXT:
    case TG_SETTING_PATH:
        return store_text(setting, text, arena, values, fault);
    case TG_SETTING_BOOL:
        return store_bool(setting, text, values, fault);
    case TG_SETTING_NUMBER:
        return store_number(setting, text, values, fault);
    case TG_SETTING_LEVEL:
        return store_choice(setting, level_names, text, values, fault);
    case TG_SETTING_CHOICE:
        return store_choice(setting, setting->choices, text, values, fault);
    case TG_SETTING_LIST:
        return store_list(setting, text, arena, values, fault);
    case TG_SETTING_NOT_IN_USE:
        break;
    }
    tg_detail_set_reason(fault, "has no effect in this program: it belongs to %s", setting->effect);
    tg_detail_set_remedy(fault, "remove it, so that nobody takes it for being in force");
    return tg_fail(TG_ERR_UNSUPPORTED);
}

bool tg_setting_is_unset(const tg_setting *setting, const void *values)
{
    const void *member = member_of_const(setting, values);
    const char *text = NULL;
    tg_setting_list list = {NULL, 0};
    if (setting->type == TG_SETTING_TEXT || setting->type == TG_SETTING_PATH) {
        memcpy(&text, member, sizeof text);
        return text == NULL;
    }
    if (setting->type == TG_SETTING_LIST) {
        memcpy(&list, member, sizeof list);
        return list.num_items == 0;
    }
    return setting->type == TG_SETTING_NOT_IN_USE;
}

static const char *choice_name(const tg_setting *setting, const void *member)
{
    if (setting->type == TG_SETTING_LEVEL) {
        tg_log_level level;
        memcpy(&level, member, sizeof level);
        return level_names[level];
    }
    size_t index;
    memcpy(&index, member, sizeof index);
    return setting->choices[index];
}

static tg_result append_list(const tg_setting_list *list, bool is_json, tg_buf *buf)
{
    for (size_t i = 0; i < list->num_items; i++) {
        TG_TRY(i > 0 ? tg_buf_append_str(buf, is_json ? "," : ", ") : tg_ok());
        tg_slice item = tg_slice_str(list->items[i]);
        TG_TRY(is_json ? tg_json_append_string(buf, item) : tg_text_append_printable(buf, item, SIZE_MAX));
    }
    return tg_ok();
}

static tg_result append_value(const tg_setting *setting, const void *member, bool is_json, tg_buf *buf)
{
    const char *text;
    uint64_t number;
    bool flag;
    tg_setting_list list;
    switch (setting->type) {
    case TG_SETTING_TEXT:
    case TG_SETTING_PATH:
        memcpy(&text, member, sizeof text);
        return is_json ? tg_json_append_string(buf, tg_slice_str(text))
                       : tg_text_append_printable(buf, tg_slice_str(text), SIZE_MAX);
    case TG_SETTING_BOOL:
        memcpy(&flag, member, sizeof flag);
        return tg_buf_append_str(buf, flag ? "true" : "false");
    case TG_SETTING_NUMBER:
        memcpy(&number, member, sizeof number);
        TG_TRY(tg_buf_append_u64(buf, number));
        if (is_json || setting->unit == TG_UNIT_COUNT || setting->unit == TG_UNIT_PORT) {
            return tg_ok();
        }
        return tg_buf_printf(buf, " %s", tg_setting_unit_name(setting->unit));
    case TG_SETTING_LEVEL:
    case TG_SETTING_CHOICE:
        return is_json ? tg_json_append_string(buf, tg_slice_str(choice_name(setting, member)))
                       : tg_buf_append_str(buf, choice_name(setting, member));
    case TG_SETTING_LIST:
        memcpy(&list, member, sizeof list);
        TG_TRY(is_json ? tg_buf_append_byte(buf, '[') : tg_ok());
        TG_TRY(append_list(&list, is_json, buf));
        return is_json ? tg_buf_append_byte(buf, ']') : tg_ok();
    case TG_SETTING_NOT_IN_USE:
        break;
    }
    return tg_ok();
}

tg_result tg_setting_append(const tg_setting *setting, const void *values, tg_buf *buf)
{
    if (tg_setting_is_unset(setting, values)) {
        return tg_buf_append_byte(buf, '-');
    }
    if ((setting->flags & TG_SETTING_SECRET) != 0) {
        return tg_buf_append_str(buf, "(secret)");
    }
    return append_value(setting, member_of_const(setting, values), false, buf);
}

tg_result tg_setting_append_json(const tg_setting *setting, const void *values, tg_buf *buf)
{
    if (tg_setting_is_unset(setting, values)) {
        return tg_buf_append_str(buf, "null");
    }
    if ((setting->flags & TG_SETTING_SECRET) != 0) {
        return tg_buf_append_str(buf, "\"(secret)\"");
    }
    return append_value(setting, member_of_const(setting, values), true, buf);
}
