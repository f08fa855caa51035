/* NDJSON on /encrypt and /decrypt: lines are rewritten and answered while others come, so that neither side ever holds
 * more than a few. The answer is 200 from its first line on: a line that is refused says so in its own place
 * (fields/ndjson.h). Where the client does not read, nothing is read from it; one that sends much takes its turns on
 * the loop with others. A stream may last for days: it takes up new keys and schemas between its lines, and breaks off
 * when its client's right ends. */
#ifndef TG_ENCLAVE_BULK_API_H
#define TG_ENCLAVE_BULK_API_H

#include "enclave/site.h"
#include "fields/ndjson.h"

enum {
    TG_BULK_LINE_BYTES = 1 << 20,
    /* What a stream is counted for in the budget of bodies in flight: its input's last piece, what lines of a usual
     * length take, what waits in the connection. For longer lines more is counted while they are there. */
    TG_BULK_BASE_BYTES = TG_NDJSON_SMALL_BYTES + 131072
};

typedef struct tg_bulk tg_bulk;

/* tg_bulk_is_asked says whether a Content-Type is application/x-ndjson (in UTF-8). */
TG_FOREIGN bool tg_bulk_is_asked(tg_slice content_type);

/* tg_bulk_new begins in on_head, with the site's serving, and asks for the body in pieces.
 * in    options: as the head says; schema: whose root they hold
 * err   TG_ERR_MEMORY; TG_ERR_LIMIT: the budget of bodies in flight is used up
 * keep  it stands in the request's arena and holds nothing else after its answer has ended, but of the budget
 */
TG_MUST_USE tg_result tg_bulk_new(tg_site *site, tg_http_request *request, const tg_rewrite_options *options,
                                  const tg_schema *schema, tg_bulk **out_bulk);

/* tg_bulk_take is for on_body, tg_bulk_end for on_request, tg_bulk_write for on_writable, tg_bulk_cancel for
 * on_cancel; tg_bulk_settle, for on_end, gives back what was counted. The first three may end the answer. */
void tg_bulk_take(tg_bulk *bulk, tg_slice piece);
void tg_bulk_end(tg_bulk *bulk);
void tg_bulk_write(tg_bulk *bulk);
void tg_bulk_cancel(tg_bulk *bulk);
void tg_bulk_settle(tg_bulk *bulk);

#endif
