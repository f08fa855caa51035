/* What a person has to act on: where the fault is, what it is, and how to mend it. Fixed storage, no ownership. */
#ifndef TG_BASE_DETAIL_H
#define TG_BASE_DETAIL_H

#include "base/buf.h"

typedef struct tg_detail {
    char file[192];   /* file or source, "" where none */
    unsigned line;    /* from 1; 0 where unknown */
    char field[192];  /* setting, JSON pointer or member */
    char reason[256]; /* what is wrong; never a secret, foreign bytes escaped */
    char remedy[256]; /* what to do, "" where the reason says it */
} tg_detail;

/* The setters cut what is too long, escape bytes outside printable ASCII and take a NULL detail as nothing to do. */
void tg_detail_clear(tg_detail *detail);
void tg_detail_set_place(tg_detail *detail, tg_slice file, unsigned line, tg_slice field);
void tg_detail_set_reason(tg_detail *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tg_detail_set_remedy(tg_detail *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* tg_detail_append writes `file:line: field: reason; remedy`, leaving out what is empty. */
TG_MUST_USE tg_result tg_detail_append(const tg_detail *detail, tg_buf *buf);

/* All faults of one check, reported together. */
enum { TG_MAX_FAULTS = 64 };
typedef struct tg_faults {
    size_t num_faults; /* may exceed TG_MAX_FAULTS: what is past it is counted, not kept */
    tg_detail *faults; /* grows to TG_MAX_FAULTS */
} tg_faults;

/* tg_faults_init makes an empty list that allocates nothing yet; the caller ends it with tg_faults_done. */
void tg_faults_init(tg_faults *faults);
void tg_faults_done(tg_faults *faults);
/* tg_faults_add gives a cleared detail to fill in; never NULL (past the maximum, a shared one that is not kept). */
tg_detail *tg_faults_add(tg_faults *faults);
/* tg_faults_kept is how many can be read. */
size_t tg_faults_kept(const tg_faults *faults);

#endif
