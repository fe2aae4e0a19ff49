/* Stores that go around the cache, where the processor has them. */
#pragma once

#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Copy bytes to memory that nobody reads soon. */
static inline void stream_copy(char *to, const char *from, size_t bytes) {
    size_t done = 0;
#if defined(__x86_64__)
    if ((uintptr_t)to % VBYTES == 0)
        for (; done + VBYTES <= bytes; done += VBYTES) {
            vf x = *(const vfu *)(from + done);
#if defined(__AVX512F__)
            _mm512_stream_ps((float *)(to + done), x);
#elif defined(__AVX__)
            _mm256_stream_ps((float *)(to + done), x);
#else
            _mm_stream_ps((float *)(to + done), x);
#endif
        }
#endif
    memcpy(to + done, from + done, bytes - done);
}

/* Before another thread is told that the data is there. */
static inline void stream_end(void) {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}
