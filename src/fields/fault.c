#include "fields/fault.h"

static const struct {
    const char *name;
    unsigned status;
} faults[] = {
    [TG_FAULT_NONE] = {"none", 200},
    [TG_FAULT_BAD_REQUEST] = {"bad_request", 400},
    [TG_FAULT_SCHEMA_MISMATCH] = {"schema_mismatch", 400},
    [TG_FAULT_NOT_A_TOKEN] = {"not_a_token", 400},
    [TG_FAULT_BAD_TOKEN] = {"bad_token", 400},
    [TG_FAULT_PAYLOAD_TOO_LARGE] = {"payload_too_large", 413},
    [TG_FAULT_SERVICE_UNAVAILABLE] = {"service_unavailable", 503},
    [TG_FAULT_INTERNAL_ERROR] = {"internal_error", 500},
};

const char *tg_fault_name(tg_fault_kind kind)
{
    return (size_t)kind < TG_COUNT(faults) ? faults[kind].name : "internal_error";
}

unsigned tg_fault_status(tg_fault_kind kind)
{
    return (size_t)kind < TG_COUNT(faults) ? faults[kind].status : 500;
}
