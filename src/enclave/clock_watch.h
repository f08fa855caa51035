/* Keeps the floor of the process's clock (sys/clock.h) near the TEE's time, and says when the host sets its own back.
 */
#ifndef TG_ENCLAVE_CLOCK_WATCH_H
#define TG_ENCLAVE_CLOCK_WATCH_H

#include "attest/device.h"
#include "io/loop.h"

enum {
    TG_CLOCK_LOOK_MS = 5000, /* how often the host's clock is looked at */
    TG_CLOCK_ASK_MS = 600000 /* how often the device is asked for its time */
};

typedef struct tg_clock_watch tg_clock_watch;

/* tg_clock_watch_open asks the device at once, so that what follows is judged by its time, and looks again from the
 * loop. A device that gives no document is logged.
 * err   TG_ERR_MEMORY
 * keep  ended with tg_clock_watch_close (NULL is fine) before the loop and the device; thread: the loop's
 */
TG_MUST_USE tg_result tg_clock_watch_open(tg_attest_device *device, tg_loop *loop, tg_clock_watch **out_watch);
void tg_clock_watch_close(tg_clock_watch *watch);

#endif
