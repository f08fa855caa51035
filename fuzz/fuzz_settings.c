// room: settings
/* Up to the first NUL the input is a settings file; behind it, an environment of NUL-ended variables. */
#include "settings/member_lines.h"
#include "settings/settings_file.h"
#include "settings/settings_print.h"

#include <assert.h>
#include <stdlib.h>

typedef struct values {
    const char *text;
    const char *secret;
    bool flag;
    uint64_t seconds, bytes;
    tg_log_level level;
    size_t colour;
    tg_setting_list list;
} values;

static const char *check_no_x(tg_slice text)
{
    return tg_slice_find(text, 'x') < text.len ? "holds an x" : NULL;
}

static const char *const colours[] = {"red", "green", NULL};
static const tg_setting table[] = {
    {.name = "TEXT", .type = TG_SETTING_TEXT, .offset = TG_SETTING_AT(values, text, const char *), .effect = "text"},
    {.name = "SECRET",
     .type = TG_SETTING_TEXT,
     .offset = TG_SETTING_AT(values, secret, const char *),
     .flags = TG_SETTING_SECRET,
     .effect = "secret"},
    {.name = "FLAG", .type = TG_SETTING_BOOL, .offset = TG_SETTING_AT(values, flag, bool), .effect = "flag"},
    {.name = "SECS",
     .type = TG_SETTING_NUMBER,
     .unit = TG_UNIT_S,
     .fallback = "5",
     .min = 1,
     .max = 86400,
     .offset = TG_SETTING_AT(values, seconds, uint64_t),
     .effect = "time"},
    {.name = "BYTES",
     .type = TG_SETTING_NUMBER,
     .unit = TG_UNIT_BYTES,
     .min = 0,
     .max = UINT64_MAX,
     .offset = TG_SETTING_AT(values, bytes, uint64_t),
     .effect = "bytes"},
    {.name = "LEVEL",
     .type = TG_SETTING_LEVEL,
     .offset = TG_SETTING_AT(values, level, tg_log_level),
     .effect = "level"},
    {.name = "COLOUR",
     .type = TG_SETTING_CHOICE,
     .choices = colours,
     .offset = TG_SETTING_AT(values, colour, size_t),
     .effect = "colour"},
    {.name = "LIST",
     .type = TG_SETTING_LIST,
     .offset = TG_SETTING_AT(values, list, tg_setting_list),
     .flags = TG_SETTING_MEASURED,
     .check = check_no_x,
     .effect = "list"},
    {.name = "LATER", .type = TG_SETTING_NOT_IN_USE, .effect = "later"},
};

/* One value read by itself, for each row: what is refused says why and changes nothing. */
static void check_rows(tg_slice text)
{
    tg_arena arena;
    tg_arena_init(&arena, (size_t)1 << 20, false);
    for (size_t i = 0; i < TG_COUNT(table); i++) {
        values held = {0}, untouched = {0};
        tg_detail fault = {0};
        const tg_slice items[] = {text, text};
        if (table[i].type == TG_SETTING_NOT_IN_USE) {
            continue;
        }
        tg_result result = table[i].type == TG_SETTING_LIST
                               ? tg_setting_parse_list(&table[i], items, 2, &arena, &held, &fault)
                               : tg_setting_parse(&table[i], text, &arena, &held, &fault);
        assert(tg_is_ok(result) || memcmp(&held, &untouched, sizeof held) == 0);
        assert(tg_is_ok(result) || result.code == TG_ERR_MEMORY || fault.reason[0] != 0);
    }
    tg_arena_done(&arena);
}

static void check_values(const values *held)
{
    assert(held->seconds >= 1 && held->seconds <= 86400);
    assert(held->colour < 2 && held->level <= TG_LOG_OFF);
    for (size_t i = 0; i < held->list.num_items; i++) {
        assert(check_no_x(tg_slice_str(held->list.items[i])) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX_VARIABLES = 32 };
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = 0;
    size_t json_len = strlen(copy);
    const char *environment[MAX_VARIABLES + 1];
    size_t num_variables = 0;
    for (size_t at = json_len + 1; at < size && num_variables < MAX_VARIABLES; at += strlen(copy + at) + 1) {
        environment[num_variables++] = copy + at;
    }
    environment[num_variables] = NULL;

    check_rows(tg_slice_of(copy, json_len));
    values held = {0};
    tg_settings settings;
    tg_faults faults;
    tg_faults_init(&faults);
    if (tg_is_ok(tg_settings_init(&settings, table, TG_COUNT(table), &held))) {
        bool is_whole = tg_is_ok(tg_settings_read_json(&settings, "c", tg_slice_of(copy, json_len), &faults)) &&
                        tg_is_ok(tg_settings_read_environment(&settings, environment, &faults));
        check_values(&held);
        tg_buf out;
        tg_buf_init(&out, 8 << 20);
        is_whole = is_whole && tg_is_ok(tg_settings_append_json(&settings, &out)) &&
                   tg_is_ok(tg_settings_append_table(&settings, &out)) && tg_is_ok(tg_faults_append(&faults, &out));
        assert(is_whole);
        assert(tg_member_line(tg_slice_of(copy, json_len), TG_LIT("TEXT")) <= json_len + 1);
        tg_buf_done(&out);
        tg_settings_done(&settings);
    }
    tg_faults_done(&faults);
    free(copy);
    return 0;
}
