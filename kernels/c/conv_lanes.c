/* Convolution of few channels: up to 64 images side by side in the lanes of 1 to 4 vectors.
 *
 *     x is turned over, to xt[place][channel][image]; then for each place p of the result:
 *         yt[outputs, p] = b + sum over taps k that meet a place q of x, channels c of
 *                              w[outputs, c, k] xt[q, c]              (one number x 64 images)
 *
 * Six or sixteen outputs of 10x10 places fill neither vectors along rows (10 of 16 lanes) nor
 * strips of a matrix product. Images do: 6 outputs x 4 vectors of images stay in registers over
 * all taps, 24 multiply-adds for 10 loads, whatever the image's width, stride or padding. A tap
 * over the border is left out: in the input gradient of LeNet's second layer that is the half.
 * The results of some rows are turned back while they are in the first-level cache. That gradient
 * takes 0.22 ms for 64 images on two threads of AVX-512, along rows of images (conv.c) 0.39; but
 * with few products for each result, turning costs more than it saves. If a result is not finite,
 * all are computed the other way: there, 0 in the border times infinity is not skipped.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "workspace_inner.h"

enum { VECTORS = 4, PLACES = 24 };
#if VBYTES == 64 || defined(__aarch64__) /* 32 vector registers */
enum { MOST_ROWS = 14 };
static const int HEIGHTS[VECTORS + 1] = {0, 14, 14, 8, 6};
#define MOST_SUMS 28
#else
enum { MOST_ROWS = 6 };
static const int HEIGHTS[VECTORS + 1] = {0, 6, 6, 4, 3};
#define MOST_SUMS 12
#endif

/* A place that a tap of a result meets. */
typedef struct {
    int32_t source, tap;
} Meeting;

typedef struct {
    const ConvShape *shape;
    int64_t in, out, taps, sources, places;        /* channels summed over and made; of a channel */
    int64_t columns, rows, row_blocks;             /* of results; rows of a task */
    int64_t vectors, strips, block, n;             /* of outputs; images of a block, and in all */
    int back;
    int64_t *start;                                /* the first meeting of each place */
    Meeting *meetings;
} Lanes;

/* Strips are of even height. */
static int64_t strip_begin(const Lanes *d, int64_t strip) { return strip * d->out / d->strips; }

/* Few channels of images of which a block stays in the second-level cache, and many images. */
int conv_lanes_fits(const ConvShape *s, int64_t in, int64_t out, int64_t sources) {
    enum { CHANNELS = 64, IMAGES = 24, BYTES = 2 << 20, PRODUCTS = 100 };
    return s->groups == 1 && s->n >= IMAGES && MAX(in, out) <= CHANNELS && out >= 3 &&
           sources * in * 64 * 4 <= BYTES && s->k * s->l > 1 && in * s->k * s->l >= PRODUCTS;
}

/* The place that a tap of a result meets, on one axis; -1 if none. */
static int64_t meets(int64_t result, int64_t tap, int64_t step, int64_t gap, int64_t before,
                     int64_t size, int back) {
    int64_t at = back ? result + before - tap * gap : result * step - before + tap * gap;
    if (at < 0 || (back && step > 1 && at % step)) return -1;
    if (back && step > 1) at /= step;
    return at < size ? at : -1;
}

static void list_meetings(Lanes *d) {
    const ConvShape *s = d->shape;
    int64_t h = d->back ? s->oh : s->h, w = d->back ? s->ow : s->w, count = 0;
    for (int64_t p = 0, i = 0, j = 0; p < d->places; p++) {
        d->start[p] = count;
        for (int64_t k = 0; k < s->k; k++) {
            int64_t y = meets(i, k, s->sy, s->dy, s->top, h, d->back);
            for (int64_t l = 0; l < s->l && y >= 0; l++) {
                int64_t x = meets(j, l, s->sx, s->dx, s->left, w, d->back);
                d->meetings[count] = (Meeting){(int32_t)(y * w + x), (int32_t)(k * s->l + l)};
                count += x >= 0;
            }
        }
        if (++j == d->columns) j = 0, i++;
    }
    d->start[d->places] = count;
}

static int plan_lanes(Lanes *d, const ConvShape *s, int back, int64_t lanes) {
    int64_t here = s->h * s->w, there = s->oh * s->ow;
    *d = (Lanes){.shape = s, .in = back ? s->o : s->c, .out = back ? s->c : s->o, .back = back,
                 .taps = s->k * s->l, .sources = back ? there : here, .n = s->n,
                 .places = back ? here : there, .columns = back ? s->w : s->ow};
    d->vectors = MIN(VECTORS, (s->n + lanes - 1) / lanes);
    d->block = d->vectors * lanes;
    d->strips = (d->out + HEIGHTS[d->vectors] - 1) / HEIGHTS[d->vectors];
    int64_t rows = d->places / d->columns;
    d->rows = MIN(rows, (PLACES + d->columns - 1) / d->columns);
    d->row_blocks = (rows + d->rows - 1) / d->rows;
    int64_t starts = (d->places + 1) * sizeof(int64_t);
    char *memory = workspace(3, starts + (d->places * d->taps + 1) * sizeof(Meeting));
    if (!memory) return -1;
    d->start = (int64_t *)memory;
    d->meetings = (Meeting *)(memory + starts);
    list_meetings(d);
    return 0;
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_lanes_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_lanes_inner.h"
