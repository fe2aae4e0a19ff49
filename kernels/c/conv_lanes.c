/* Convolution of few channels: images side by side in the lanes of one or two vectors.
 *
 *     for each block of images, and part of the rows of results:                      (a task)
 *         turn x of these images over, as far as the part meets it, to xt[place][channel][image]
 *         for each place p of the part:
 *             yt[outputs, p] = b + sum over taps k that meet a place q of x, channels c of
 *                                  w[outputs, c, k] xt[q, c]      (one number x 32 images)
 *         turn yt back to y
 *
 * Six or sixteen outputs of 10x10 places fill neither vectors along rows (10 of 16 lanes) nor
 * strips of a matrix product. Images do: 8 outputs x 2 vectors of images stay in registers over
 * all taps, 16 multiply-adds for 10 loads, whatever the image's width, stride or padding. A tap
 * over the border is left out: in the input gradient of LeNet's second layer that is the half.
 * The results of some rows are turned back while they are in the first-level cache.
 *
 * A task turns what it reads itself, even if another has turned some of the rows: memory that one
 * core has written and another one reads goes from cache to cache. With one copy for all threads,
 * LeNet's second layer takes 0.20 ms for 64 images on two threads of AVX-512, and turning alone
 * 0.03, more than on one thread; this way 0.13, along rows of images (conv.c) 0.18. Its input
 * gradient takes 0.14 instead of 0.20.
 *
 * With few products for each result, turning costs more than it saves. If a result is not finite,
 * all are computed the other way: there, 0 in the border times infinity is not skipped.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "workspace_inner.h"

enum { VECTORS = 2, PLACES = 24, TASKS = 4 };
#if VBYTES == 64 || defined(__aarch64__) /* 32 vector registers */
enum { MOST_ROWS = 14 };
#define MANY_ROWS 1
#else
enum { MOST_ROWS = 6 };
#define MANY_ROWS 0
#endif

/* A place that a tap of a result meets. */
typedef struct {
    int32_t source, tap;
} Meeting;

typedef struct {
    const ConvShape *shape;
    int64_t in, out, taps, sources, places; /* channels summed over and made; of a channel */
    int64_t columns, rows, rows_at_once;    /* of results; rows that are turned back together */
    int64_t strips, block, blocks, parts;   /* of outputs; images; blocks of them; of the rows */
    int back;
    int64_t *start;                         /* the first meeting of each place */
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

static int64_t row_met(const Lanes *d, int64_t row, int64_t tap) {
    const ConvShape *s = d->shape;
    return meets(row, tap, s->sy, s->dy, s->top, d->back ? s->oh : s->h, d->back);
}

/* Row by row: a list of the columns that meet, which is the same for all rows, is kept. */
static void list_meetings(Lanes *d, Meeting *along, int64_t *ends) {
    const ConvShape *s = d->shape;
    int64_t w = d->back ? s->ow : s->w, count = 0, found = 0;
    for (int64_t j = 0; j < d->columns; ends[j++] = found)
        for (int64_t l = 0; l < s->l; l++) {
            int64_t x = meets(j, l, s->sx, s->dx, s->left, w, d->back);
            along[found] = (Meeting){(int32_t)x, (int32_t)l};
            found += x >= 0;
        }
    for (int64_t i = 0, p = 0; i < d->rows; i++)
        for (int64_t j = 0, first = 0; j < d->columns; first = ends[j++]) {
            d->start[p++] = count;
            for (int64_t k = 0; k < s->k; k++) {
                int64_t y = row_met(d, i, k);
                for (int64_t at = first; at < ends[j] && y >= 0; at++)
                    d->meetings[count++] = (Meeting){(int32_t)(y * w + along[at].source),
                                                     (int32_t)(k * s->l + along[at].tap)};
            }
        }
    d->start[d->places] = count;
}

/* The places of x that some rows of results meet: from *begin to before *end. */
static void places_met(const Lanes *d, int64_t row, int64_t after, int64_t *begin, int64_t *end) {
    int64_t w = d->back ? d->shape->ow : d->shape->w;
    *begin = d->sources, *end = 0;
    for (int64_t i = row; i < after; i++)
        for (int64_t k = 0; k < d->shape->k; k++) {
            int64_t y = row_met(d, i, k);
            if (y < 0) continue;
            *begin = MIN(*begin, y * w);
            *end = MAX(*end, (y + 1) * w);
        }
    *begin = MIN(*begin, *end);
}

static int plan_lanes(Lanes *d, const ConvShape *s, int back, int64_t lanes) {
    int64_t here = s->h * s->w, there = s->oh * s->ow;
    *d = (Lanes){.shape = s, .in = back ? s->o : s->c, .out = back ? s->c : s->o, .back = back,
                 .taps = s->k * s->l, .sources = back ? there : here,
                 .places = back ? here : there, .columns = back ? s->w : s->ow,
                 .rows = back ? s->h : s->oh, .block = VECTORS * lanes};
    d->strips = (d->out + MOST_ROWS - 1) / MOST_ROWS;
    d->rows_at_once = MIN(d->rows, (PLACES + d->columns - 1) / d->columns);
    d->blocks = (s->n + d->block - 1) / d->block;
    d->parts = MIN(d->rows, (TASKS + d->blocks - 1) / d->blocks);
    int64_t starts = d->places + 1, most = d->columns * s->l;
    int64_t *memory = workspace(3, (starts + d->columns) * sizeof(int64_t) +
                                       (d->places * d->taps + most + 1) * sizeof(Meeting));
    if (!memory) return -1;
    d->start = memory;
    d->meetings = (Meeting *)(memory + starts + d->columns) + most;
    list_meetings(d, d->meetings - most, memory + starts);
    return 0;
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_lanes_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_lanes_inner.h"
