/* A small strict reader of the XML that S3 and STS answer: elements and text. No document type, no entity but XML's own
 * five, no comment, no processing instruction, no CDATA: AWS writes none, and whoever else does is refused. */
#ifndef TG_AWS_XML_H
#define TG_AWS_XML_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_AWS_XML_MAX_DEPTH = 8, TG_AWS_XML_MAX_PATH_BYTES = 256, TG_AWS_XML_MAX_TEXT_BYTES = 8192 };

/* Told of each element's end, in the order of the text.
 * in    path: the names from the root on, "ListBucketResult/Contents/Key"
 *       is_leaf: it held no element; text: what it held, entities resolved (UTF-8), blanks kept
 *       both live until it returns
 * out   anything but TG_OK ends the reading with that result
 */
typedef tg_result tg_aws_xml_fn(tg_slice path, bool is_leaf, tg_slice text, void *owner);

/* tg_aws_xml_read reads one document, whole. Attributes are read and left out; names keep their prefix.
 * err   TG_ERR_SYNTAX: not well-formed, not UTF-8, text beside elements; TG_ERR_UNSUPPORTED: what the reader does not
 *       take (see above); TG_ERR_LIMIT: past one of the bounds; what `on_element` returned
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_xml_read(tg_slice xml, tg_aws_xml_fn *on_element, void *owner);

#endif
