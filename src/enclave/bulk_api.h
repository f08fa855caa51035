/* NDJSON on /encrypt and /decrypt: lines are rewritten and answered while others come, so that neither side ever holds
 * more than a few. The answer is 200 from its first line on: a line that is refused says so in its own place
 * (fields/ndjson.h). Where the client does not read, nothing is read from it. */
#ifndef TG_ENCLAVE_BULK_API_H
#define TG_ENCLAVE_BULK_API_H

#include "fields/ndjson.h"
#include "http/server.h"

/* What one stream holds at most, besides what waits in the connection: a line, and what it becomes. */
enum { TG_BULK_LINE_BYTES = 1 << 20, TG_BULK_BUDGET_BYTES = 2 * TG_BULK_LINE_BYTES };

typedef enum tg_bulk_state {
    TG_BULK_GOES_ON,
    TG_BULK_ENDED, /* all is queued: the answer is to be ended */
    TG_BULK_BROKEN /* it cannot go on: the answer is to be aborted */
} tg_bulk_state;

typedef struct tg_bulk {
    tg_http_request *request;
    tg_field_keys *keys;
    tg_ndjson ndjson;
    tg_buf out; /* what finds no room in the answer's queue yet */
    bool is_begun;
    bool is_body_over;
} tg_bulk;

/* tg_bulk_is_asked says whether a Content-Type is application/x-ndjson (in UTF-8). */
TG_FOREIGN bool tg_bulk_is_asked(tg_slice content_type);

/* tg_bulk_init begins in on_head, and asks for the body in pieces. keys: the same ring to the end */
void tg_bulk_init(tg_bulk *bulk, tg_http_request *request, const tg_rewrite_options *options, tg_field_keys *keys);
void tg_bulk_done(tg_bulk *bulk);

/* tg_bulk_take is for on_body, tg_bulk_end for on_request, tg_bulk_write for on_writable. */
TG_MUST_USE tg_bulk_state tg_bulk_take(tg_bulk *bulk, tg_slice piece);
TG_MUST_USE tg_bulk_state tg_bulk_end(tg_bulk *bulk);
TG_MUST_USE tg_bulk_state tg_bulk_write(tg_bulk *bulk);

#endif
