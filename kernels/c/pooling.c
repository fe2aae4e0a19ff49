/* Pooling: the largest element or the sum of each window of each plane, and the gradients.
 *
 *     for each plane, for each window (i, j):
 *         y[i, j] = max over k, l of x[i sy - top + k dy, j sx - left + l dx]      (first wins)
 *
 * A window is a few numbers, so looking at windows one by one leaves the vectors empty. Here the
 * lanes of a vector are neighbouring windows, and the two axes are done one after the other:
 *
 *     for each row of the plane:     best[j] = max over l of row[j sx - left + l dx]
 *     for each i:                    y[i]    = max over k of best of row i sy - top + k dy
 *
 *   - k + l comparisons for a window instead of k l, and a row that several windows share is
 *     looked at once. "First" stays right: rows come in order, and within a row the columns.
 *   - Taps sx apart lie side by side once a row is split into its sx phases (`split_row`: the even
 *     and the odd columns for sx = 2), so each tap is one contiguous load, at borders too.
 *   - 2x2 windows that do not overlap need no scratch rows: `max_2x2` reads two rows and writes.
 *   - Rows of results are written in whole vectors that run over the row's end: the next row, which
 *     comes later, puts that right. Only the last rows of a chunk are written with care.
 *
 * What remains is memory: the forward pass on 32x64x56x56 reads 26 MB and writes 19, most of it
 * positions, in 1.6 ms on two cores; window by window it takes 11.8.
 */
#include "pooling.h"

#include "common.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { CHUNK = 1 << 15, LANES = 16 }; /* elements of a chunk of planes; a row's scratch is padded */

static int64_t chunk_of_planes(int64_t size) { return MAX(1, CHUNK / MAX(size, 1)); }

static int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* Windows i with all of 0 <= i step + offset < size: from *begin to before *end. */
static void inside(int64_t offset, int64_t step, int64_t size, int64_t count, int64_t *begin,
                   int64_t *end) {
    *begin = offset >= 0 ? 0 : MIN(count, (-offset + step - 1) / step);
    *end = offset >= size ? 0 : MIN(count, (size - 1 - offset) / step + 1);
    *end = MAX(*begin, *end);
}

/* 2x2 windows side by side, none over the border. */
static int apart_2x2(const PoolShape *s) {
    return s->k == 2 && s->l == 2 && s->sy == 2 && s->sx == 2 && s->top == 0 && s->left == 0 &&
           2 * s->oh <= s->h && 2 * s->ow <= s->w;
}

#define T float
#define NAME(name) name##_f32
#define LOWEST (-INFINITY)
#include "pooling_max_inner.h"
#include "pooling_sum_inner.h"
#undef T
#undef NAME

#define T double
#define NAME(name) name##_f64
#include "pooling_max_inner.h"
#include "pooling_sum_inner.h"
