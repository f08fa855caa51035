#include "gateway/breaker.h"

uint64_t tg_breaker_wait_ms(const tg_breaker *breaker, uint64_t now_ms)
{
    switch (breaker->state) {
    case TG_BREAKER_OPEN:
        return breaker->until_ms > now_ms ? breaker->until_ms - now_ms : 0;
    case TG_BREAKER_HALF_OPEN:
        return breaker->is_probing ? 1 : 0;
    case TG_BREAKER_CLOSED:
    default:
        return 0;
    }
}

bool tg_breaker_admit(tg_breaker *breaker)
{
    if (breaker->state == TG_BREAKER_CLOSED) {
        return false;
    }
    breaker->state = TG_BREAKER_HALF_OPEN;
    breaker->is_probing = true;
    return true;
}

/* 0.75 to 1.25 times 1 s, 2 s, 4 s ... */
static void open_circuit(tg_breaker *breaker, uint64_t now_ms, uint16_t chance)
{
    uint64_t wait_ms = TG_BREAKER_FIRST_MS;
    for (unsigned i = 0; i < breaker->num_openings && wait_ms < TG_BREAKER_LONGEST_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < TG_BREAKER_LONGEST_MS ? wait_ms : TG_BREAKER_LONGEST_MS;
    *breaker = (tg_breaker){.state = TG_BREAKER_OPEN,
                            .num_openings = breaker->num_openings + 1,
                            .until_ms = now_ms + wait_ms * 3 / 4 + wait_ms / 2 * chance / 65536};
}

bool tg_breaker_report(tg_breaker *breaker, bool is_probe, tg_breaker_verdict verdict, uint64_t now_ms, uint16_t chance)
{
    if (is_probe) {
        breaker->is_probing = false;
        if (verdict == TG_BREAKER_ANSWERED) {
            *breaker = (tg_breaker){.state = TG_BREAKER_CLOSED};
        } else if (verdict == TG_BREAKER_FAILED) {
            open_circuit(breaker, now_ms, chance);
        }
        return verdict == TG_BREAKER_ANSWERED;
    }
    if (breaker->state != TG_BREAKER_CLOSED || verdict == TG_BREAKER_UNKNOWN) {
        return false;
    }
    breaker->num_failures = verdict == TG_BREAKER_FAILED ? breaker->num_failures + 1 : 0;
    if (breaker->num_failures < TG_BREAKER_FAILURES) {
        return false;
    }
    open_circuit(breaker, now_ms, chance);
    return true;
}
