/* TG_IS_SANITIZED is 1 in a build whose sanitizer does at run time what a confined process may not. */
#ifndef TG_SYS_SANITIZER_H
#define TG_SYS_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TG_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TG_IS_SANITIZED 1
#endif
#endif
#ifndef TG_IS_SANITIZED
#define TG_IS_SANITIZED 0
#endif

#endif
