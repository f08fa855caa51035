/* The steps of enclave/pid1.h; each says in `detail` what failed. */
#ifndef TG_ENCLAVE_PID1_STEPS_H
#define TG_ENCLAVE_PID1_STEPS_H

#include <sys/types.h>

#include "base/detail.h"
#include "base/result.h"

enum {
    TG_MAX_PID1_FILE_BYTES = 65536,
    TG_MAX_PID1_VARIABLES = 256,
    TG_PID1_READY_BYTE = 0xb7,
};

typedef struct tg_pid1_mount {
    const char *type;
    const char *target; /* made where it is missing */
    unsigned long flags;
    const char *options;
} tg_pid1_mount;

/* tg_pid1_mount_one mounts one file system; one that is there already is fine. err: TG_ERR_SYSTEM */
TG_MUST_USE tg_result tg_pid1_mount_one(const tg_pid1_mount *mount, tg_detail *detail);

/* tg_pid1_read_environment replaces the whole environment by the file's: a line `NAME=value`, blank, or begun by `#`;
 * NAME of A-Z, 0-9 and _, once each, at most TG_MAX_PID1_VARIABLES. Without the file the environment is empty.
 * err   TG_ERR_SYNTAX, TG_ERR_EXISTS, TG_ERR_LIMIT (the environment is empty then), TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_pid1_read_environment(const char *path, tg_detail *detail);

/* tg_pid1_load_modules loads the kernel modules that the file lists, a path a line, in order (blank and `#` lines are
 * passed over). Loaded already is fine; without the file there is nothing to load. err: TG_ERR_SYSTEM, TG_ERR_LIMIT
 */
TG_MUST_USE tg_result tg_pid1_load_modules(const char *path, tg_detail *detail);

/* tg_pid1_raise_loopback brings `lo` up; the kernel gives it its addresses. err: TG_ERR_SYSTEM */
TG_MUST_USE tg_result tg_pid1_raise_loopback(tg_detail *detail);

/* tg_pid1_send_ready sends TG_PID1_READY_BYTE over vsock and expects it back, within seconds: without it a Nitro parent
 * ends the enclave. err: TG_ERR_SYSTEM, TG_ERR_MISMATCH
 */
TG_MUST_USE tg_result tg_pid1_send_ready(unsigned cid, unsigned port, tg_detail *detail);
/* tg_pid1_exchange_ready does so on a connected socket. */
TG_MUST_USE tg_result tg_pid1_exchange_ready(int fd, tg_detail *detail);

/* tg_pid1_seed_random mixes bytes of `hardware_path` (where it exists) into the kernel's pool and waits until the
 * kernel says that the pool is seeded. The bytes earn no credit: that device may be the host's. The credit comes from
 * the processor, or from the TEE's own device through the kernel's driver.
 * err   TG_ERR_TIMEOUT after timeout_ms
 */
TG_MUST_USE tg_result tg_pid1_seed_random(const char *hardware_path, unsigned timeout_ms, tg_detail *detail);

/* tg_pid1_supervise reaps every child and passes SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 on to `child` (SIGINT, which is
 * the kernel's Ctrl-Alt-Del, as SIGTERM), until `child` has ended: the result is its wait status.
 * keep  the caller has blocked all signals (tg_pid1_block_signals) before it forked
 */
int tg_pid1_supervise(pid_t child);
void tg_pid1_block_signals(void);

#endif
