/* On which line of a JSON text a value stands: the parsed tree does not tell, and people look for lines. */
#ifndef TG_SETTINGS_JSON_LINES_H
#define TG_SETTINGS_JSON_LINES_H

#include "base/result.h"
#include "base/slice.h"

/* tg_json_line_of gives the line (from 1) on which the value that a JSON pointer (RFC 6901) names begins: for a member,
 * where its key stands. Where the pointer goes further than the text, the line of the last value that is there.
 * in    json: a text that a JSON parser has accepted; of any other text only this is promised, that no byte outside it
 *       is read and that the time is linear in its length for each token of the pointer
 */
TG_FOREIGN unsigned tg_json_line_of(tg_slice json, tg_slice pointer);

#endif
