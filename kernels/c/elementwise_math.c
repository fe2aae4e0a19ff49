/* Rows of transcendental functions.
 *
 *     for i in 0 .. n-1 by the width of a vector:  out[i ...] = f(a[i ...], b[i ...])
 *
 * float32 goes through vmath_inner.h, a vector at a time, the last one filled up with zeros; what an
 * element becomes does not depend on where it stands. exp of 100,000 numbers takes 20 us with
 * AVX-512, the C library's 290. float64 is for checking gradients, and the functions of the
 * LIBRARY for leaves of a model, so they take the C library's speed: float32 by way of float64.
 */
#include "elementwise_inner.h"
#include "scalar_inner.h"
#include "vmath_more_inner.h"

/* `left` numbers from p on, at most a vector of them. */
INLINE vf load_part(const float *p, int64_t left) {
    if (left >= NF) return load_f(p);
    vf x = {0};
    memcpy(&x, p, (size_t)left * 4);
    return x;
}

INLINE void store_part(float *p, vf x, int64_t left) {
    if (left >= NF) store_f(p, x);
    else memcpy(p, &x, (size_t)left * 4);
}

#define UNARY_ROW(name, T, expression)                \
    void unary_##name ROW_ARGUMENTS {                 \
        T *out = out_;                                \
        const T *as = a_;                             \
        INDEPENDENT for (int64_t i = 0; i < n; i++) { \
            const double x = as[i];                   \
            out[i] = (T)(expression);                 \
        }                                             \
    }

#define BINARY_ROW(name, T, expression)                         \
    void binary_##name ROW_ARGUMENTS {                          \
        T *out = out_;                                          \
        const T *as = a_, *bs = b_, a0 = *as, b0 = *bs;         \
        INDEPENDENT for (int64_t i = 0; i < n; i++) {           \
            const double a = steps & 1 ? as[i] : a0, b = steps & 2 ? bs[i] : b0; \
            out[i] = (T)(expression);                           \
        }                                                       \
    }

#define LIBRARY_UNARY(name, expression)      \
    UNARY_ROW(name##_f32, float, expression) \
    UNARY_ROW(name##_f64, double, expression)
UNARY_LIBRARY(LIBRARY_UNARY)

#define LIBRARY_BINARY(name, expression)      \
    BINARY_ROW(name##_f32, float, expression) \
    BINARY_ROW(name##_f64, double, expression)
BINARY_LIBRARY(LIBRARY_BINARY)

#define VECTOR_UNARY(name, vector, number)                          \
    void unary_##name##_f32 ROW_ARGUMENTS {                         \
        float *out = out_;                                          \
        const float *as = a_;                                       \
        for (int64_t i = 0; i < n; i += NF) {                       \
            const vf x = load_part(as + i, n - i);                  \
            store_part(out + i, vector, n - i);                     \
        }                                                           \
    }                                                               \
    UNARY_ROW(name##_f64, double, number)
UNARY_VECTOR(VECTOR_UNARY)

#define VECTOR_BINARY(name, vector, number)                                     \
    void binary_##name##_f32 ROW_ARGUMENTS {                                    \
        float *out = out_;                                                      \
        const float *as = a_, *bs = b_;                                         \
        const vf a0 = splat_f(*as), b0 = splat_f(*bs);                          \
        for (int64_t i = 0; i < n; i += NF) {                                   \
            const vf a = steps & 1 ? load_part(as + i, n - i) : a0;             \
            const vf b = steps & 2 ? load_part(bs + i, n - i) : b0;             \
            store_part(out + i, vector, n - i);                                 \
        }                                                                       \
    }                                                                           \
    BINARY_ROW(name##_f64, double, number)
BINARY_VECTOR(VECTOR_BINARY)
