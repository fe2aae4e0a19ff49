/* Stores that go around the cache, where the processor has them.
 *
 * A line that is written whole need not be read first, nor push others out.
 */
#pragma once

#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* One vector to an address that is a multiple of VBYTES. */
INLINE void stream_i(void *to, vi x) {
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)to, (__m512i)x);
#elif defined(__AVX__)
    _mm256_stream_si256((__m256i *)to, (__m256i)x);
#elif defined(__x86_64__)
    _mm_stream_si128((__m128i *)to, (__m128i)x);
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
    _mm_sfence();
#endif
}
