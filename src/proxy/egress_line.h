/* What an enclave says first on the egress port: `host:port` and a newline. */
#ifndef TG_PROXY_EGRESS_LINE_H
#define TG_PROXY_EGRESS_LINE_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_MAX_EGRESS_LINE_BYTES = 4096 }; /* with its newline */

typedef struct tg_egress_target {
    tg_slice host; /* a name, with its root's dot where one was sent, or an IP address without brackets */
    uint16_t port;
    bool is_literal; /* an IP address in its standard form */
    size_t line_len; /* bytes of the line; what stands behind them is the connection's first data */
} tg_egress_target;

/* tg_egress_line_read reads the line.
 * in    input: every byte since the connection began
 * out   *out_target, whose slices live as long as the input
 * err   TG_ERR_AGAIN: the newline has not come; TG_ERR_LIMIT: nor will it within TG_MAX_EGRESS_LINE_BYTES;
 *       TG_ERR_SYNTAX: another grammar (a CR too); TG_ERR_RANGE: a port outside 1 to 65535. A byte that no line holds
 *       is refused before the newline comes.
 */
TG_FOREIGN TG_MUST_USE tg_result tg_egress_line_read(tg_slice input, tg_egress_target *out_target);

#endif
