/* Square tiles transposed in registers.
 *
 * A tile of n x n numbers is n vectors. Step s = 1, 2, 4, ... swaps the two off-diagonal blocks of
 * every 2s x 2s block, so after log2(n) steps rows are columns:
 *
 *     rows i and i + s:   a0 a1 | a2 a3       a0 a1 | b0 b1
 *     (s = 2)             b0 b1 | b2 b3  ->   a2 a3 | b2 b3
 *
 * n log2(n) shuffles move n*n numbers, and memory sees whole vectors on both sides.
 */
#pragma once

#include "common.h"

/* Lane l of the two rows after the step, as a lane of the pair (a, b). */
#define LOW(n, s, l) ((l) & (s) ? (n) + (l) - (s) : (l))
#define HIGH(n, s, l) ((l) & (s) ? (n) + (l) : (l) + (s))
#define LANES_2(f, n, s) f(n, s, 0), f(n, s, 1)
#define LANES_4(f, n, s) LANES_2(f, n, s), f(n, s, 2), f(n, s, 3)
#define LANES_8(f, n, s) LANES_4(f, n, s), f(n, s, 4), f(n, s, 5), f(n, s, 6), f(n, s, 7)
#define LANES_16(f, n, s)                                                                  \
    LANES_8(f, n, s), f(n, s, 8), f(n, s, 9), f(n, s, 10), f(n, s, 11), f(n, s, 12),       \
        f(n, s, 13), f(n, s, 14), f(n, s, 15)

#define SWAP_STEP(lanes, n, s, t)                                                          \
    _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) if (!(i & (s))) {               \
        __typeof__(t[0]) a = t[i], b = t[i + (s)];                                         \
        t[i] = __builtin_shufflevector(a, b, lanes(LOW, n, s));                            \
        t[i + (s)] = __builtin_shufflevector(a, b, lanes(HIGH, n, s));                     \
    }

INLINE void transpose_vi(vi *t) {
#if VBYTES == 64
    SWAP_STEP(LANES_16, 16, 1, t)
    SWAP_STEP(LANES_16, 16, 2, t)
    SWAP_STEP(LANES_16, 16, 4, t)
    SWAP_STEP(LANES_16, 16, 8, t)
#elif VBYTES == 32
    SWAP_STEP(LANES_8, 8, 1, t)
    SWAP_STEP(LANES_8, 8, 2, t)
    SWAP_STEP(LANES_8, 8, 4, t)
#else
    SWAP_STEP(LANES_4, 4, 1, t)
    SWAP_STEP(LANES_4, 4, 2, t)
#endif
}

INLINE void transpose_vl(vl *t) {
#if VBYTES == 64
    SWAP_STEP(LANES_8, 8, 1, t)
    SWAP_STEP(LANES_8, 8, 2, t)
    SWAP_STEP(LANES_8, 8, 4, t)
#elif VBYTES == 32
    SWAP_STEP(LANES_4, 4, 1, t)
    SWAP_STEP(LANES_4, 4, 2, t)
#else
    SWAP_STEP(LANES_2, 2, 1, t)
#endif
}
