/* exp, log, tanh, sigmoid and their like on vectors of floats, each as straight-line code.
 *
 * The C library computes one number in 5 to 20 ns, by tables and branches. Here every lane does the
 * same: the argument is reduced to a short interval by exact arithmetic, a polynomial (minimax, by
 * Lawson's weighted least squares) does the rest, and special values come in by masks at the end.
 *
 *     exp(x) = 2^n e^r,  n = round(x / ln 2),  |r| <= ln(2)/2,  e^r = 1 + r + r^2 EXP(r)
 *     log(x) = e ln 2 + log(1 + f),  x = 2^e (1 + f),  log(1+f) = f - f^2/2 + f^3 LOG(f)
 *
 * Errors are in units of the last place over the whole range, denormal results among it
 * (tests/test_c_vmath.py): exp and log 1, sigmoid, tanh and expm1 2.5. inf, nan, -0 and denormals
 * mean what they mean to the C library.
 */
#pragma once

#include "common.h"

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define SIGN_BIT ((int32_t)0x80000000)

/* A mask is a comparison's result: all bits of a lane are 1 or all are 0. */
INLINE vf select_f(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
INLINE vf splat_f(float x) { return x - (vf){0}; }
INLINE vf abs_f(vf x) { return (vf)((vi)x & ~SIGN_BIT); }
INLINE vf copysign_f(vf x, vf sign) { return (vf)(((vi)x & ~SIGN_BIT) | ((vi)sign & SIGN_BIT)); }

/* The larger and the smaller one; the second where either is nan, as x86's instruction has it. */
INLINE vf max_f(vf a, vf b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX__)
    return _mm256_max_ps(a, b);
#elif defined(__x86_64__)
    return _mm_max_ps(a, b);
#else
    return select_f(a > b, a, b);
#endif
}

INLINE vf min_f(vf a, vf b) {
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX__)
    return _mm256_min_ps(a, b);
#elif defined(__x86_64__)
    return _mm_min_ps(a, b);
#else
    return select_f(a < b, a, b);
#endif
}

/* The nearest whole number of |x| < 2^22: what is left of x beside 1.5 * 2^23. */
INLINE vf round_f(vf x) {
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

/* p * 2^n for whole |n| <= 160: in two steps, as 2^n alone may be no float. */
INLINE vf scale_f(vf p, vf n) {
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, n);
#else
    vi whole = __builtin_convertvector(n, vi), half = whole >> 1;
    return p * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
#endif
}

/* x - n ln 2, with ln 2 in two parts: the first has so few bits that n times it is exact. */
INLINE vf less_n_ln2(vf x, vf n) { return (x - n * 0.693359375f) + n * 2.12194440e-4f; }

/* r + r^2 EXP(r) = e^r - 1 for |r| <= ln(2)/2, to 2^-28 of e^r. */
INLINE vf exp_less_1(vf r) {
    vf q = 0.0013814465707216756f * r + 0.008368780529838126f;
    q = q * r + 0.04166839423912036f;
    q = q * r + 0.16666520106541322f;
    q = q * r + 0.49999993412361066f;
    return (r * r) * q + r;
}

/* e^x. */
INLINE vf exp_f(vf x) {
    x = min_f(splat_f(89.0f), max_f(splat_f(-104.0f), x)); /* beyond: inf and 0; nan stays */
    vf n = round_f(x * 1.44269504088896341f);
    return scale_f(exp_less_1(less_n_ln2(x, n)) + 1.0f, n);
}

/* e^x - 1, accurate near 0: 2^n (e^r - 1) + (2^n - 1), where the bracket on the right is exact. */
INLINE vf expm1_f(vf x) {
    vf y = min_f(splat_f(89.0f), max_f(splat_f(-20.0f), x));
    vf n = round_f(y * 1.44269504088896341f);
    vf r = less_n_ln2(y, n), top = select_f(n > 127.0f, splat_f(2.0f), splat_f(1.0f));
    n = min_f(splat_f(127.0f), n); /* 2^128 is no float: 2^127, and twice the rest */
    vf power = scale_f(splat_f(1.0f), n);
    vf result = top * (power * exp_less_1(r) + (power - 1.0f / top));
    return select_f(x == 0.0f, x, result); /* -0 stays */
}

/* log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2), plus e ln 2. */
INLINE vf log_parts(vf f, vf e) {
    vf p = -0.07634460136337239f * f + 0.12761562478644684f;
    p = p * f - 0.13160189314066825f;
    p = p * f + 0.1420176043810885f;
    p = p * f - 0.16623356870978687f;
    p = p * f + 0.2000122676233912f;
    p = p * f - 0.25000821046311283f;
    p = p * f + 0.3333333170878832f;
    vf square = f * f;
    vf tail = square * (f * p) - 2.12194440e-4f * e;
    return ((tail - 0.5f * square) + f) + 0.693359375f * e;
}

/* What log makes of numbers that are not positive and finite: -inf of 0, nan, inf. */
INLINE vf log_edges(vf x, vf y) {
    y = select_f((x > 0.0f) & (x < INFINITY), y, splat_f(NAN));
    y = select_f(x == 0.0f, splat_f(-INFINITY), y);
    return select_f(x == INFINITY, x, y);
}

/* x = 2^e m with sqrt(1/2) <= m < sqrt(2), of positive finite x. */
INLINE vf split_f(vf x, vf *e) {
    vi tiny = x < 1.17549435e-38f;
    vi bits = (vi)select_f(tiny, x * 8388608.0f, x);
    vi exponent = (bits - 0x3f3504f3) >> 23; /* the bits of sqrt(1/2) */
    *e = __builtin_convertvector(exponent - (tiny & 23), vf);
    return (vf)(bits - (exponent << 23));
}

/* ln x. */
INLINE vf log_f(vf x) {
    vf e, m = split_f(x, &e);
    return log_edges(x, log_parts(m - 1.0f, e));
}

/* 1 / (1 + e^-x), from e^-|x|, which neither overflows nor loses the small results. */
INLINE vf sigmoid_f(vf x) {
    vf e = exp_f((vf)((vi)x | SIGN_BIT));
    return select_f(x < 0.0f, e, splat_f(1.0f)) / (1.0f + e);
}

/* sinh x / cosh x = -t / (t + 2), t = e^(-2|x|) - 1: accurate near 0, as t is. */
INLINE vf tanh_f(vf x) {
    vf t = max_f(splat_f(-20.0f), -2.0f * abs_f(x));
    vf n = round_f(t * 1.44269504088896341f);
    vf power = scale_f(splat_f(1.0f), n);
    t = power * exp_less_1(less_n_ln2(t, n)) + (power - 1.0f);
    return copysign_f(-t / (t + 2.0f), x);
}
