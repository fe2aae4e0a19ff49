/* Rows of functions that are one expression, for all five types.
 *
 *     for i in 0 .. n-1:  out[i] = f(a[i], b[i])
 *
 * Nothing here is written in vectors. Two things make the compiler write them: the loop is marked
 * INDEPENDENT, as `out` is apart from the operands or equal to one of them, so no version for arrays
 * that overlap is needed; and the expressions are conditionals, not branches, which become masks.
 * In the cache an addition then runs at the speed of its loads and stores; in memory everything
 * here costs the same.
 */
#include "elementwise_inner.h"

#define T float
#define NAME(x) x##_f32
#define F(name) name##f
#include "elementwise_rows_inner.h"
#undef T
#undef NAME
#undef F

#define T double
#define NAME(x) x##_f64
#define F(name) name
#include "elementwise_rows_inner.h"
#undef T
#undef NAME
#undef F

/* floor(a / b), a - b floor(a / b), a - b trunc(a / b), with 0 for b = 0. Division by -1 apart: the
 * processor traps where the lowest integer has no negative. */
#define DIVISIONS(T, NAME)                                                            \
    static inline T NAME(floor_divide)(T a, T b) {                                    \
        if (b == 0) return 0;                                                         \
        if (b == (T)-1) return (T)-a;                                                 \
        return a / b - (a % b != 0 && (a < 0) != (b < 0));                            \
    }                                                                                 \
    static inline T NAME(fmod)(T a, T b) { return b == 0 || b == (T)-1 ? 0 : a % b; } \
    static inline T NAME(remainder)(T a, T b) {                                       \
        T r = NAME(fmod)(a, b);                                                       \
        return r != 0 && (r < 0) != (b < 0) ? r + b : r;                              \
    }                                                                                 \
    /* a^b by squaring, wrapping; for b < 0 without the fraction, and 0^b is 0. */    \
    static inline T NAME(pow)(T a, T b) {                                             \
        if (b < 0) return a == 1 ? 1 : a == (T)-1 ? (T)(b & 1 ? -1 : 1) : 0;          \
        T power = 1;                                                                  \
        for (; b; b >>= 1, a *= a)                                                    \
            if (b & 1) power *= a;                                                    \
        return power;                                                                 \
    }

#define I32_NAME(x) x##_i32
#define I64_NAME(x) x##_i64
#define BOOL_NAME(x) x##_bool
DIVISIONS(int32_t, I32_NAME)
DIVISIONS(int64_t, I64_NAME)
DIVISIONS(int8_t, BOOL_NAME)

#define WHOLE(f) NAME(f)
#define T int32_t
#define NAME(x) x##_i32
#include "elementwise_rows_inner.h"
#undef T
#undef NAME

#define T int64_t
#define NAME(x) x##_i64
#include "elementwise_rows_inner.h"
#undef T
#undef NAME

#define T int8_t
#define NAME(x) x##_bool
#include "elementwise_rows_inner.h"
