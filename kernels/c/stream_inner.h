/* Stores that go around the cache, where the processor has them.
 *
 * A line that is written whole need not be read first, nor push others out.
 */
#pragma once

#include "common.h"

/* One vector to an address that is a multiple of VBYTES. Assembly, as the header of all intrinsics
 * takes longer to compile than most kernels. */
INLINE void stream_i(void *to, vi x) {
#if defined(__AVX__)
    __asm__("vmovntdq %1, %0" : "=m"(*(vi *)to) : "v"(x));
#elif defined(__x86_64__)
    __asm__("movntdq %1, %0" : "=m"(*(vi *)to) : "x"(x));
#else
    *(vi *)to = x;
#endif
}

/* Copy bytes to memory that nobody reads soon. */
static inline void stream_copy(char *to, const char *from, size_t bytes) {
    size_t done = 0;
    if ((uintptr_t)to % VBYTES == 0)
        for (; done + VBYTES <= bytes; done += VBYTES)
            stream_i(to + done, *(const viu *)(from + done));
    memcpy(to + done, from + done, bytes - done);
}

/* Before another thread is told that the data is there. */
static inline void stream_end(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}
