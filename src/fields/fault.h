/* Why a document is refused: what the caller is told, without any of the document's values. */
#ifndef TG_FIELDS_FAULT_H
#define TG_FIELDS_FAULT_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>

/* The names of the API's error codes (tg_fault_name). */
typedef enum tg_fault_kind {
    TG_FAULT_NONE = 0,
    TG_FAULT_BAD_REQUEST,         /* 400: no JSON, a payload wrapper with siblings, a lone surrogate where PII stands */
    TG_FAULT_SCHEMA_MISMATCH,     /* 400 */
    TG_FAULT_NOT_A_TOKEN,         /* 400 */
    TG_FAULT_BAD_TOKEN,           /* 400: no key opens it, or what it held cannot stand there */
    TG_FAULT_PAYLOAD_TOO_LARGE,   /* 413: too many fields, or the output's bound */
    TG_FAULT_SERVICE_UNAVAILABLE, /* 503: memory */
    TG_FAULT_INTERNAL_ERROR       /* 500: the cipher library failed */
} tg_fault_kind;

enum { TG_MAX_POINTER_BYTES = 255 };

typedef struct tg_fault {
    tg_fault_kind kind;
    const char *message; /* a fixed English sentence */
    size_t offset;       /* in the body, of the byte or value that is refused */
    /* Where has_pointer: the JSON pointer (RFC 6901) of the value, UTF-8, NUL-terminated. "" is the whole document. One
     * that is too long is cut at a character and ends in `...`. Its member names are the client's own bytes: for the
     * answer, not for a log. */
    bool has_pointer;
    char pointer[TG_MAX_POINTER_BYTES + 1];
} tg_fault;

/* tg_fault_name is the API's code: `bad_request`, `schema_mismatch`, ... Static storage. */
const char *tg_fault_name(tg_fault_kind kind);
/* tg_fault_status is its HTTP status. */
unsigned tg_fault_status(tg_fault_kind kind);

#endif
