/* Binary HTTP (RFC 9292): requests and responses of known and of indeterminate length, whole in memory. */
#ifndef TG_ENVELOPE_BHTTP_H
#define TG_ENVELOPE_BHTTP_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    TG_MAX_BHTTP_FIELDS = 100,         /* of one section */
    TG_MAX_BHTTP_INFORMATIONAL = 8,    /* 1xx responses before the final one; they are checked and dropped */
    TG_MAX_BHTTP_SECTION_BYTES = 65536 /* names and values of one section */
};

typedef enum tg_bhttp_form { TG_BHTTP_KNOWN_LENGTH, TG_BHTTP_INDETERMINATE_LENGTH } tg_bhttp_form;

typedef struct tg_bhttp_field {
    tg_slice name, value; /* a token, in the case that it came in; a field value without blanks at its ends */
} tg_bhttp_field;

typedef struct tg_bhttp_section {
    const tg_bhttp_field *fields;
    size_t num_fields;
} tg_bhttp_section;

typedef struct tg_bhttp {
    bool is_request;
    tg_slice method, scheme, authority, path; /* of a request; the authority may be empty */
    unsigned status;                          /* of a response: 200 to 599 */
    tg_bhttp_section header;
    tg_slice content;
    tg_bhttp_section trailer;
} tg_bhttp;

/* tg_bhttp_parse reads one message of either form, with what may be left out at its end (§3.8), and padding.
 * in    arena: takes the fields and content that came in several chunks; its memory and `message` must live while
 *       *out_message is used
 * err   TG_ERR_TRUNCATED: ends inside a part; TG_ERR_SYNTAX: a framing, a name, a value or padding that is none;
 *       TG_ERR_UNSUPPORTED: a pseudo-field; TG_ERR_LIMIT: one of the limits above; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_bhttp_parse(tg_slice message, tg_arena *arena, tg_bhttp *out_message);

/* tg_bhttp_find gives the value of the first field of that name, in any case; ptr NULL where there is none. */
tg_slice tg_bhttp_find(const tg_bhttp_section *section, tg_slice name);

/* tg_bhttp_append writes a message; the content as one chunk. err: those of tg_buf_append */
TG_MUST_USE tg_result tg_bhttp_append(const tg_bhttp *message, tg_bhttp_form form, tg_buf *out);

#endif
