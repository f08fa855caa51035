/* The allowlist of AWS's vsock-proxy (`allowlist: [{address, port}]`, YAML), read as egress rules. */
#ifndef TG_PROXY_ALLOWLIST_H
#define TG_PROXY_ALLOWLIST_H

#include "proxy/egress_rules.h"

enum { TG_MAX_ALLOWLIST_BYTES = 1 << 20, TG_MAX_ALLOWLIST_ENTRIES = 1024 };

/* tg_allowlist_parse reads the text; every fault has its line.
 * out   rules in the arena; an empty list allows nothing
 * err   TG_ERR_SYNTAX with faults, TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_allowlist_parse(const char *path, tg_slice yaml, tg_arena *arena, tg_faults *faults,
                                                    tg_egress_rules *out_rules);
/* tg_allowlist_read reads the file at `path`; one that cannot be read is a fault too. */
TG_MUST_USE tg_result tg_allowlist_read(const char *path, tg_arena *arena, tg_faults *faults,
                                        tg_egress_rules *out_rules);

#endif
