/* The one error type: returned by value, never ignored. Outputs stay untouched when a function fails. */
#ifndef TG_BASE_RESULT_H
#define TG_BASE_RESULT_H

#include <stdbool.h>

typedef enum tg_code {
    TG_OK = 0,
    TG_ERR_AGAIN,       /* nothing can be done now; wait for readiness or call again */
    TG_ERR_EOF,         /* the peer ended its side in order */
    TG_ERR_CLOSED,      /* the connection is broken: reset, or ended without the protocol's own ending */
    TG_ERR_TIMEOUT,     /* a deadline passed */
    TG_ERR_MEMORY,      /* the allocator refused */
    TG_ERR_LIMIT,       /* a named limit would be exceeded */
    TG_ERR_TRUNCATED,   /* the input ends before its grammar does */
    TG_ERR_SYNTAX,      /* the input is not of its grammar */
    TG_ERR_RANGE,       /* a number is outside its bounds */
    TG_ERR_UNSUPPORTED, /* well formed, but of a kind that we do not take */
    TG_ERR_NOT_FOUND,   /* what was named does not exist */
    TG_ERR_EXISTS,      /* what was to be created is there already */
    TG_ERR_DENIED,      /* the rules refuse it */
    TG_ERR_AUTH,        /* a tag, signature or certificate does not verify */
    TG_ERR_MISMATCH,    /* two things that must agree do not */
    TG_ERR_SYSTEM,      /* a system call failed: see os_error */
    TG_ERR_LIBRARY,     /* a library failed in a way that has no code of its own */
    TG_ERR_CANCELLED,   /* the owner gave up */
    TG_NUM_CODES
} tg_code;

typedef struct tg_result {
    tg_code code;
    int os_error; /* errno, where code is TG_ERR_SYSTEM (or TG_ERR_CLOSED after a failed call); else 0 */
} tg_result;

#define TG_MUST_USE __attribute__((warn_unused_result))

/* Marks a function that parses bytes from a client, the host or AWS: each has a fuzz target (script/lint compares). */
#define TG_FOREIGN

TG_MUST_USE static inline tg_result tg_ok(void)
{
    return (tg_result){TG_OK, 0};
}
TG_MUST_USE static inline tg_result tg_fail(tg_code code)
{
    return (tg_result){code, 0};
}
TG_MUST_USE static inline tg_result tg_fail_os(int os_error)
{
    return (tg_result){TG_ERR_SYSTEM, os_error};
}
static inline bool tg_is_ok(tg_result result)
{
    return result.code == TG_OK;
}

/* tg_code_name gives a code's lower-case name (`limit`, `syntax`), "unknown" outside the enum. Static storage. */
const char *tg_code_name(tg_code code);

/* TG_TRY returns from the calling function when EXPR fails: the only hidden return. */
#define TG_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        tg_result tg_try_result = (expr);                                                                              \
        if (tg_try_result.code != TG_OK) {                                                                             \
            return tg_try_result;                                                                                      \
        }                                                                                                              \
    } while (0)

/* TG_TAKE gives a pointer away: the variable is NULL afterwards. */
#define TG_TAKE(p)                                                                                                     \
    __extension__({                                                                                                    \
        __typeof__(p) tg_taken = (p);                                                                                  \
        (p) = NULL;                                                                                                    \
        tg_taken;                                                                                                      \
    })

/* TG_CLEANUP(fn) calls fn(&variable) when the variable's scope ends. */
#define TG_CLEANUP(fn) __attribute__((cleanup(fn)))

/* An array on the stack that is written before it is read, on a path so short that zeroing it, as hardened builds
 * otherwise do, would be felt. */
#define TG_UNINITIALIZED __attribute__((uninitialized))

#define TG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
