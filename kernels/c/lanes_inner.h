/* Vectors that are not full: the end of a row, or lines beside each other that are fewer. */
#pragma once

#include "common.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

INLINE vd splat_d(double x) { return x - (vd){0}; }

/* `left` numbers from p on, at most a vector of them; the other lanes are `fill`. */
INLINE vf load_part_f(const float *p, int64_t left, float fill) {
    if (left >= NF) return load_f(p);
    vf x = fill - (vf){0};
#if defined(__AVX512F__)
    return _mm512_mask_loadu_ps(x, (__mmask16)((1u << left) - 1), p);
#else
    memcpy(&x, p, (size_t)left * 4);
    return x;
#endif
}

INLINE vd load_part_d(const double *p, int64_t left, double fill) {
    if (left >= ND) return load_d(p);
    vd x = splat_d(fill);
    memcpy(&x, p, (size_t)left * 8);
    return x;
}

INLINE void store_part_f(float *p, vf x, int64_t left) {
    if (left >= NF) {
        store_f(p, x);
        return;
    }
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << left) - 1), x);
#else
    memcpy(p, &x, (size_t)left * 4);
#endif
}

INLINE void store_part_d(double *p, vd x, int64_t left) {
    if (left >= ND) store_d(p, x);
    else memcpy(p, &x, (size_t)left * 8);
}

/* x in lane number `lane`, 0 in all others. */
INLINE vf alone_f(float x, int64_t lane) {
    static const int32_t number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int32_t k = lane < 0 || lane >= NF ? -1 : (int32_t)lane;
    return (vf)((*(const viu *)number == k) & (vi)(x - (vf){0}));
}

INLINE vd alone_d(double x, int64_t lane) {
    static const int64_t number[] = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vd)((*(const vlu *)number == lane) & (vl)splat_d(x));
}

/* The sum of the lanes, first half plus second half again and again: the order is fixed. */
INLINE float sum_lanes_f(vf x) {
    float lane[NF];
    memcpy(lane, &x, sizeof lane);
    for (int half = NF / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

INLINE double sum_lanes_d(vd x) {
    double lane[ND];
    memcpy(lane, &x, sizeof lane);
    for (int half = ND / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}
