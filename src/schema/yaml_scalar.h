/* What a plain YAML scalar means: YAML 1.2.2 §10.3.2, the core schema. */
#ifndef TG_SCHEMA_YAML_SCALAR_H
#define TG_SCHEMA_YAML_SCALAR_H

#include "schema/document.h"

/* tg_yaml_resolve_plain types plain text: null, boolean, number (whose value is given) or, for all else, TG_DOC_TEXT.
 * `yes`, `on`, `017`, `1_000` and `1:30` are text, 017 being the number 17.
 */
TG_FOREIGN tg_doc_item tg_yaml_resolve_plain(tg_slice text);

#endif
