/* What a process does first, before it reads a setting or starts a thread. */
#ifndef TG_SYS_HARDEN_H
#define TG_SYS_HARDEN_H

#include "base/detail.h"

#include <stddef.h>

/* tg_harden_process makes this process hard to look into and hard to kill by accident: no core dumps (RLIMIT_CORE 0),
 * not dumpable (no ptrace by others of the same user, /proc/PID belongs to root), no new privileges by exec, files
 * created for their owner alone (umask 077), SIGPIPE ignored, and as many descriptors as the hard limit allows.
 * A build with a sanitizer stays dumpable: its leak check attaches to its own process.
 * err   TG_ERR_SYSTEM, with detail naming what the kernel refused; thread: main, before any other starts
 */
TG_MUST_USE tg_result tg_harden_process(tg_detail *detail);

/* tg_harden_hold_hangup keeps SIGHUP waiting until a loop watches for it (tg_loop_on_signal): a reload that is asked
 * for while the process starts is made up for, and does not end it. thread: main, before any other starts
 */
void tg_harden_hold_hangup(void);

/* tg_harden_max_files is the number of descriptors that this process may hold open. */
size_t tg_harden_max_files(void);

/* tg_harden_check_lock tries whether `bytes` more of memory can be locked, as secrets are (sys/secret.h).
 * err   TG_ERR_SYSTEM, with detail naming RLIMIT_MEMLOCK, what it is and what is needed
 */
TG_MUST_USE tg_result tg_harden_check_lock(size_t bytes, tg_detail *detail);

#endif
