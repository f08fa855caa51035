/* AWS as a command asks it: one call after the other, each waited for. Credentials and endpoints are found as AWS's own
 * programs find them. */
#ifndef TG_TOOL_AWS_SESSION_H
#define TG_TOOL_AWS_SESSION_H

#include "aws/call.h"

typedef struct tg_aws_session tg_aws_session;

/* tg_aws_session_open readies one; nothing is asked.
 * in    region: empty: AWS_REGION, AWS_DEFAULT_REGION
 * err   those of tg_aws_access_new, with detail; TG_ERR_MEMORY, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_aws_session_open(tg_slice region, tg_aws_session **out_session, tg_detail *detail);
void tg_aws_session_close(tg_aws_session *session);

/* tg_aws_session_call asks and waits.
 * in    body: the operation's JSON object; the caller's reference stays its own
 * out   *out_answer: the caller's
 * err   TG_ERR_NOT_FOUND, TG_ERR_EXISTS: where AWS says so; TG_ERR_DENIED: any other refusal; why there is no answer.
 *       The detail holds AWS's code, message and request id
 */
TG_MUST_USE tg_result tg_aws_session_call(tg_aws_session *session, tg_aws_service service, const char *operation,
                                          const json_t *body, json_t **out_answer, tg_detail *detail);

#endif
