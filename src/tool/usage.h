/* Help text, made from the command tables. */
#ifndef TG_TOOL_USAGE_H
#define TG_TOOL_USAGE_H

#include "base/buf.h"
#include "tool/options.h"

/* tg_usage_append writes the whole help of the invocation's command: synopsis, description, commands, options,
 * examples. tg_usage_append_synopsis writes its first line alone.
 */
TG_MUST_USE tg_result tg_usage_append(const tg_invocation *invocation, tg_buf *buf);
TG_MUST_USE tg_result tg_usage_append_synopsis(const tg_invocation *invocation, tg_buf *buf);

#endif
