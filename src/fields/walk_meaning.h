/* What the pieces of a document mean to the schema: the half of tg_walk that knows values, while walk.c knows the
 * grammar around them. For walk.c alone. */
#ifndef TG_FIELDS_WALK_MEANING_H
#define TG_FIELDS_WALK_MEANING_H

#include "fields/walk.h"

/* What may come next. White space may stand before all but the last three, which are inside a token. */
enum {
    TG_EXPECT_VALUE,
    TG_EXPECT_FIRST_ELEMENT, /* or `]` */
    TG_EXPECT_FIRST_KEY,     /* or `}` */
    TG_EXPECT_KEY,
    TG_EXPECT_COLON,
    TG_EXPECT_NEXT, /* a comma or the container's end */
    TG_EXPECT_END,  /* of the text */
    TG_IN_KEY,
    TG_IN_STRING,
    TG_IN_NUMBER
};

/* A top-level member `payload` that no root defines is a wrapper, and must be the only member. Whether the top-level
 * object is a wrapper is known at its first member. */
enum { TG_WRAPPER_NOT_LOOKED_FOR, TG_WRAPPER_OPEN, TG_WRAPPER_PRESENT, TG_WRAPPER_ABSENT };

/* tg_walk_refuse notes why the text is refused, and gives TG_ERR_SYNTAX; so do the others: a byte that cannot stand at
 * walk->at, an end inside a value. */
TG_MUST_USE tg_result tg_walk_refuse(tg_walk *walk, tg_fault_kind kind, size_t offset, const char *message);
TG_MUST_USE tg_result tg_walk_refuse_byte(tg_walk *walk);
TG_MUST_USE tg_result tg_walk_refuse_end(tg_walk *walk);

/* tg_walk_is_in_object says whether the innermost container is an object; there is one. */
static inline bool tg_walk_is_in_object(const tg_walk *walk)
{
    uint32_t at = walk->depth - 1;
    return (walk->is_object[at / 64] >> at % 64 & 1) != 0;
}

/* What is done once a piece has been read; walk->at stands at a container's bracket, and behind a name or a scalar that
 * begins at walk->token_at. Each sets what may come next.
 * err   TG_ERR_SYNTAX: walk->fault says why
 */
TG_MUST_USE tg_result tg_walk_open(tg_walk *walk, bool is_object);
TG_MUST_USE tg_result tg_walk_close(tg_walk *walk);
TG_MUST_USE tg_result tg_walk_end_key(tg_walk *walk);
TG_MUST_USE tg_result tg_walk_end_scalar(tg_walk *walk, tg_span_kind kind);
void tg_walk_begin_element(tg_walk *walk, bool is_first);
/* tg_walk_decide_no_wrapper says that the top-level object is the value itself: what tg_walk_open left out. */
TG_MUST_USE tg_result tg_walk_decide_no_wrapper(tg_walk *walk);

#endif
