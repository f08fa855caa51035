/* What every unit test includes: cmocka with what it needs, and checks for results and slices. */
#ifndef TG_TESTS_SUPPORT_CASE_H
#define TG_TESTS_SUPPORT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/result.h"
#include "base/slice.h"

#define assert_ok(expr)             assert_string_equal(tg_code_name((expr).code), "ok")
#define assert_code(expr, expected) assert_string_equal(tg_code_name((expr).code), tg_code_name(expected))
#define assert_slice(slice, text)   tg_assert_slice((slice), TG_LIT(text), __FILE__, __LINE__)

/* Sanitizers replace mlock by a function that does nothing: tests of locked memory skip there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TG_TEST_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TG_TEST_IS_SANITIZED 1
#endif
#endif
#ifndef TG_TEST_IS_SANITIZED
#define TG_TEST_IS_SANITIZED 0
#endif

/* Fails the test, with both texts printed, unless they are equal. */
void tg_assert_slice(tg_slice actual, tg_slice expected, const char *file, int line);

/* Reads tests/vectors/NAME whole; fails the test where it cannot. The caller frees the slice's ptr. */
tg_slice tg_read_vector(const char *name);

#endif
