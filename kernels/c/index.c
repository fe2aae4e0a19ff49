/* Rows read and added to at given places.
 *
 *     for i in 0 ... count-1:              gather              for i in ...:         scatter_add
 *         out[i, :] = x[indices[i], :]                             out[indices[i], :] += x[i, :]
 *
 * gather moves whole rows, so it is as fast as memory where rows are long. scatter_add may meet a
 * row several times, and floating-point sums depend on the order: every number of `out` is owned by
 * one thread, which adds in the order of i. Long rows are cut into strips of columns; for short
 * ones each thread takes a range of rows of `out` and passes over the others' indices, which costs
 * less than one cache miss each.
 *
 * A negative index counts from the end. The caller has checked all with index_first_bad.
 */
#include "index.h"

#include "common.h"
#include "pool_inner.h"

enum { STRIP = 64, RANGES = 4 };
static const int64_t GRAIN = 1 << 15; /* bytes, or numbers to add */

/* 0, or 1 + the place of the first index outside -rows ... rows-1. */
int64_t index_first_bad(const int64_t *indices, int64_t count, int64_t rows) {
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= (indices[i] >= rows) | (indices[i] < -rows);
    if (!bad) return 0;
    int64_t i = 0;
    while (indices[i] < rows && indices[i] >= -rows) i++;
    return i + 1;
}

INLINE int64_t place(const int64_t *indices, int64_t i, int64_t rows) {
    return indices[i] + (indices[i] < 0 ? rows : 0);
}

typedef struct {
    void *out;
    const void *x;
    const int64_t *indices;
    int64_t count, rows, length; /* of a row: numbers, for gather bytes */
    int64_t strip, range;        /* what one piece of scatter_add owns */
} Rows;

#define GATHER(T)                                                                       \
    for (int64_t i = begin; i < end; i++)                                               \
        ((T *)z->out)[i] = ((const T *)z->x)[place(z->indices, i, z->rows)];

static void gather_part(void *context, int64_t begin, int64_t end) {
    const Rows *z = context;
    const size_t length = (size_t)z->length;
    if (length == 4) {
        GATHER(uint32_t)
    } else if (length == 8) {
        GATHER(uint64_t)
    } else {
        for (int64_t i = begin; i < end; i++)
            memcpy((char *)z->out + (size_t)i * length,
                   (const char *)z->x + (size_t)place(z->indices, i, z->rows) * length, length);
    }
}

void gather(void *out, const void *x, const int64_t *indices, int64_t count, int64_t rows,
            int64_t bytes) {
    Rows z = {out, x, indices, count, rows, bytes, 0, 0};
    parallel_for(gather_part, &z, count, MAX(1, GRAIN / bytes));
}

#define ADD(a, b) ((a) + (b))
#define OR(a, b) ((a) | (b))
#define T float
#define NAME(f) f##_f32
#define JOIN ADD
#include "index_inner.h"
#define T double
#define NAME(f) f##_f64
#define JOIN ADD
#include "index_inner.h"
#define T int32_t
#define NAME(f) f##_i32
#define JOIN ADD
#include "index_inner.h"
#define T int64_t
#define NAME(f) f##_i64
#define JOIN ADD
#include "index_inner.h"
#define T uint8_t
#define NAME(f) f##_u8
#define JOIN OR
#include "index_inner.h"
