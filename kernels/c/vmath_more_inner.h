/* log1p, softplus, the error function and gelu on vectors of floats, from the parts of exp and log.
 *
 *     erf(x)  = x + x ERF(x^2)                         for |x| < 1
 *     erfc(x) = e^(-x^2) TAIL(q) / (x + 2),  q = (x - 2) / (x + 2)   for x >= 1/2
 *
 * Errors: log1p, softplus 2.5 units of the last place, erf 2, erfc 4, gelu 8 above x = -1; below,
 * where gelu is the tail of a bell, the rounding of x / sqrt(2) makes up to 2 x^2 units of error.
 */
#pragma once

#include "vmath_inner.h"

#define ROOT_HALF 0.70710678118654752f

/* ln(1 + x): of u = 1 + x, and what u lost of x, over u. */
INLINE vf log1p_f(vf x) {
    vf u = 1.0f + x, e, m = split_f(u, &e);
    vf lost = select_f(u > 3.0f, 1.0f - (u - x), x - (u - 1.0f)) / u;
    vf y = log_edges(u, log_parts(m - 1.0f, e) + lost);
    return select_f(x == 0.0f, x, y);
}

/* ln(1 + e^x) = ln(1 + e^-|x|) + max(x, 0). */
INLINE vf softplus_f(vf x) {
    return log1p_f(exp_f((vf)((vi)x | SIGN_BIT))) + select_f(x < 0.0f, splat_f(0.0f), x);
}

/* ERF, to 2^-29 of erf. */
INLINE vf erf_near(vf x) {
    vf s = x * x;
    vf p = 7.853859274752416e-05f * s - 0.0008010192995914421f;
    p = p * s + 0.00518832761412175f;
    p = p * s - 0.02685381189761246f;
    p = p * s + 0.11283585147713221f;
    p = p * s - 0.3761262582415359f;
    p = p * s + 0.12837916572669886f;
    return x + x * p;
}

/* e^(-x^2) for x >= 0: x^2 is taken in two parts, the first of which is exact. */
INLINE vf bell_f(vf x) {
    x = min_f(splat_f(10.5f), x); /* from there on it is 0 */
    vf head = (vf)((vi)x & ~0xfff); /* 12 bits, whose square fits in 24 */
    vf first = -head * head, rest = (head - x) * (head + x);
    vf n = round_f(first * 1.44269504088896341f);
    return scale_f(exp_less_1(less_n_ln2(first, n) + rest) + 1.0f, n);
}

/* erfc(x) for x >= 1/2, by TAIL to 2^-26. */
INLINE vf erfc_far(vf x) {
    vf over = 1.0f / (x + 2.0f), q = (x - 2.0f) * over;
    q = select_f(x < INFINITY, q, splat_f(1.0f));
    vf p = -0.0004845387912457972f * q - 0.0007986047217281877f;
    p = p * q + 0.003010890481633842f;
    p = p * q + 0.006468512083031463f;
    p = p * q - 0.021496307077711708f;
    p = p * q - 0.03644126011639409f;
    p = p * q + 0.27947119786846353f;
    p = p * q - 0.6871607042956407f;
    p = p * q + 1.0215827140961176f;
    return bell_f(x) * (p * over);
}

/* 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. */
INLINE vf erf_f(vf x) {
    vf size = abs_f(x), far = copysign_f(1.0f - erfc_far(size), x);
    return select_f(size < 1.0f, erf_near(x), far);
}

/* 1 - erf(x), accurate for large x. */
INLINE vf erfc_f(vf x) {
    vf size = abs_f(x), tail = erfc_far(size);
    vf far = select_f(x < 0.0f, 2.0f - tail, tail);
    return select_f(size < 0.5f, 1.0f - erf_near(x), far);
}

/* x Phi(x), Phi(x) = erfc(-x / sqrt 2) / 2 the normal distribution function. */
INLINE vf gelu_f(vf x) { return 0.5f * x * erfc_f(-ROOT_HALF * x); }

/* Phi(x) + x phi(x), the derivative of gelu; phi is the normal density. */
INLINE vf gelu_slope_f(vf x) {
    vf z = ROOT_HALF * x;
    return 0.5f * erfc_f(-z) + x * (bell_f(abs_f(z)) * 0.3989422804014327f);
}

INLINE vf limited_log(vf x) { return max_f(splat_f(-100.0f), log_f(x)); }

/* -(t log x + (1 - t) log(1 - x)), with logarithms of at least -100. */
INLINE vf cross_entropy_f(vf x, vf t) {
    return -(t * limited_log(x) + (1.0f - t) * limited_log(1.0f - x));
}
