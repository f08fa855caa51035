/* The step of a route that seals or opens the PII values of a JSON body, in pieces between which others are served. */
#ifndef TG_GATEWAY_FIELD_STEP_H
#define TG_GATEWAY_FIELD_STEP_H

#include "fields/rewrite.h"
#include "gateway/hold.h"

typedef struct tg_field_step {
    tg_arena arena; /* of the rewrite; wiped */
    tg_rewrite *rewrite;
    bool is_planned;
} tg_field_step;

/* tg_field_step_begin begins on a body, which stays in place until tg_field_step_done.
 * err   TG_ERR_MEMORY; to be ended all the same
 */
TG_MUST_USE tg_result tg_field_step_begin(tg_field_step *step, const tg_rewrite_options *options, tg_slice body);

/* tg_field_step_run does one turn's worth.
 * in    hold: gets what the output can take counted before it is written
 * out   appended to; wiped where it takes plaintext
 * err   TG_ERR_AGAIN: more remains; TG_ERR_LIMIT: the budget; TG_ERR_SYNTAX: refused, tg_rewrite_fault says why
 */
TG_MUST_USE tg_result tg_field_step_run(tg_field_step *step, tg_field_keys *keys, tg_hold *hold, tg_buf *out);

/* tg_field_step_done wipes what it held. {0} is fine. */
void tg_field_step_done(tg_field_step *step);

#endif
