/* Convolution of small images: the images of a batch lie side by side in the lanes.
 *
 *     x is turned over, to xt[channel, place][image]; then for each strip of outputs:
 *         for each place p of the result, tap k, place q of x that they meet:
 *             yt[outputs, p] += w[outputs, :, k] xt[:, q]       (sums over channels, of images)
 *
 * An image of 2x2 fills a quarter of a vector, and four ninths of its windows lie over the border.
 * Here every lane is used, and a tap that meets no place is in no product: 16 of 36 are left. The
 * products run on the tiles of gemm_inner.h, on a strip of weights that was packed once and stays
 * in the second-level cache for all of them, so weights come from memory once: at 512 channels they
 * are most of what has to be moved. The input gradient is the same with p and q exchanged, and the
 * weight gradient sums over images:
 *
 *     gw[outputs, channels, k] = sum over (p, q) that k joins of
 *                                    g[outputs, p, :] xt[channels, q, :]'
 *
 * 32 images of 2x2, 512 channels: forward 1.1 ms on two threads of AVX-512, gradients 1.3 and 1.5,
 * where the ways of conv.c and conv_weight.c took 32, 36 and 18. Where a result is not finite,
 * those are taken nevertheless: there, 0 in the border times infinity is not skipped.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "workspace_inner.h"

enum { TURNED = 512, CHANNELS = 4 * MR };

/* A place of the result, the place that one of its taps meets, and the tap. */
typedef struct {
    int32_t result, source, tap;
} Pair;

typedef struct {
    int64_t n, padded;              /* images, and as whole vectors */
    int64_t in, out;                /* channels: summed over, made */
    int64_t sources, places, taps;  /* of one channel */
    int64_t count;
    Pair *pairs;
    int back;                       /* an input gradient: weights are (in, out, taps) */
} Batch;

/* Few places, and enough images for vectors; not where another way has less to multiply. */
int conv_batch_fits(const ConvShape *s) {
    enum { PLACES = 4, IMAGES = 8, CHANNELS_FROM = 16 };
    return s->groups == 1 && s->oh * s->ow <= PLACES && s->h * s->w <= 4 * PLACES &&
           s->n >= IMAGES && MIN(s->c, s->o) >= CHANNELS_FROM;
}

/* All pairs, in the order of results, or of taps. Returns how many. */
static int64_t list_pairs(Pair *pairs, const ConvShape *s, int back, int by_tap) {
    int64_t columns = back ? s->w : s->ow, places = back ? s->h * s->w : s->oh * s->ow;
    int64_t rows_in = back ? s->oh : s->h, columns_in = back ? s->ow : s->w;
    int64_t taps = s->k * s->l, inner = by_tap ? places : taps, count = 0;
    for (int64_t i = 0; i < places * taps; i++) {
        int64_t place = by_tap ? i % inner : i / inner, tap = by_tap ? i / inner : i % inner;
        int64_t y = meets(place / columns, tap / s->l, s->sy, s->dy, s->top, rows_in, back);
        int64_t x = meets(place % columns, tap % s->l, s->sx, s->dx, s->left, columns_in, back);
        if (y < 0 || x < 0) continue;
        pairs[count++] = (Pair){(int32_t)place, (int32_t)(y * columns_in + x), (int32_t)tap};
    }
    return count;
}

static int plan_batch(Batch *d, const ConvShape *s, int back, int by_tap, int64_t lanes) {
    int64_t here = s->h * s->w, there = s->oh * s->ow;
    *d = (Batch){.n = s->n, .padded = (s->n + lanes - 1) / lanes * lanes, .in = back ? s->o : s->c,
                 .out = back ? s->c : s->o, .sources = back ? there : here,
                 .places = back ? here : there, .taps = s->k * s->l, .back = back};
    d->pairs = workspace(3, d->places * d->taps * sizeof(Pair));
    if (!d->pairs) return -1;
    d->count = list_pairs(d->pairs, s, back, by_tap);
    return 0;
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_batch_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_batch_inner.h"
