/* On which line of a JSON text a member begins: the parsed tree does not tell. */
#ifndef TG_SETTINGS_MEMBER_LINES_H
#define TG_SETTINGS_MEMBER_LINES_H

#include "base/result.h"
#include "base/slice.h"

/* tg_member_line gives the line (from 1) on which the top-level object of `json` names the member `name`, the last
 * time if it does so twice; 0 where it does not, or spells it with escapes.
 */
TG_FOREIGN unsigned tg_member_line(tg_slice json, tg_slice name);

#endif
