#include "base/cpu.h"

#include "base/result.h"

#include <stdatomic.h>
#include <stdlib.h>
#if TG_CPU_X86
#include <cpuid.h>
#endif

static const char *const names[] = {[TG_CPU_PORTABLE] = "portable", [TG_CPU_AVX2] = "avx2", [TG_CPU_AVX512] = "avx512"};

typedef struct abilities {
    tg_cpu_level level;
    bool has_sha;
} abilities;

#if TG_CPU_X86
/* Intel's manual, volume 2, CPUID: leaf 1 (ECX) and leaf 7 (EBX, ECX); volume 1 §13: what XGETBV says the kernel saves.
 */
enum {
    NEED_1C = 1u << 1 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 25 | 1u << 27 | 1u << 28,
    NEED_7B_AVX2 = 1u << 3 | 1u << 5 | 1u << 8,
    HAS_7B_SHA = 1u << 29,
    NEED_7C_AVX512 = 1u << 1 | 1u << 9 | 1u << 10,
    XCR0_AVX = 0x06,
    XCR0_AVX512 = 0xe6
};
static const unsigned need_7b_avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;

static bool has_all(unsigned bits, unsigned wanted)
{
    return (bits & wanted) == wanted;
}

static unsigned saved_by_kernel(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static abilities detect(void)
{
    abilities found = {TG_CPU_PORTABLE, false};
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || !has_all(c, NEED_1C)) {
        return found;
    }
    unsigned saved = saved_by_kernel();
    if (!has_all(saved, XCR0_AVX) || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || !has_all(b, NEED_7B_AVX2)) {
        return found;
    }
    found.level = TG_CPU_AVX2;
    found.has_sha = has_all(b, HAS_7B_SHA);
    if (has_all(saved, XCR0_AVX512) && has_all(b, need_7b_avx512) && has_all(c, NEED_7C_AVX512)) {
        found.level = TG_CPU_AVX512;
    }
    return found;
}
#else
static abilities detect(void)
{
    return (abilities){TG_CPU_PORTABLE, false};
}
#endif

/* The level, and SHA beside it: 0 until it is known. Whoever comes first finds it; all find the same. Asking takes
 * long: a virtual machine's monitor answers. */
enum { KNOWN = 0x100, SHA = 0x200, LEVEL_MASK = 0xff };
static atomic_uint machine, chosen;

static unsigned known(abilities found)
{
    return KNOWN | (unsigned)found.level | (found.has_sha ? SHA : 0);
}

static unsigned get_machine(void)
{
    unsigned value = atomic_load_explicit(&machine, memory_order_relaxed);
    if (value == 0) {
        value = known(detect());
        atomic_store_explicit(&machine, value, memory_order_relaxed);
    }
    return value;
}

static unsigned choose(tg_cpu_level highest)
{
    unsigned all = get_machine();
    tg_cpu_level level = (tg_cpu_level)(all & LEVEL_MASK);
    level = level < highest ? level : highest;
    unsigned value = known((abilities){level, level > TG_CPU_PORTABLE && (all & SHA) != 0});
    atomic_store_explicit(&chosen, value, memory_order_relaxed);
    return value;
}

static tg_cpu_level limit_at_start(void)
{
    tg_cpu_level highest = TG_CPU_AVX512;
#ifdef TG_DEVELOPMENT
    const char *name = getenv("TEEGATE_CPU");
    if (name != NULL) {
        (void)tg_cpu_level_of(tg_slice_str(name), &highest);
    }
#endif
    return highest;
}

static unsigned get(void)
{
    unsigned value = atomic_load_explicit(&chosen, memory_order_relaxed);
    return value != 0 ? value : choose(limit_at_start());
}

tg_cpu_level tg_cpu_get_level(void)
{
    return (tg_cpu_level)(get() & LEVEL_MASK);
}

bool tg_cpu_has_sha(void)
{
    return (get() & SHA) != 0;
}

void tg_cpu_limit(tg_cpu_level highest)
{
    (void)choose(highest);
}

const char *tg_cpu_level_name(tg_cpu_level level)
{
    return names[level];
}

bool tg_cpu_level_of(tg_slice name, tg_cpu_level *out_level)
{
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        if (tg_slice_equal(name, tg_slice_str(names[i]))) {
            *out_level = (tg_cpu_level)i;
            return true;
        }
    }
    return false;
}
