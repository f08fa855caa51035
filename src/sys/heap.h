/* How the process's heap (glibc's) treats long blocks. */
#ifndef TG_SYS_HEAP_H
#define TG_SYS_HEAP_H

#include "base/result.h"

enum { TG_HEAP_MAPPED_BYTES = 1048576, TG_HEAP_SPARE_BYTES = 4194304 };

/* tg_heap_return_long_blocks has every block of TG_HEAP_MAPPED_BYTES and more given back to the kernel when it is
 * freed, and of the rest all but TG_HEAP_SPARE_BYTES at each arena's end. Otherwise the first long block that is freed
 * teaches malloc(3) to keep such blocks (up to 32 MiB) for good, in each thread's arena.
 * err   TG_ERR_SYSTEM. thread: main, before others start
 */
TG_MUST_USE tg_result tg_heap_return_long_blocks(void);

/* tg_heap_trim gives the kernel back what lies free between blocks in use, of all threads: for when much was freed.
 * Threads that allocate wait meanwhile, some milliseconds for 100 MB. Any thread.
 */
void tg_heap_trim(void);

#endif
