/* The weight gradient where channels and outputs are few, stride and dilation 1.
 *
 *     for each output o, channel c, tap (k, l):
 *         gw[o, c, k, l] = sum over images and (i, j) of g[o, i, j] x[c, i + k - top, j + l - left]
 *
 * Six outputs fill no vector of 16 lanes, and one channel offers 25 taps: here (unlike in
 * conv_weight.c) the lanes are places beside each other in a row. Then both factors are read as
 * they lie, the window's shift is an unaligned load, and sums of a few outputs x the taps of one
 * row of the window stay in registers over all places of a block of rows:
 *
 *     for each block of rows, channel c, window row k, block of outputs:
 *         for each row i, vector of columns j:
 *             load g[o] for each output of the block
 *             for each l: load x[i + k][j + l ...], sums[o][l] += g[o] x for each o
 *
 * 15 multiply-adds for 8 loads; LeNet's first layer, 64 images, takes 0.09 ms on two threads of
 * AVX-512, where the way of conv_depthwise.c took 0.53 ms. The last vector of a row reaches back
 * over columns that were done, which are cleared in both factors (0 times infinity is no 0). Lanes
 * are added up once for a chunk of images, chunks in their order; both depend on shapes alone.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { CHUNKS = 16, MOST_CHANNELS = 4, MOST_OUTPUTS = 8, BLOCK_BYTES = 20 << 10 };
#if VBYTES == 64 || defined(__aarch64__) /* 32 vector registers */
enum { OUTPUTS = 3 };
#else
enum { OUTPUTS = 2 };
#endif

typedef struct {
    const ConvShape *shape;
    Copy copy;
    int64_t copy_elements, as_is, rows, images, chunks, blocks; /* blocks of outputs */
} Few;

/* The first output of a block; the last block goes back over outputs of the one before. */
static int64_t first_output(const Few *s, int64_t block) {
    return MIN(block * OUTPUTS, s->shape->o - OUTPUTS);
}

static void plan_few(Few *s, const ConvShape *c, int64_t itemsize) {
    int64_t chunks = MIN(c->n, CHUNKS);
    *s = (Few){.shape = c, .images = (c->n + chunks - 1) / chunks,
               .blocks = (c->o + OUTPUTS - 1) / OUTPUTS,
               .rows = MAX(1, BLOCK_BYTES / (c->o * c->ow * itemsize))};
    s->chunks = (c->n + s->images - 1) / s->images;
    s->copy = (Copy){.channels = c->c, .h = c->h, .w = c->w, .sy = 1, .sx = 1, .planes = 1,
                     .gap = 1, .row = -c->top, .column = -c->left, .rows = c->oh + c->k - 1,
                     .width = c->ow + c->l - 1};
    s->copy_elements = copy_size(&s->copy, itemsize);
    s->as_is = !c->top && !c->left && s->copy.width == c->w && s->copy.rows == c->h;
    if (s->as_is) s->copy.channel = c->h * c->w;
}

/* Rows of at least one vector of any instruction set; windows whose rows have a kernel. */
static int few_fit(const ConvShape *s) {
    return s->groups == 1 && s->c <= MOST_CHANNELS && s->o >= 3 && s->o <= MOST_OUTPUTS &&
           s->sy * s->sx * s->dy * s->dx == 1 && (s->l == 3 || s->l == 5) && s->k <= 7 &&
           s->ow >= LARGEST_VECTOR;
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_weight_few_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_weight_few_inner.h"
