/* Where an enclave may connect to through the host. A list of rules is what is allowed; no list allows every public
 * address. A rule is one of
 *
 *   host:port, host        this name or address; a private or shared address too, where the name resolves to one
 *   *.domain:port, *:port  any name below it (any name at all): public addresses
 *   CIDR, CIDR:port        the block's public addresses and those of the class that its first address has; a single
 *                          address, whatever it is (the host's own and metadata services only so); with a port,
 *                          IPv6 stands in brackets: [fd00::/8]:443
 *
 * so that a name which others control never opens what the host alone can reach. */
#ifndef TG_PROXY_EGRESS_RULES_H
#define TG_PROXY_EGRESS_RULES_H

#include "base/arena.h"
#include "base/detail.h"
#include "proxy/ip_class.h"

typedef enum tg_egress_rule_kind { TG_RULE_HOST, TG_RULE_WILDCARD, TG_RULE_CIDR } tg_egress_rule_kind;

typedef struct tg_egress_rule {
    tg_egress_rule_kind kind;
    uint16_t port; /* 0: any */
    tg_slice name; /* host: lower case, no dot at its end; wildcard: what must follow the `*` (".domain"), or empty */
    tg_cidr cidr;
    tg_slice text; /* as it was written */
} tg_egress_rule;

typedef struct tg_egress_rules {
    const tg_egress_rule *rules; /* NULL: there is no list */
    size_t num_rules;
} tg_egress_rules;

/* tg_egress_rule_parse reads one rule.
 * keep  out_rule's slices live in the arena
 * err   TG_ERR_SYNTAX, TG_ERR_RANGE, TG_ERR_MISMATCH with detail's reason and remedy; TG_ERR_MEMORY, TG_ERR_LIMIT
 */
TG_FOREIGN TG_MUST_USE tg_result tg_egress_rule_parse(tg_slice text, tg_arena *arena, tg_egress_rule *out_rule,
                                                      tg_detail *detail);

/* tg_egress_may_name says whether some address of `host` could be allowed on `port`: what it refuses need not be
 * resolved.
 */
bool tg_egress_may_name(const tg_egress_rules *rules, tg_slice host, uint16_t port);

/* tg_egress_check decides on one resolved address.
 * in    host as it was asked for, any case; address of 4 or 16 bytes; class: its own, TG_IP_OWN where it is the host's
 * out   the text of the rule that allows it ("public" where there is no list), or, on refusal, what refused: the
 *       address's class, or "no_rule"; lives as long as the rules
 */
bool tg_egress_check(const tg_egress_rules *rules, tg_slice host, uint16_t port, tg_slice address, tg_ip_class class,
                     tg_slice *out_reason);

#endif
