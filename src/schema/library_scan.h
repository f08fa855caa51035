/* The walk over a whole document that finds what must not be overlooked wherever it stands: `x-pii` in any spelling,
 * references, `$id`s and anchors. Values that are data (`example`, `enum`, ...) are left out. Private to library.c. */
#ifndef TG_SCHEMA_LIBRARY_SCAN_H
#define TG_SCHEMA_LIBRARY_SCAN_H

#include "schema/library.h"

/* tg_library_scan fills the document's marks, refs and ids and the library's resources and anchors.
 * err   TG_ERR_SYNTAX (an `x-pii` that is no boolean or misspelt, a `$ref` that is no text), TG_ERR_EXISTS (an `$id`
 *       or anchor twice), with detail
 */
TG_MUST_USE tg_result tg_library_scan(tg_library *library, uint32_t index, tg_detail *detail);

/* tg_library_add_resource enters an address. err: TG_ERR_EXISTS */
TG_MUST_USE tg_result tg_library_add_resource(tg_library *library, tg_slice address, tg_place place,
                                              uint32_t *out_resource);
/* tg_library_resource_of is the resource whose part a node is: of the nearest `$id` above it, or of the document. */
uint32_t tg_library_resource_of(const tg_library *library, tg_place place);

#endif
