#include "io/wheel.h"

void tg_wheel_init(tg_wheel *wheel, uint64_t now_ms)
{
    *wheel = (tg_wheel){.turned_to = now_ms / TG_DEADLINE_GRAIN_MS};
    for (size_t i = 0; i < TG_WHEEL_SLOTS; i++) {
        tg_link_init_head(&wheel->slots[i]);
    }
}

static void insert(tg_wheel *wheel, tg_deadline *deadline)
{
    uint64_t time = deadline->at_ms / TG_DEADLINE_GRAIN_MS + 1; /* rounded up: never early */
    if (time <= wheel->turned_to) {
        time = wheel->turned_to + 1;
    }
    size_t slot = (size_t)(time % TG_WHEEL_SLOTS);
    tg_link_append(&wheel->slots[slot], &deadline->link);
    wheel->occupied[slot / 64] |= (uint64_t)1 << slot % 64;
}

void tg_wheel_arm(tg_wheel *wheel, tg_deadline *deadline, uint64_t at_ms)
{
    bool is_later = deadline->at_ms != 0 && at_ms >= deadline->at_ms;
    deadline->at_ms = at_ms > 0 ? at_ms : 1;
    if (!is_later) {
        tg_link_remove(&deadline->link);
        insert(wheel, deadline);
    }
}

static void run_slot(tg_wheel *wheel, size_t slot, uint64_t now_ms)
{
    tg_link due;
    tg_link_init_head(&due);
    wheel->occupied[slot / 64] &= ~((uint64_t)1 << slot % 64);
    tg_link_move_all(&wheel->slots[slot], &due);
    while (!tg_link_is_empty(&due)) {
        tg_deadline *deadline = TG_OBJECT_OF(due.next, tg_deadline, link);
        tg_link_remove(&deadline->link);
        if (deadline->at_ms > now_ms) {
            insert(wheel, deadline);
        } else {
            deadline->at_ms = 0;
            deadline->run(deadline);
        }
    }
}

void tg_wheel_run(tg_wheel *wheel, uint64_t now_ms)
{
    uint64_t now = now_ms / TG_DEADLINE_GRAIN_MS;
    uint64_t first = wheel->turned_to + 1;
    if (now >= first + TG_WHEEL_SLOTS) { /* after a long sleep each slot is run once */
        first = now - TG_WHEEL_SLOTS + 1;
    }
    for (uint64_t time = first; time <= now; time++) {
        wheel->turned_to = time;
        size_t slot = (size_t)(time % TG_WHEEL_SLOTS);
        if ((wheel->occupied[slot / 64] >> slot % 64 & 1) != 0) {
            run_slot(wheel, slot, now_ms);
        }
    }
}

uint64_t tg_wheel_next_ms(const tg_wheel *wheel)
{
    uint64_t first = wheel->turned_to + 1;
    for (uint64_t ahead = 0; ahead < TG_WHEEL_SLOTS;) {
        size_t slot = (size_t)((first + ahead) % TG_WHEEL_SLOTS);
        uint64_t bits = wheel->occupied[slot / 64] >> slot % 64;
        if (bits != 0) {
            return (first + ahead + (uint64_t)__builtin_ctzll(bits)) * TG_DEADLINE_GRAIN_MS;
        }
        ahead += 64 - slot % 64;
    }
    return UINT64_MAX;
}
