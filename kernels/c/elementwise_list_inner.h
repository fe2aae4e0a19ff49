/* Every elementwise function once: what kernels/scalar.py defines, a line for each.
 *
 * A function is added by a line in the right list; loops, tables and the name in Python follow.
 *
 * PLAIN   an expression that the compiler turns into vector code, for floats and for integers
 * REAL    the same, of floats alone
 * VECTOR  of floats alone: float32 by vmath_inner.h (x is a vector), float64 by the C library
 * LIBRARY of floats alone, by the C library in float64: rare in the hot loops of training
 * WHOLE   what integers have in place of a function of the LIBRARY
 *
 * SAME and TRUTH say what the result is: of the operands' type, or bool. F(floor) is floorf or floor.
 */
#pragma once

/* name, result, of floats, of integers */
#define UNARY_PLAIN(X)                                                     \
    X(neg, SAME, -x, -x)                                                   \
    X(abs, SAME, F(fabs)(x), x < 0 ? -x : x)                               \
    X(sign, SAME, x != x ? x : (x > 0) - (x < 0), (x > 0) - (x < 0))       \
    X(relu, SAME, x <= 0 ? 0 : x, x <= 0 ? 0 : x)                          \
    X(floor, SAME, F(floor)(x), x)                                         \
    X(ceil, SAME, F(ceil)(x), x)                                           \
    X(trunc, SAME, F(trunc)(x), x)                                         \
    X(round, SAME, F(rint)(x), x)                                          \
    X(isnan, TRUTH, x != x, x != x)                                             \
    X(isinf, TRUTH, F(fabs)(x) == (T)INFINITY, x != x)                          \
    X(isfinite, TRUTH, F(fabs)(x) < (T)INFINITY, x == x)                        \
    X(logical_not, TRUTH, x == 0, x == 0)

/* name, of floats */
#define UNARY_REAL(X)                 \
    X(reciprocal, 1 / x)              \
    X(sqrt, F(sqrt)(x))               \
    X(rsqrt, 1 / F(sqrt)(x))

/* name, of a vector of float32, of a double */
#define UNARY_VECTOR(X)                                                       \
    X(exp, exp_f(x), exp(x))                                                  \
    X(expm1, expm1_f(x), expm1(x))                                            \
    X(log, log_f(x), log(x))                                                  \
    X(log1p, log1p_f(x), log1p(x))                                            \
    X(sigmoid, sigmoid_f(x), sigmoid(x))                                      \
    X(tanh, tanh_f(x), tanh(x))                                               \
    X(softplus, softplus_f(x), log1p(exp(-fabs(x))) + (x < 0 ? 0 : x))        \
    X(erf, erf_f(x), erf(x))                                                  \
    X(erfc, erfc_f(x), erfc(x))                                               \
    X(gelu, gelu_f(x), x * 0.5 * (1 + erf(x * M_SQRT1_2)))

/* name, of a double */
#define UNARY_LIBRARY(X)      \
    X(exp2, exp2(x))          \
    X(log2, log2(x))          \
    X(log10, log10(x))        \
    X(sin, sin(x))            \
    X(cos, cos(x))            \
    X(tan, tan(x))            \
    X(asin, asin(x))          \
    X(acos, acos(x))          \
    X(atan, atan(x))          \
    X(sinh, sinh(x))          \
    X(cosh, cosh(x))          \
    X(asinh, asinh(x))        \
    X(acosh, acosh(x))        \
    X(atanh, atanh(x))        \
    X(erfinv, erfinv(x))      \
    X(lgamma, log_gamma(x))   \
    X(digamma, digamma(x))

/* name, result, of floats, of integers */
#define BINARY_PLAIN(X)                                                            \
    X(add, SAME, a + b, a + b)                                                     \
    X(sub, SAME, a - b, a - b)                                                     \
    X(mul, SAME, a * b, a * b)                                                     \
    X(maximum, SAME, a >= b || a != a ? a : b, a >= b ? a : b)                     \
    X(minimum, SAME, a <= b || a != a ? a : b, a <= b ? a : b)                     \
    X(eq, TRUTH, a == b, a == b)                                                   \
    X(ne, TRUTH, a != b, a != b)                                                   \
    X(lt, TRUTH, a < b, a < b)                                                     \
    X(le, TRUTH, a <= b, a <= b)                                                   \
    X(gt, TRUTH, a > b, a > b)                                                     \
    X(ge, TRUTH, a >= b, a >= b)                                                   \
    X(logical_and, TRUTH, (a != 0) & (b != 0), (a != 0) & (b != 0))                \
    X(logical_or, TRUTH, (a != 0) | (b != 0), (a != 0) | (b != 0))                 \
    X(logical_xor, TRUTH, (a != 0) ^ (b != 0), (a != 0) ^ (b != 0))                \
    X(relu_grad, SAME, b > 0 ? a : 0, b > 0 ? a : 0)

/* name, of floats */
#define BINARY_REAL(X)                     \
    X(div, a / b)                          \
    X(copysign, F(copysign)(a, b))         \
    X(tanh_grad, a * (1 - b * b))          \
    X(sigmoid_grad, a * b * (1 - b))

/* name, of vectors of float32, of doubles */
#define BINARY_VECTOR(X)                                                          \
    X(softplus_grad, a * sigmoid_f(b), a * sigmoid(b))                            \
    X(gelu_grad, a * gelu_slope_f(b), a * gelu_slope(b))                          \
    X(binary_cross_entropy, cross_entropy_f(a, b), binary_cross_entropy(a, b))

/* name, of doubles */
#define BINARY_LIBRARY(X)                        \
    X(floor_divide, floor_divide(a, b))          \
    X(remainder, remainder_of_floor(a, b))       \
    X(fmod, fmod(a, b))                          \
    X(pow, pow(a, b))                            \
    X(atan2, atan2(a, b))                        \
    X(hypot, hypot(a, b))

/* name, of integers; T is their type and WHOLE(f) its own version of f */
#define BINARY_WHOLE(X)                              \
    X(floor_divide, WHOLE(floor_divide)(a, b))       \
    X(remainder, WHOLE(remainder)(a, b))             \
    X(fmod, WHOLE(fmod)(a, b))                       \
    X(pow, WHOLE(pow)(a, b))

/* Conversions: name, from, to, of a number x. Floats beyond the range, and nan, become the lowest
 * integer, as x86's instruction makes them. */
#define WITHIN(To, low) (x >= low && x < -low ? (To)x : (To)low)
#define LOW_32 -2147483648.0
#define LOW_64 -9223372036854775808.0
#define CASTS_FROM(X, name, From, to_i32, to_i64) \
    X(name##_f32, From, float, (float)x)          \
    X(name##_f64, From, double, (double)x)        \
    X(name##_i32, From, int32_t, to_i32)          \
    X(name##_i64, From, int64_t, to_i64)          \
    X(name##_bool, From, uint8_t, x != 0)
#define CASTS(X)                                                                              \
    CASTS_FROM(X, f32, float, WITHIN(int32_t, (float)LOW_32), WITHIN(int64_t, (float)LOW_64)) \
    CASTS_FROM(X, f64, double, WITHIN(int32_t, LOW_32), WITHIN(int64_t, LOW_64))              \
    CASTS_FROM(X, i32, int32_t, x, x)                                                         \
    CASTS_FROM(X, i64, int64_t, (int32_t)x, x)                                                \
    CASTS_FROM(X, bool, uint8_t, x, x)
