/* Functions of kernels/scalar.py that the C library lacks or defines otherwise, on doubles. */
#pragma once

#include "common.h"

static inline double sigmoid(double x) {
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static inline double gelu_slope(double x) {
    double density = exp(-0.5 * x * x) / sqrt(2 * M_PI);
    return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * density;
}

/* -(t log x + (1 - t) log(1 - x)), with logarithms of at least -100. */
static inline double binary_cross_entropy(double x, double t) {
    double hit = log(x), miss = log(1 - x);
    hit = hit < -100 ? -100 : hit;
    miss = miss < -100 ? -100 : miss;
    return -(t * hit + (1 - t) * miss);
}

/* a - b floor(a / b): the remainder that has b's sign. */
static inline double remainder_of_floor(double a, double b) {
    double r = fmod(a, b);
    if (r == 0) return copysign(0, b);
    return (r < 0) != (b < 0) && r == r ? r + b : r;
}

/* floor(a / b) of the exact quotient, which a / b, rounded, may have lifted to the next integer. */
static inline double floor_divide(double a, double b) {
    if (b == 0) return a / b;
    double r = fmod(a, b), q = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;
    if (q == 0) return copysign(0, a / b);
    double whole = floor(q);
    return q - whole > 0.5 ? whole + 1 : whole;
}

/* The y with erf(y) = x. M. Giles, "Approximating the erfinv function" (2010), single precision;
 * then Newton's method on erf, or on ln erfc where erf is close to 1. */
static inline double erfinv(double x) {
    static const double near[] = {2.81022636e-08,  3.43273939e-07, -3.5233877e-06,
                                  -4.39150654e-06, 0.00021858087,  -0.00125372503,
                                  -0.00417768164,  0.246640727,    1.50140941};
    static const double far[] = {-0.000200214257, 0.000100950558, 0.00134934322,
                                 -0.00367342844,  0.00573950773,  -0.0076224613,
                                 0.00943887047,   1.00167406,     2.83297682};
    double a = fabs(x), w = -log((1 - a) * (1 + a)), y = 0;
    if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
    double z = w < 5 ? w - 2.5 : sqrt(w) - 3;
    for (int i = 0; i < 9; i++) y = (w < 5 ? near : far)[i] + z * y;
    y *= a;
    for (int step = 0; step < 4; step++) {
        double rest = erfc(y), slope = exp(y * y) * (sqrt(M_PI) / 2);
        y += a < 0.5 ? (a - erf(y)) * slope : log(rest / (1 - a)) * rest * slope;
    }
    return copysign(y, x);
}

/* ln |Gamma(x)|; lgamma itself writes to a global variable. */
static inline double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* The derivative of ln Gamma: by reflection to x > 0, the recurrence psi(x) = psi(x + 1) - 1/x up to
 * 10, then the series (Abramowitz & Stegun 6.3.5, 6.3.7 and 6.3.18). */
static inline double digamma(double x) {
    if (x == 0) return copysign(INFINITY, -x);
    double y = 0;
    if (x < 0) {
        double turn = -fmod(-x, 1); /* nan of -inf */
        if (!(turn < 0)) return NAN;
        y = -M_PI / tan(M_PI * (turn < -0.5 ? turn + 1 : turn));
        x = 1 - x;
    }
    for (; x < 10; x += 1) y -= 1 / x;
    double z = 1 / (x * x);
    double tail = 1. / 120 - z * (1. / 252 - z * (1. / 240 - z * (1. / 132)));
    return y + log(x) - 0.5 / x - z * (1. / 12 - z * tail);
}
