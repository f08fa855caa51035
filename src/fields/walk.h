/* The grammar of JSON (RFC 8259) over a whole text, with the schema's graph followed on the way: says whether the text
 * is valid and where the PII values stand. Its stack is its own memory, never the thread's, and every call does a
 * bounded piece of the work. */
#ifndef TG_FIELDS_WALK_H
#define TG_FIELDS_WALK_H

#include "base/arena.h"
#include "fields/fault.h"
#include "fields/json_index.h"
#include "schema/pii_graph.h"

enum { TG_MAX_JSON_DEPTH = 512, TG_SPANS_PER_CHUNK = 128 };

typedef enum tg_span_kind {
    TG_SPAN_STRING,  /* no escapes: the bytes between the quotes are the value */
    TG_SPAN_ESCAPED, /* a string with escapes */
    TG_SPAN_SCALAR,  /* a number, true or false */
    TG_SPAN_CONTAINER
} tg_span_kind;

/* A value that is PII: its bytes in the text, a string's quotes among them. */
typedef struct tg_span {
    uint32_t at;
    uint32_t len;
    tg_span_kind kind;
} tg_span;

typedef struct tg_span_chunk {
    struct tg_span_chunk *next;
    tg_span spans[TG_SPANS_PER_CHUNK];
} tg_span_chunk;

/* An open container in which PII may stand, and the member or element that is being read: both what the graph needs
 * and what a pointer is made of. */
typedef struct tg_walk_frame {
    tg_pii_state state;
    uint32_t index;  /* array */
    uint32_t key_at; /* object: what is between the quotes */
    uint32_t key_len;
} tg_walk_frame;

typedef struct tg_walk {
    tg_slice text;
    size_t at;
    tg_json_index index;
    tg_arena *arena;
    const tg_pii_root *root;
    size_t max_spans;
    size_t locate_at; /* tg_walk_locate; else SIZE_MAX */
    uint8_t expect;   /* what may come next; see walk_meaning.h */
    uint8_t wrapper;
    uint8_t number_state;
    bool has_escapes;
    size_t token_at;     /* of the string or number that is being scanned */
    size_t top_at;       /* of the top-level object, until its first member says whether it is a wrapper */
    tg_pii_state state;  /* of the value that comes next */
    uint32_t depth;      /* of open containers */
    uint32_t num_frames; /* of the outermost ones, in which PII may stand: those inside have none */
    uint32_t cap_frames;
    tg_walk_frame *frames;
    uint32_t sealed_depth; /* the depth inside the container that is sealed whole; 0: none is open */
    size_t sealed_at;
    uint64_t is_object[TG_MAX_JSON_DEPTH / 64]; /* one bit a depth: object or array */
    size_t num_spans;
    tg_span_chunk *first_chunk;
    tg_span_chunk *last_chunk;
    uint8_t *names; /* memory for a member name without its escapes */
    size_t names_cap;
    size_t charge; /* what the last member name cost, beyond its own bytes */
    tg_fault fault;
} tg_walk;

/* tg_walk_init begins.
 * arena  for spans, stack and names; may be NULL where root->state is TG_PII_NOWHERE and root->defines_payload is true:
 *        then the text is only validated
 * text   at most UINT32_MAX bytes; stays in place
 */
void tg_walk_init(tg_walk *walk, tg_arena *arena, tg_slice text, const tg_pii_root *root, size_t max_spans);

/* tg_walk_again begins anew with another text, in the memory that the walk has already. */
void tg_walk_again(tg_walk *walk, tg_slice text);

/* tg_walk_step goes on by about `budget` bytes.
 * in    budget: names that are matched against patterns count for more than their bytes; SIZE_MAX: to the end
 * err   TG_ERR_AGAIN: more remains; TG_ERR_SYNTAX: walk->fault says why it is refused
 */
TG_MUST_USE tg_result tg_walk_step(tg_walk *walk, size_t budget);

/* tg_walk_locate begins anew over a text that was found valid, to find the pointer of the PII value at `offset`:
 * tg_walk_step then gives TG_OK at that value, and tg_walk_point its pointer. */
void tg_walk_locate(tg_walk *walk, size_t offset);
void tg_walk_point(tg_walk *walk, tg_fault *fault);

/* tg_json_is_valid says whether the text is one JSON value (depth at most TG_MAX_JSON_DEPTH). */
TG_FOREIGN bool tg_json_is_valid(tg_slice text);

#endif
