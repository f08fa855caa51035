/* What a function leaves on the stack: it runs on a thread whose stack is zeroed before and read afterwards. Included
 * by one test program at a time. */
#ifndef TG_TESTS_SUPPORT_STACK_LEFT_H
#define TG_TESTS_SUPPORT_STACK_LEFT_H

#include "support/case.h"

#include <pthread.h>
#include <sys/mman.h>

enum { TG_LEFT_STACK_BYTES = 262144, TG_LEFT_TOP_BYTES = 16384 /* the thread library's own */ };

/* What is measured is the code that ships: without optimization each intermediate value of an intrinsic has a place on
 * the stack, and a sanitizer moves them. */
#if defined(__OPTIMIZE__)
#define TG_LEFT_IS_SHIPPED (!TG_TEST_IS_SANITIZED)
#else
#define TG_LEFT_IS_SHIPPED 0
#endif

typedef struct tg_left {
    void (*run)(void *);
    void *argument;
} tg_left;

static inline void *tg_left_main(void *argument)
{
    const tg_left *left = argument;
    volatile uint8_t away[TG_LEFT_TOP_BYTES]; /* from what is not looked at */
    away[0] = 0;
    left->run(left->argument);
    away[TG_LEFT_TOP_BYTES - 1] = away[0];
    return NULL;
}

/* The stack's bytes after `run`, from the deepest on; the same place in every call. */
static inline void tg_stack_left(void (*run)(void *), void *argument, uint8_t out[TG_LEFT_STACK_BYTES])
{
    static uint8_t *stack;
    tg_left left = {run, argument};
    pthread_attr_t attributes;
    pthread_t thread;
    if (stack == NULL) {
        stack = mmap(NULL, TG_LEFT_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(stack != MAP_FAILED);
    }
    memset(stack, 0, TG_LEFT_STACK_BYTES);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, TG_LEFT_STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attributes, tg_left_main, &left), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    memcpy(out, stack, TG_LEFT_STACK_BYTES);
}

/* Fails where two runs, which differ in a secret alone, leave different stacks. */
static inline void tg_assert_nothing_left(const uint8_t *one, const uint8_t *other)
{
    for (size_t i = 0; i < TG_LEFT_STACK_BYTES - TG_LEFT_TOP_BYTES; i++) {
        if (one[i] != other[i]) {
            fail_msg("%zu bytes below the stack's top, what is left depends on the secret", TG_LEFT_STACK_BYTES - i);
        }
    }
}

#endif
