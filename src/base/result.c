#include "base/result.h"

const char *tg_code_name(tg_code code)
{
    static const char *const names[TG_NUM_CODES] = {
        [TG_OK] = "ok",
        [TG_ERR_AGAIN] = "again",
        [TG_ERR_EOF] = "eof",
        [TG_ERR_CLOSED] = "closed",
        [TG_ERR_TIMEOUT] = "timeout",
        [TG_ERR_MEMORY] = "memory",
        [TG_ERR_LIMIT] = "limit",
        [TG_ERR_TRUNCATED] = "truncated",
        [TG_ERR_SYNTAX] = "syntax",
        [TG_ERR_RANGE] = "range",
        [TG_ERR_UNSUPPORTED] = "unsupported",
        [TG_ERR_NOT_FOUND] = "not_found",
        [TG_ERR_EXISTS] = "exists",
        [TG_ERR_DENIED] = "denied",
        [TG_ERR_AUTH] = "auth",
        [TG_ERR_MISMATCH] = "mismatch",
        [TG_ERR_SYSTEM] = "system",
        [TG_ERR_LIBRARY] = "library",
        [TG_ERR_CANCELLED] = "cancelled",
    };
    return (unsigned)code < TG_NUM_CODES ? names[code] : "unknown";
}
