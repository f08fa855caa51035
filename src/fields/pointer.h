/* JSON pointers (RFC 6901), written into bounded memory. */
#ifndef TG_FIELDS_POINTER_H
#define TG_FIELDS_POINTER_H

#include "base/slice.h"
#include "fields/fault.h"

/* A pointer that is being written: room for TG_MAX_POINTER_BYTES and a NUL. */
typedef struct tg_pointer {
    char *text;
    size_t len;
    bool is_cut; /* something did not fit: it ends in `...` and takes no more */
} tg_pointer;

/* tg_pointer_init begins the empty pointer in fault->pointer and sets fault->has_pointer. */
tg_pointer tg_pointer_init(tg_fault *fault);
/* tg_pointer_add_name appends a reference token: `/`, and the name (UTF-8) with ~ and / escaped. */
void tg_pointer_add_name(tg_pointer *pointer, tg_slice name);
void tg_pointer_add_index(tg_pointer *pointer, size_t index);

#endif
