/* The choice among the builds: the compiler's own look at the processor. */
#include "isa.h"

#include <string.h>

/* Whether the processor runs a build: "baseline", "avx2", "avx512" or "neon". */
int cpu_runs(const char *isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(isa, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(isa, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512cd");
    return !strcmp(isa, "baseline");
#elif defined(__aarch64__)
    return !strcmp(isa, "neon");
#else
    return !strcmp(isa, "baseline");
#endif
}
