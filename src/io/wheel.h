/* The timer wheel under the deadlines of io/loop.h: 512 slots of TG_DEADLINE_GRAIN_MS. What is due later than one turn
 * of the wheel, or was moved to a later time, is looked at when its slot comes by and put off again. */
#ifndef TG_IO_WHEEL_H
#define TG_IO_WHEEL_H

#include "io/loop.h"

enum { TG_WHEEL_SLOTS = 512 };

typedef struct tg_wheel {
    tg_link slots[TG_WHEEL_SLOTS];
    uint64_t occupied[TG_WHEEL_SLOTS / 64]; /* a bit for each slot that may hold something */
    uint64_t turned_to;                     /* the last slot time (ms / grain) that was run */
} tg_wheel;

/* tg_wheel_init makes an empty wheel whose time begins at now_ms. */
void tg_wheel_init(tg_wheel *wheel, uint64_t now_ms);

/* tg_wheel_arm puts a deadline in its slot, or only notes a later time where it stands in one already. */
void tg_wheel_arm(tg_wheel *wheel, tg_deadline *deadline, uint64_t at_ms);

/* tg_wheel_run fires what is due at now_ms. Callbacks may arm and disarm anything. */
void tg_wheel_run(tg_wheel *wheel, uint64_t now_ms);

/* tg_wheel_next_ms is when tg_wheel_run has to be called next, UINT64_MAX while nothing is armed. */
uint64_t tg_wheel_next_ms(const tg_wheel *wheel);

#endif
