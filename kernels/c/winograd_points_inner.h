/* Polynomials at the points 0, 1, -1, 2, -2 and infinity: the small matrices of Winograd's
 * algorithm (winograd.c, winograd_weight.c), on 16 numbers at a time.
 *
 *     sums of products of a window's n numbers with 6 numbers, at m = 7 - n shifts:
 *         A' [ (G window) . (B' numbers) ]
 *
 * B' depends on the points alone. G gives a window's values at them: three numbers of a weight, or
 * four of a gradient. A' gives the 4 or 3 results; its row i holds the points' i-th powers.
 */
#pragma once

#include "common.h"

enum { GROUP = 16, POINTS = 36 };
typedef float Lanes __attribute__((vector_size(64), may_alias));
typedef float LanesAnywhere __attribute__((vector_size(64), may_alias, aligned(4)));

/* B' x of six numbers. */
INLINE void transform_six(Lanes t[6], Lanes x0, Lanes x1, Lanes x2, Lanes x3, Lanes x4, Lanes x5) {
    Lanes a = x4 - 4 * x2, b = x3 - 4 * x1, c = x4 - x2, d = 2 * (x3 - x1);
    t[0] = 4 * x0 - 5 * x2 + x4;
    t[1] = a + b;
    t[2] = a - b;
    t[3] = c + d;
    t[4] = c - d;
    t[5] = 4 * x1 - 5 * x3 + x5;
}

/* G w of three numbers. */
INLINE void transform_three(Lanes t[6], Lanes w0, Lanes w1, Lanes w2) {
    Lanes even = w0 + w2, far = w0 + 4 * w2;
    t[0] = w0 * 0.25f;
    t[1] = (even + w1) * (-1 / 6.0f);
    t[2] = (even - w1) * (-1 / 6.0f);
    t[3] = (far + 2 * w1) * (1 / 24.0f);
    t[4] = (far - 2 * w1) * (1 / 24.0f);
    t[5] = w2;
}

/* G g of four numbers. */
INLINE void transform_four(Lanes t[6], Lanes g0, Lanes g1, Lanes g2, Lanes g3) {
    Lanes even = g0 + g2, odd = g1 + g3, far = g0 + 4 * g2, wide = 2 * g1 + 8 * g3;
    t[0] = g0 * 0.25f;
    t[1] = (even + odd) * (-1 / 6.0f);
    t[2] = (even - odd) * (-1 / 6.0f);
    t[3] = (far + wide) * (1 / 24.0f);
    t[4] = (far - wide) * (1 / 24.0f);
    t[5] = g3;
}

/* A' m of six numbers, four results. */
INLINE void transform_back(Lanes r[4], Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4, Lanes m5) {
    Lanes near = m1 + m2, far = m3 + m4, odd = m1 - m2, wide = m3 - m4;
    r[0] = m0 + near + far;
    r[1] = odd + 2 * wide;
    r[2] = near + 4 * far;
    r[3] = odd + 8 * wide + m5;
}

/* A' m of six numbers, three results. */
INLINE void transform_back_three(Lanes r[3], Lanes m0, Lanes m1, Lanes m2, Lanes m3, Lanes m4,
                                 Lanes m5) {
    Lanes near = m1 + m2, far = m3 + m4;
    r[0] = m0 + near + far;
    r[1] = m1 - m2 + 2 * (m3 - m4);
    r[2] = near + 4 * far + m5;
}
