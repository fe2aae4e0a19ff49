/* Rows of conversion, selection and filling.
 *
 *     cast:   out[i] = (type)a[i]          where:  out[i] = a[i] ? b[i] : c[i]
 *
 * Selection moves bits, so it needs one row for each size and none for each type.
 */
#include "elementwise_inner.h"

#define CAST_ROW(row, From, To, expression)           \
    static void row ROW_ARGUMENTS {                   \
        To *out = out_;                               \
        const From *as = a_;                          \
        INDEPENDENT for (int64_t i = 0; i < n; i++) { \
            const From x = as[i];                     \
            out[i] = expression;                      \
        }                                             \
    }

CASTS(CAST_ROW)

#define ROWS_FROM(name) name##_f32, name##_f64, name##_i32, name##_i64, name##_bool
Row *const CASTS[TYPES * TYPES] = {ROWS_FROM(f32), ROWS_FROM(f64), ROWS_FROM(i32), ROWS_FROM(i64),
                                   ROWS_FROM(bool)};

#define WHERE_LOOP(condition, first, second)      \
    INDEPENDENT for (int64_t i = 0; i < n; i++) { \
        const T b = first, c = second;            \
        out[i] = condition ? b : c;               \
    }

#define WHERE_ROW(name, Type)                                       \
    static void name ROW_ARGUMENTS {                                \
        typedef Type T;                                             \
        T *out = out_;                                              \
        const uint8_t *as = a_, a0 = *as;                           \
        const T *bs = b_, *cs = c_, b0 = *bs, c0 = *cs;             \
        if (steps == 7) WHERE_LOOP(as[i], bs[i], cs[i])             \
        else if (steps == 3) WHERE_LOOP(as[i], bs[i], c0)           \
        else if (steps == 5) WHERE_LOOP(as[i], b0, cs[i])           \
        else if (steps == 1) WHERE_LOOP(as[i], b0, c0)              \
        else if (steps & (a0 ? 2 : 4)) memmove(out, a0 ? bs : cs, (size_t)n * sizeof(T)); \
        else for (int64_t i = 0; i < n; i++) out[i] = a0 ? b0 : c0; \
    }
WHERE_ROW(where_1, uint8_t)
WHERE_ROW(where_4, uint32_t)
WHERE_ROW(where_8, uint64_t)

Row *where_row(int64_t size) { return size == 1 ? where_1 : size == 4 ? where_4 : where_8; }

#define FILL_ROW(name, T)                                    \
    static void name ROW_ARGUMENTS {                         \
        T *out = out_, value = *(const T *)a_;               \
        for (int64_t i = 0; i < n; i++) out[i] = value;      \
    }
FILL_ROW(fill_1, uint8_t)
FILL_ROW(fill_4, uint32_t)
FILL_ROW(fill_8, uint64_t)

Row *fill_row(int64_t size) { return size == 1 ? fill_1 : size == 4 ? fill_4 : fill_8; }
