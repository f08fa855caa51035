// room: proxy
// A line that is taken is taken the same byte by byte; a rule that is taken matches what it names.
#include "proxy/egress_line.h"
#include "proxy/egress_rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice input = tg_slice_of(data, size);
    tg_egress_target target, early;
    tg_result read = tg_egress_line_read(input, &target);
    for (size_t len = 0; len < size && len < 64; len++) {
        tg_result part = tg_egress_line_read(tg_slice_first(input, len), &early);
        if (part.code != TG_ERR_AGAIN && part.code != read.code) {
            abort();
        }
    }
    if (tg_is_ok(read) && (target.port == 0 || target.line_len > size || data[target.line_len - 1] != '\n')) {
        abort();
    }
    tg_arena arena;
    tg_arena_init(&arena, 4096, false);
    tg_egress_rule rule;
    tg_slice line = input;
    line = tg_slice_split(&line, '\n');
    if (tg_is_ok(tg_egress_rule_parse(line, &arena, &rule, NULL))) {
        tg_egress_rules rules = {&rule, 1};
        tg_slice reason;
        if (rule.kind == TG_RULE_HOST &&
            !tg_egress_check(&rules, rule.name, rule.port, TG_LIT("\x01\x01\x01\x01"), TG_IP_PUBLIC, &reason)) {
            abort();
        }
    }
    tg_cidr cidr;
    if (tg_is_ok(tg_cidr_parse(line, &cidr)) && !tg_cidr_holds(&cidr, tg_slice_of(cidr.bytes, cidr.len))) {
        abort();
    }
    uint8_t address[16];
    size_t len;
    if (tg_is_ok(tg_ip_parse(line, address, &len)) && len != 4 && len != 16) {
        abort();
    }
    tg_arena_done(&arena);
    return 0;
}
