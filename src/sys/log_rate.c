#include "sys/log_rate.h"

bool tg_log_rate_take(tg_log_rate *rate, uint64_t max_per_s, uint64_t now_ms, uint64_t *out_num_unlogged)
{
    uint64_t second = now_ms / 1000;
    if (rate->second != second) {
        rate->second = second;
        rate->num_logged = 0;
    }
    if (rate->num_logged >= max_per_s) {
        rate->num_unlogged++;
        return false;
    }
    rate->num_logged++;
    *out_num_unlogged = rate->num_unlogged;
    rate->num_unlogged = 0;
    return true;
}
