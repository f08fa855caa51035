/* Growing an array by doubling. The array's owner keeps pointer, count and capacity, and frees the pointer. */
#ifndef TG_SCHEMA_VECTOR_H
#define TG_SCHEMA_VECTOR_H

#include "base/result.h"

#include <stddef.h>

/* tg_vector_grow makes room for `count` elements of `size` bytes at *array, whose capacity is *cap elements.
 * err   TG_ERR_LIMIT for more than max elements, TG_ERR_MEMORY; *array stays as it was
 */
TG_MUST_USE tg_result tg_vector_grow(void *array, size_t *cap, size_t count, size_t size, size_t max);

#endif
