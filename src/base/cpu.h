/* Which of the processor's vector instructions may be used: asked once, the same for the process's whole life. Every
 * file that has a fast way has a portable one beside it and picks by what is said here. */
#ifndef TG_BASE_CPU_H
#define TG_BASE_CPU_H

#include "base/slice.h"

/* The fast ways are written for x86-64 and its vector types. */
#if defined(__x86_64__)
#define TG_CPU_X86 1
/* A function that is called on its level only. */
#define TG_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,aes,pclmul")))
#define TG_TARGET_AVX512                                                                                               \
    __attribute__((target("avx2,bmi,bmi2,popcnt,aes,pclmul,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,vaes,"        \
                          "vpclmulqdq")))
#else
#define TG_CPU_X86 0
#endif

/* Before a loop of constant length whose arrays are to live in registers; and a function that must become part of its
 * caller for the same reason. */
#if defined(__clang__)
#define TG_UNROLL _Pragma("unroll")
#else
#define TG_UNROLL _Pragma("GCC unroll 16")
#endif
#define TG_INLINE static inline __attribute__((always_inline))

/* Each level has what the one before it has. */
typedef enum tg_cpu_level {
    TG_CPU_PORTABLE,
    TG_CPU_AVX2,  /* AVX2, BMI1, BMI2, POPCNT, MOVBE; AES-NI and PCLMULQDQ */
    TG_CPU_AVX512 /* AVX-512 F, BW, DQ, VL, VBMI; VAES and VPCLMULQDQ */
} tg_cpu_level;

/* tg_cpu_get_level is the highest level that processor and kernel have, at most what tg_cpu_limit said. In development
 * builds TEEGATE_CPU in the environment (portable, avx2, avx512) limits it from the start.
 * thread  any
 */
tg_cpu_level tg_cpu_get_level(void);
/* tg_cpu_has_sha says whether SHA-256 has instructions of its own; they count as part of level avx2. */
bool tg_cpu_has_sha(void);

/* tg_cpu_limit holds the level down, or up again as far as the machine goes: for tests of the other ways. */
void tg_cpu_limit(tg_cpu_level highest);

/* tg_cpu_level_name is `portable`, `avx2` or `avx512`; tg_cpu_level_of reads it, false for another text. */
const char *tg_cpu_level_name(tg_cpu_level level);
bool tg_cpu_level_of(tg_slice name, tg_cpu_level *out_level);

#endif
