/* Batch normalisation of x (n, c, l) over n and l, and its gradient.
 *
 *     for each channel:
 *         mean = sum of x / m                                                     m = n l
 *         var  = sum of (x - mean)^2 / m
 *         y    = (x - mean) w / sqrt(var + eps) + b
 *
 *     gb = sum of g;    gw = sum of g xhat                                 xhat = (x - mean) rstd
 *     gx = w rstd (g - gb / m - xhat gw / m)
 *
 * What follows is done in passing: y = relu(y + r), and for the gradient g = 0 where not y > 0.
 *
 * Written so, x crosses memory three times. Here a task takes a channel through all steps while it
 * is in the second-level cache, so memory sees one read and one write; y of large tensors is
 * streamed past the cache. 32 x 64 x 56 x 56 floats on two threads: 1.7 ms, backward 2.4.
 *
 * The sum of squares around zero would cancel where the mean is large. Each block of a plane fits
 * the first-level cache, so it is read twice: for its mean, then for the squares around that.
 * Blocks meet in double precision, with squares + count (block's mean - mean)^2 of each.
 *
 * A channel that does not fit the cache, or too few channels for all threads: the same steps, each
 * over all planes, planes shared by threads. Planes of at most STRIP numbers: x is a matrix
 * (n, c l), columns side by side in vectors. All that depends on sizes alone.
 */
#include "common.h"
#include "norm.h"
#include "pool_inner.h"
#include "stream_inner.h"
#include "workspace_inner.h"

enum { BLOCK = 4096, STRIP = 64, SPILL = 128, FEW = 8 };
static const int64_t CACHED = 1 << 20, STREAM_FROM = 16 << 20; /* bytes */
static const int64_t GRAIN = 1 << 14;                          /* numbers */

/* Of a block: forward sum and squares around its mean; backward sums of g and of g (x - mean). */
typedef struct {
    double first, second;
} Pair;

typedef struct {
    void *y, *mean, *var; /* backward: gx, gb, gw */
    const void *g, *x, *w, *b, *old_mean, *old_var;
    const void *r, *mask; /* to be added; y of the forward pass */
    int relu;
    double eps;
    int64_t n, c, l, blocks; /* blocks of a plane */
    Pair *pairs;             /* of each channel, image and block */
    int stream, fetch;
} Norm;

INLINE int64_t block_size(const Norm *z, int64_t block) { return MIN(BLOCK, z->l - block * BLOCK); }

/* Run one step after the other over all channels: fused, channel by channel, or plane by plane. */
static int run(Norm *z, size_t item, int tensors, Task fused, Task measure, Task meet, Task apply) {
    const int64_t plane = z->l, channel = z->n * plane;
    z->blocks = (plane + BLOCK - 1) / BLOCK;
    z->stream = z->n * z->c * plane * (int64_t)item >= STREAM_FROM &&
                plane * (int64_t)item % VBYTES == 0 && (uintptr_t)z->y % VBYTES == 0;
    z->pairs = workspace(0, (size_t)(z->c * z->n * z->blocks) * sizeof(Pair));
    if (!z->pairs) return -1;
    if (z->c >= FEW && channel * (int64_t)item * tensors <= CACHED) {
        z->fetch = z->blocks == 1 && !z->stream;
        parallel_for(fused, z, z->c, MAX(1, GRAIN / channel));
    } else {
        const int64_t grain = MAX(1, GRAIN / plane);
        parallel_for(measure, z, z->c * z->n, grain);
        parallel_for(meet, z, z->c, MAX(1, GRAIN / (z->n * z->blocks)));
        parallel_for(apply, z, z->c * z->n, grain);
    }
    return 0;
}

#define LANES ((int)(sizeof(V) / sizeof(T)))

#define T float
#define V vf
#define VINT vi
#define VU vfu
#define NAME(f) f##_f32
#include "moments_inner.h"
#include "batch_norm_inner.h"
#include "batch_norm_short_inner.h"
#undef T
#undef V
#undef VINT
#undef VU
#undef NAME

#define T double
#define V vd
#define VINT vl
#define VU vdu
#define NAME(f) f##_f64
#include "moments_inner.h"
#include "batch_norm_inner.h"
#include "batch_norm_short_inner.h"
