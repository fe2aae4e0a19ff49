/* Local response normalisation of x (n, c, l) over `size` neighbouring channels, and its gradient.
 *
 *     s[c] = k + alpha / size (sum of x[c']^2 over the window around c)
 *     y[c] = x[c] s[c]^-beta
 *
 *     pull[c] = g[c] x[c] s[c]^-beta / s[c]
 *     gx[c]   = g[c] s[c]^-beta - 2 alpha beta / size x[c] (sum of pull over windows with c)
 *
 * Channels lie l numbers apart. A task takes a strip of COLUMNS of one image through all channels:
 * rows of a window are in the first-level cache, and each is squared anew for every window, which
 * costs less than to keep the squares. Composed from separate functions, x crosses memory eight
 * times and each power takes 15 ns. With beta = 3/4, as in the paper, a power is two square roots.
 * 32 x 64 x 28 x 28 floats, size 5, on two threads: 1.8 ms, backward 1.1; composed 13 and 14.
 */
#include "common.h"
#include "norm.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { COLUMNS = 128 };
static const int64_t GRAIN = 1 << 14; /* numbers */

typedef struct {
    void *y, *s;
    const void *g, *x;
    int64_t n, c, l, size, strips;
    double alpha, beta, k;
    int failed; /* for want of memory */
} Response;

#define T float
#define ROOT sqrtf
#define POWER powf
#define NAME(f) f##_f32
#include "response_norm_inner.h"
#undef T
#undef ROOT
#undef POWER
#undef NAME

#define T double
#define ROOT sqrt
#define POWER pow
#define NAME(f) f##_f64
#include "response_norm_inner.h"
