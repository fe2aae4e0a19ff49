/* What the machine can do at most; benchmarks divide by it.
 *
 *     multiply-adds:  for r:  for i < 12:  acc[i] = acc[i] * m + s
 *     triad:          for i < n:  a[i] = b[i] + s * c[i]
 *
 * A multiply-add unit starts one vector a cycle, or two, and is done with it four or five cycles
 * later, so some ten independent sums have to be under way. The sums fit in registers, which is why
 * nothing else is measured: 2 operations x 16 lanes x 2 units, 185 GFLOP/s on one core with AVX-512
 * at 2.9 GHz.
 *
 * The triad (McCalpin's STREAM) moves 12 bytes for each i. A plain store reads the line that it
 * will overwrite, a fourth transfer that nobody asked for; stores that stream past the caches do
 * not: 41 GB/s where plain ones reach 31. They serve arrays that no cache holds. Smaller arrays are
 * gone through again and again by the same thread, so that they stay in its own cache.
 */
#include "probe.h"

#include "common.h"
#include "pool.h"
#include "pool_inner.h"
#include "stream_inner.h"

enum { SUMS = 12, CHUNKS_PER_THREAD = 4 };
static const int64_t UNCACHED = 1 << 22; /* numbers of one array */
static const int64_t AT_LEAST = 1 << 22; /* numbers that one call goes through */

static void multiply_add(void *context, int64_t begin, int64_t end) {
    const int64_t rounds = *(const int64_t *)context;
    vf acc[SUMS], m = (vf){} + 0.999f, s = (vf){} + 0.001f;
    for (int i = 0; i < SUMS; i++) acc[i] = (vf){} + (float)(begin + i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) acc[i] = acc[i] * m + s;
    }
    for (int i = 1; i < SUMS; i++) acc[0] += acc[i];
    volatile float sink = acc[0][0]; /* the compiler must not drop what nobody reads */
    (void)sink;
    (void)end;
}

/* Do rounds * 12 vector multiply-adds in each of a few chunks; how many operations that makes. */
double etude_fma_flops(int64_t rounds) {
    int64_t chunks = (int64_t)CHUNKS_PER_THREAD * pool_threads();
    parallel_for(multiply_add, &rounds, chunks, 1);
    return 2.0 * (double)rounds * SUMS * NF * (double)chunks;
}

struct triad {
    float *a;
    const float *b, *c;
    int64_t n, repeats;
};

/* a is aligned to a vector, begin and end are whole vectors. */
static void triad_part(void *context, int64_t begin, int64_t end) {
    const struct triad *t = context;
    float *a = t->a;
    const float *b = t->b, *c = t->c;
    if (t->n >= UNCACHED) {
        for (int64_t i = begin; i < end; i += NF)
            stream_i(a + i, (vi)(load_f(b + i) + 3.0f * load_f(c + i)));
        stream_end();
        return;
    }
    for (int64_t r = 0; r < t->repeats; r++) {
        for (int64_t i = begin; i < end; i += NF)
            store_f(a + i, load_f(b + i) + 3.0f * load_f(c + i));
        __asm__ volatile("" ::: "memory"); /* every round counts */
    }
}

/* a = b + 3 c over all whole vectors of a; how many bytes that moved. */
double etude_triad(float *a, const float *b, const float *c, int64_t n) {
    int64_t skip = (int64_t)(-(uintptr_t)a % VBYTES / sizeof(float));
    if (n < skip + NF) return 0;
    n = (n - skip) / NF * NF;
    int64_t repeats = n >= UNCACHED ? 1 : AT_LEAST / n + 1;
    struct triad t = {a + skip, b + skip, c + skip, n, repeats};
    int64_t vectors = n / NF, threads = pool_threads();
    parallel_for(triad_part, &t, n, (vectors + threads - 1) / threads * NF);
    return 12.0 * (double)n * (double)repeats;
}
