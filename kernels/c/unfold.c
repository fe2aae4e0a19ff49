/* Sliding windows written out as columns, and their transpose, over any number of axes.
 *
 *     for each plane (image and channel):
 *         for each element k of the window:
 *             for each position o of the window:
 *                 at = o * stride - before + k * dilation        one number for each axis
 *                 columns[plane, k, o] = x[plane, at] if at lies inside, else 0        unfold
 *                 x[plane, at] += columns[plane, k, o] if at lies inside               fold
 *
 * Along the last axis the positions that lie inside are one range, first to last, which is worked
 * out once for each k: the inner loop is a strided copy (or sum) without a test, with zeros before
 * and after it. The axes around it are walked by counters. Threads share (plane, k) for unfold; for
 * fold, whose windows overlap, whole planes: each number is added to in the order of k.
 */
#include "unfold.h"

#include "common.h"
#include "pool_inner.h"

static const int64_t GRAIN = 1 << 14; /* numbers */
enum { SIZE, KERNEL, STRIDE, BEFORE, DILATION, COUNT, FIELDS }; /* of each axis, in the plan */
enum { MOST_AXES = 64 };

typedef struct {
    void *out;
    const void *x;
    int64_t axes, kernel, positions, size; /* products over the axes */
    const int64_t *plan;
} Windows;

/* One row of positions: where it begins in x, and which of them lie inside. */
typedef struct {
    int64_t position[MOST_AXES], element[MOST_AXES];
    int64_t start, first, end;
} Row;

static void set_element(Row *row, const Windows *z, int64_t k) {
    for (int64_t axis = z->axes - 1; axis >= 0; axis--) {
        const int64_t kernel = z->plan[axis * FIELDS + KERNEL];
        row->element[axis] = k % kernel;
        row->position[axis] = 0;
        k /= kernel;
    }
}

/* Where the positions of the innermost axis lie; empty if an outer axis is outside. */
static void look_up(Row *row, const Windows *z) {
    int64_t start = 0, inside = 1;
    for (int64_t axis = 0; axis < z->axes; axis++) {
        const int64_t *p = z->plan + axis * FIELDS;
        const int64_t at =
            row->position[axis] * p[STRIDE] - p[BEFORE] + row->element[axis] * p[DILATION];
        start = start * p[SIZE] + at;
        if (axis < z->axes - 1) {
            inside &= at >= 0 && at < p[SIZE];
        } else { /* 0 <= at + o stride < size */
            const int64_t first = at >= 0 ? 0 : (-at + p[STRIDE] - 1) / p[STRIDE];
            const int64_t end = p[SIZE] > at ? (p[SIZE] - at + p[STRIDE] - 1) / p[STRIDE] : 0;
            row->end = inside ? MIN(end, p[COUNT]) : 0;
            row->first = MIN(first, row->end);
        }
    }
    row->start = start;
}

static void next_row(Row *row, const Windows *z) {
    for (int64_t axis = z->axes - 2; axis >= 0; axis--) {
        if (++row->position[axis] < z->plan[axis * FIELDS + COUNT]) return;
        row->position[axis] = 0;
    }
}

#define ADD(a, b) ((a) + (b))
#define OR(a, b) ((a) | (b))
#define T float
#define NAME(f) f##_f32
#define JOIN ADD
#include "unfold_inner.h"
#define T double
#define NAME(f) f##_f64
#define JOIN ADD
#include "unfold_inner.h"
#define T int32_t
#define NAME(f) f##_i32
#define JOIN ADD
#include "unfold_inner.h"
#define T int64_t
#define NAME(f) f##_i64
#define JOIN ADD
#include "unfold_inner.h"
#define T uint8_t
#define NAME(f) f##_u8
#define JOIN OR
#include "unfold_inner.h"

static Windows windows(void *out, const void *x, int64_t axes, const int64_t *plan) {
    Windows z = {out, x, axes, 1, 1, 1, plan};
    for (int64_t axis = 0; axis < axes; axis++) {
        z.kernel *= plan[axis * FIELDS + KERNEL];
        z.positions *= plan[axis * FIELDS + COUNT];
        z.size *= plan[axis * FIELDS + SIZE];
    }
    return z;
}

void unfold(void *out, const void *x, int64_t item, int64_t planes, int64_t axes,
            const int64_t *plan) {
    Windows z = windows(out, x, axes, plan);
    parallel_for(item == 1 ? unfold_u8 : item == 4 ? unfold_i32 : unfold_i64, &z,
                 planes * z.kernel, MAX(1, GRAIN / MAX(1, z.positions)));
}

#define FOLD(T, suffix)                                                                     \
    void fold_##suffix(T *out, const T *x, int64_t planes, int64_t axes,                    \
                       const int64_t *plan) {                                               \
        Windows z = windows(out, x, axes, plan);                                            \
        parallel_for(fold_planes_##suffix, &z, planes,                                      \
                     MAX(1, GRAIN / MAX(1, z.kernel * z.positions)));                             \
    }
FOLD(float, f32)
FOLD(double, f64)
FOLD(int32_t, i32)
FOLD(int64_t, i64)
FOLD(uint8_t, u8)
