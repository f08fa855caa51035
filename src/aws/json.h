/* The JSON of AWS's answers: one object, read strictly by jansson. What holds secrets is wiped when freed, once
 * tg_aws_json_wipe was called. */
#ifndef TG_AWS_JSON_H
#define TG_AWS_JSON_H

#include "base/buf.h"

#include <jansson.h>

/* tg_aws_json_wipe has jansson wipe each block that it frees, for the whole process. Blocks that it made before may be
 * freed after. thread: main, before any other starts
 */
void tg_aws_json_wipe(void);

/* tg_aws_json_parse reads one object; a member may not stand twice.
 * err   TG_ERR_SYNTAX: no object, not JSON, not UTF-8, bytes behind it; TG_ERR_MEMORY
 * keep  the caller ends *out_object with json_decref
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_json_parse(tg_slice text, json_t **out_object);

/* tg_aws_json_text gives a member that is a string; the slice lives as long as the object. False where there is none.
 * tg_aws_json_bytes appends what a member of padded base64 holds.
 * err   TG_ERR_NOT_FOUND: there is none; TG_ERR_SYNTAX: no string, or no base64; tg_buf's
 */
bool tg_aws_json_text(const json_t *object, const char *name, tg_slice *out_text);
TG_MUST_USE tg_result tg_aws_json_bytes(const json_t *object, const char *name, tg_buf *buf);

/* tg_aws_json_append_bytes appends `"NAME":"BASE64"`, tg_aws_json_append_text `"NAME":"TEXT"`; a comma before it unless
 * the buffer ends with an opening brace. */
TG_MUST_USE tg_result tg_aws_json_append_bytes(tg_buf *buf, const char *name, tg_slice bytes);
TG_MUST_USE tg_result tg_aws_json_append_text(tg_buf *buf, const char *name, tg_slice text);

#endif
