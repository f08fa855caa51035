/* The schemas of a folder or another source, read at start, at an interval and when asked, on a thread of its own:
 * compiling a large specification takes seconds. What is broken, missing or weaker never replaces what is in force. */
#ifndef TG_ENCLAVE_SCHEMA_REFRESH_H
#define TG_ENCLAVE_SCHEMA_REFRESH_H

#include "enclave/schema_source.h"
#include "enclave/snapshot.h"

typedef struct tg_schema_refresh tg_schema_refresh;

typedef struct tg_schema_refresh_options {
    const char *directory;
    uint64_t interval_s;
    bool allow_removal;
    tg_schema_source *source; /* instead of the directory; NULL: none */
} tg_schema_refresh_options;

/* tg_schema_refresh_start begins the thread, whose first reading begins at once.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  ended with tg_schema_refresh_stop, before the publisher; options' text and source live as long
 */
TG_MUST_USE tg_result tg_schema_refresh_start(const tg_schema_refresh_options *options, tg_publisher *publisher,
                                              tg_schema_refresh **out_refresh);

/* tg_schema_refresh_now has the schemas read again soon. Any thread. */
void tg_schema_refresh_now(tg_schema_refresh *refresh);

/* tg_schema_refresh_stop waits for a reading under way, which it interrupts where the source lets it; NULL is fine. */
void tg_schema_refresh_stop(tg_schema_refresh *refresh);

/* tg_schema_refresh_sha256 is the digest that sets are built with. err: TG_ERR_LIBRARY */
TG_MUST_USE tg_result tg_schema_refresh_sha256(tg_slice bytes, uint8_t out_digest[TG_SCHEMA_DIGEST_BYTES]);

#endif
