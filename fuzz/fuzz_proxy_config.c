// room: proxy settings
// A configuration that is taken is printed as one that is taken again. Behind a NUL stands an allowlist.
#include "proxy/allowlist.h"
#include "proxy/config.h"
#include "settings/json_lines.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_read(const tg_proxy_config *config)
{
    tg_buf text;
    tg_faults faults;
    tg_proxy_config *again = NULL;
    tg_buf_init(&text, TG_MAX_CONFIG_BYTES);
    tg_faults_init(&faults);
    tg_result printed = tg_proxy_config_append(config, &text);
    if (tg_is_ok(printed) &&
        !tg_is_ok(tg_proxy_config_parse("again.json", tg_buf_slice(&text), NULL, &faults, &again))) {
        abort();
    }
    tg_proxy_config_unref(again);
    tg_faults_done(&faults);
    tg_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice rest = tg_slice_of(data, size);
    tg_slice json = tg_slice_split(&rest, 0);
    if (json.len > 0 && json.len < 32768 && memmem(json.ptr, json.len, "allowlist", 9) == NULL) {
        tg_faults faults;
        tg_proxy_config *config = NULL;
        tg_faults_init(&faults);
        if (tg_is_ok(tg_proxy_config_parse("fuzz.json", json, NULL, &faults, &config))) {
            print_and_read(config);
        } else if (faults.num_faults == 0) {
            abort();
        }
        tg_proxy_config_unref(config);
        tg_faults_done(&faults);
    }
    (void)tg_json_line_of(json, TG_LIT("/domains/a~1b/egress/1"));
    if (rest.len > 0 && rest.len < 32768) {
        tg_arena arena;
        tg_faults faults;
        tg_egress_rules rules;
        tg_arena_init(&arena, 1 << 20, false);
        tg_faults_init(&faults);
        if (tg_allowlist_parse("fuzz.yaml", rest, &arena, &faults, &rules).code == TG_ERR_SYNTAX &&
            faults.num_faults == 0) {
            abort();
        }
        tg_faults_done(&faults);
        tg_arena_done(&arena);
    }
    return 0;
}
