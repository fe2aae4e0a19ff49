/* What the C of a chain is written in that backends/c_generate.py generates.
 *
 *     for each group of NF positions:  load inputs;  y = f(x), z = g(y, x), ...;  store results
 *
 * A register of the chain is an array of NF numbers. The compiler keeps it in a vector register
 * (two for numbers of 8 bytes), as every loop over it has NF turns and every function is inlined.
 * A bool is 32 bits wide meanwhile, which a comparison of floats makes and a selection wants.
 *
 * Results equal those of the interpreter to the bit: the functions are the same lines of
 * elementwise_list_inner.h, and each reads its operands through `apart`. That is no instruction,
 * but the compiler cannot look through it. Otherwise it would fuse the product of one function with
 * the sum of the next, or share what two functions both compute, and so round another time.
 */
#pragma once

#include "elementwise_list_inner.h"
#include "vmath_more_inner.h"

#define REGISTER __attribute__((aligned(64)))
/* Not unrolled: a loop becomes a vector, but what it is unrolled to does not always. */
#define EACH _Pragma("GCC unroll 1") for (int k = 0; k < NF; k++)

#if defined(__AVX512F__)
#define IN_VECTOR "+v"
#elif defined(__x86_64__)
#define IN_VECTOR "+x"
#elif defined(__aarch64__)
#define IN_VECTOR "+w"
#else
#define IN_VECTOR "+m"
#endif

#define SAME T
#define TRUTH int32_t

#define VECTORS for (int k = 0; k < NF; k += (int)(sizeof(V) / sizeof(T)))
#define CONVERTED(x, V) (x)
#define BODY "generated_steps_inner.h"

#define T float
#define MEMORY float
#define V vf
#define VU vfu
#define NAME(x) x##_f32
#define F(name) name##f
#include BODY
#undef T
#undef MEMORY
#undef V
#undef VU
#undef NAME
#undef F

#define T double
#define MEMORY double
#define V vd
#define VU vdu
#define NAME(x) x##_f64
#define F(name) name
#include BODY
#undef T
#undef MEMORY
#undef V
#undef VU
#undef NAME
#undef F

#define T int32_t
#define MEMORY int32_t
#define V vi
#define VU viu
#define NAME(x) x##_i32
#include BODY
#undef T
#undef MEMORY
#undef V
#undef VU
#undef NAME

#define T int64_t
#define MEMORY int64_t
#define V vl
#define VU vlu
#define NAME(x) x##_i64
#include BODY
#undef T
#undef MEMORY
#undef V
#undef VU
#undef NAME

/* As many bools as a vector has of 32 bits. */
typedef uint8_t Bools __attribute__((vector_size(NF), may_alias, aligned(1)));
#undef CONVERTED
#define CONVERTED(x, V) __builtin_convertvector(x, V)
#define T int32_t
#define MEMORY uint8_t
#define V vi
#define VU Bools
#define NAME(x) x##_bool
#include BODY

#define VECTOR_UNARY(name, vector, number)               \
    INLINE void unary_##name##_f32(float *y, const float *as) { \
        float a[NF] REGISTER;                            \
        apart_f32(a, as);                                \
        const vf x = *(const vf *)a;                     \
        *(vf *)y = vector;                               \
    }
UNARY_VECTOR(VECTOR_UNARY)

#define VECTOR_BINARY(name, vector, number)                                         \
    INLINE void binary_##name##_f32(float *y, const float *as, const float *bs) {   \
        float left[NF] REGISTER, right[NF] REGISTER;                                \
        apart_f32(left, as);                                                        \
        apart_f32(right, bs);                                                       \
        const vf a = *(const vf *)left, b = *(const vf *)right;                     \
        *(vf *)y = vector;                                                          \
    }
BINARY_VECTOR(VECTOR_BINARY)

#define IN_float float
#define IN_double double
#define IN_int32_t int32_t
#define IN_int64_t int64_t
#define IN_uint8_t int32_t
#define CAST(name, From, To, expression)                            \
    INLINE void cast_##name(IN_##To *y, const IN_##From *as) {      \
        EACH {                                                      \
            const IN_##From x = as[k];                              \
            y[k] = expression;                                      \
        }                                                           \
    }
CASTS(CAST)
