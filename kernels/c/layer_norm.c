/* Layer normalisation of the rows of x (rows, length), and its gradient.
 *
 *     for each row:
 *         mean = sum of x / length
 *         rstd = 1 / sqrt(sum of (x - mean)^2 / length + eps)
 *         y    = (x - mean) rstd w + b
 *
 *     h  = g w,   xhat = (x - mean) rstd
 *     gx = rstd (h - mean of h - xhat (mean of h xhat))
 *     gw = sum over rows of g xhat,   gb = sum over rows of g
 *
 * A row stays in the first-level cache through all its sweeps, so memory sees one read and one
 * write. The gradient's sums over rows are made in the same sweep: chunks of rows, whose number
 * depends on sizes alone, have totals of their own, which meet in order and in double precision.
 */
#include "common.h"
#include "norm.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { BLOCK = 4096, MOST_ROWS = 128 };
static const int64_t GRAIN = 1 << 14; /* numbers */

typedef struct {
    void *y, *mean, *rstd;
    const void *g, *x, *w, *b, *old_mean, *old_rstd;
    double eps;
    int64_t rows, length, chunk; /* chunk: rows that share totals */
    void *totals;                /* for each chunk: of g xhat, then of g */
} Layer;

#define LANES ((int)(sizeof(V) / sizeof(T)))

#define T float
#define V vf
#define VU vfu
#define NAME(f) f##_f32
#include "moments_inner.h"
#include "layer_norm_inner.h"
#undef T
#undef V
#undef VU
#undef NAME

#define T double
#define V vd
#define VU vdu
#define NAME(f) f##_f64
#include "moments_inner.h"
#include "layer_norm_inner.h"
