/* Squares of 16 x 16 floats turned over in registers: 64 shuffles for 256 numbers. */
#pragma once

#include "common.h"

#if VBYTES == 64
#define SWAP_LANES(a, b, low, high)                    \
    do {                                               \
        vf upper = __builtin_shufflevector(a, b, low); \
        b = __builtin_shufflevector(a, b, high);       \
        a = upper;                                     \
    } while (0)
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

/* Step s swaps the blocks of s x s off the diagonal of each block of 2s x 2s. */
INLINE void transpose_registers(vf r[16]) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) SWAP_LANES(r[i], r[i + 1], LOW_1, HIGH_1);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        if (!(i & 2)) SWAP_LANES(r[i], r[i + 2], LOW_2, HIGH_2);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        if (!(i & 4)) SWAP_LANES(r[i], r[i + 4], LOW_4, HIGH_4);
#pragma GCC unroll 16
    for (int i = 0; i < 8; i++) SWAP_LANES(r[i], r[i + 8], LOW_8, HIGH_8);
}

/* to[j][i] = from[i][j] of 16 x 16, rows `to_step` and `from_step` apart. */
static inline void transpose_16(float *RESTRICT to, int64_t to_step, const float *RESTRICT from,
                                int64_t from_step) {
    vf r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) r[i] = load_f(from + i * from_step);
    transpose_registers(r);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) store_f(to + i * to_step, r[i]);
}
#else
static inline void transpose_16(float *RESTRICT to, int64_t to_step, const float *RESTRICT from,
                                int64_t from_step) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[j * to_step + i] = from[i * from_step + j];
}
#endif

/* The same for doubles, by loads and stores. */
static inline void transpose_16_f64(double *RESTRICT to, int64_t to_step,
                                    const double *RESTRICT from, int64_t from_step) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[j * to_step + i] = from[i * from_step + j];
}

static inline void transpose_16_f32(float *RESTRICT to, int64_t to_step, const float *RESTRICT from,
                                    int64_t from_step) {
    transpose_16(to, to_step, from, from_step);
}
