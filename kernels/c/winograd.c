/* 3x3 convolution by Winograd's algorithm F(4x4, 3x3): 36 multiplications where 144 were.
 *
 *     for each tile of 4x4 results (6x6 elements of x), each output o:
 *         tile = A' [ sum over c of (G w[o, c] G') . (B' x[c, 6x6] B) ] A       (. by element)
 *
 * A product of polynomials, computed at the points 0, 1, -1, 2, -2 and infinity: once transformed,
 * what is left are 36 independent matrix products (outputs x channels) (channels x tiles), a
 * quarter of the multiplications of the direct method. Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", CVPR 2016, section 4.
 *
 *   - Transforms are memory work, so 16 tiles at a time lie in the lanes of vectors (`Lanes`), even
 *     where a row has 14: a loop that ends early would stay scalar, 1.7 times slower.
 *   - 48 tiles go through all three phases while they are in the second-level cache. Where tiles
 *     are few and channels many, the weights are the larger part; then a block of outputs does.
 *   - The matrix products run on the register tile of the direct convolution.
 *
 * The points 2 and -2 cost accuracy: errors are within 3e-5 of the largest result (3e-6 direct). A
 * nan or inf would spread over its tile: if a result is not finite, all are computed directly.
 */
#include "common.h"
#include "conv_inner.h"
#include "conv_sweep_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "winograd_points_inner.h"
#include "workspace_inner.h"

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_tile_inner.h"

enum { BLOCK = 48, PANEL = FEWER_OUTPUTS };

typedef struct {
    int64_t n, channels, outputs, h, w, oh, ow, top, left; /* of the convolution done here */
    int64_t w_output, w_channel;                           /* steps in the weights */
    int turned;                                            /* weights are read from the end */
    int64_t across, down, tiles, blocks, panels, part;     /* part: panels of a block of outputs */
    const float *x, *weights, *b;
    float *y, *u, *v;
    const float *zeros;
    int32_t *offset;
    int activation, failed, strange;
} Winograd;

#include "winograd_transform_inner.h"

/* Elements from one point to the next: a cache line more than the data, lest all points share sets
   of the cache (with 512 channels: 2.5 times slower). */
static int64_t weight_step(const Winograd *d) { return d->channels * PANEL + 16; }
static int64_t input_step(const Winograd *d) { return d->channels * BLOCK + 16; }

/* Tiles of a block: a multiple of 16. */
static int64_t block_width(const Winograd *d, int64_t block) {
    return MIN(BLOCK, (d->tiles - block * BLOCK + GROUP - 1) / GROUP * GROUP);
}

static int64_t padded_width(const Winograd *d) { return 4 * d->across + 4; }

/* Where each tile of a block lies in `planes`, the padded rows of tiles of one channel. */
static void place_tiles(const Winograd *d, int64_t block, int64_t *at) {
    int64_t first = block * BLOCK, first_row = first / d->across;
    for (int64_t t = 0; t < block_width(d, block); t++) {
        int64_t tile = MIN(first + t, d->tiles - 1), row = tile / d->across;
        int64_t rows = (row / d->down - first_row / d->down) * 2; /* each image has two rows more */
        at[t] = ((row - first_row) * 4 + rows) * padded_width(d) + tile % d->across * 4;
    }
}

/* The rows of one channel that a block's tiles need, image by image. */
static void copy_rows(const Winograd *d, float *to, int64_t block, int64_t channel) {
    int64_t row = block * BLOCK / d->across;
    int64_t last = (MIN(d->tiles, (block + 1) * BLOCK) - 1) / d->across;
    const float *limit = d->x + d->n * d->channels * d->h * d->w;
    while (row <= last) {
        int64_t image = row / d->down, count = MIN(last + 1, (image + 1) * d->down) - row;
        Copy c = {.h = d->h, .w = d->w, .sy = 1, .sx = 1, .rows = 4 * count + 2,
                  .width = padded_width(d)};
        copy_plane_f32(to, d->x + (image * d->channels + channel) * d->h * d->w, limit, &c,
                       row % d->down * 4 - d->top, -d->left);
        to += c.rows * c.width;
        row += count;
    }
}

/* v[point][channel][tile] of a block, for some channels. */
static int transform_block(const Winograd *d, float *v, int64_t block, int64_t begin, int64_t end) {
    int64_t width = block_width(d, block), at[BLOCK];
    int64_t rows = BLOCK / d->across + 2, images = rows / d->down + 2;
    float *planes = workspace(5, ((rows * 4 + images * 2 + 4) * padded_width(d) + SLACK) * 4);
    if (!planes) return -1;
    place_tiles(d, block, at);
    for (int64_t c = begin; c < end; c++) {
        copy_rows(d, planes, block, c);
        for (int64_t t = 0; t < width; t += GROUP)
            transform_input(v + c * width + t, input_step(d), planes, at + t, padded_width(d));
    }
    return 0;
}

/* u[panel][point][channel][output] of some panels, two or four at a time for 16 lanes. */
static void transform_panels(const Winograd *d, float *u, int64_t begin, int64_t end) {
    for (int64_t first = begin * PANEL; first < end * PANEL; first += GROUP)
        for (int64_t c = 0; c < d->channels; c += GROUP) {
            float taps[9 * GROUP][GROUP];
            int64_t channels = MIN(GROUP, d->channels - c);
            gather_taps(d, taps, first, c, channels);
            for (int64_t i = 0; i < channels; i++)
                transform_weight(u + (first / PANEL - begin) * POINTS * weight_step(d) +
                                     (c + i) * PANEL,
                                 weight_step(d), MIN(GROUP, end * PANEL - first), taps + 9 * i);
        }
}

/* The products and the way back, for a block of tiles and panels begin ... end-1. */
static void multiply(Winograd *d, float *m, const float *u, const float *v, int64_t block,
                     int64_t begin, int64_t end) {
    int64_t width = block_width(d, block), step = weight_step(d);
    const int *sizes = TILE_VECTORS[PANEL];
    int32_t *offset = d->offset + (width / GROUP - 1) * d->channels;
    for (int64_t point = 0; point < POINTS; point++)
        for (int64_t p = begin; p < end; p++) {
            const float *panel = u + ((p - begin) * POINTS + point) * step;
            float *to = m + ((p - begin) * POINTS + point) * PANEL * width;
            for (int64_t q = 0; q < width;) {
                int size = 2;
                while (sizes[size] * NF > width - q) size--;
                tiles_f32[PANEL][size](to + q, width, panel, d->zeros,
                                       v + point * input_step(d) + q, offset, d->channels);
                q += sizes[size] * NF;
            }
        }
    int strange = 0;
    for (int64_t o = begin * PANEL; o < MIN(end * PANEL, d->outputs); o++) {
        const float *from = m + ((o / PANEL - begin) * POINTS * PANEL + o % PANEL) * width;
        for (int64_t t = 0; t < width; t += GROUP)
            strange |= put_tiles(d, from + t, PANEL * width, o, block * BLOCK + t);
    }
    if (strange) d->strange = 1;
}

static float *product_space(const Winograd *d) {
    return workspace(1, d->part * POINTS * PANEL * BLOCK * sizeof(float));
}

/* Many tiles: a task is a block of them. */
static void tile_tasks(void *context, int64_t begin, int64_t end) {
    Winograd *d = context;
    float *v = workspace(0, POINTS * input_step(d) * sizeof(float)), *m = product_space(d);
    for (int64_t block = begin; block < end; block++) {
        if (!v || !m || transform_block(d, v, block, 0, d->channels)) {
            d->failed = -1;
            return;
        }
        for (int64_t p = 0; p < d->panels; p += d->part)
            multiply(d, m, d->u + p * POINTS * weight_step(d), v, block, p,
                     MIN(d->panels, p + d->part));
    }
}

static void weight_tasks(void *context, int64_t begin, int64_t end) {
    Winograd *d = context;
    transform_panels(d, d->u + begin * POINTS * weight_step(d), begin, end);
}

/* Few tiles: all are transformed first, a task for each block and 16 channels ... */
static void input_tasks(void *context, int64_t begin, int64_t end) {
    Winograd *d = context;
    int64_t parts = (d->channels + GROUP - 1) / GROUP;
    for (int64_t at = begin; at < end; at++) {
        int64_t block = at / parts, c = at % parts * GROUP;
        float *v = d->v + block * POINTS * input_step(d);
        if (transform_block(d, v, block, c, MIN(d->channels, c + GROUP))) d->failed = -1;
    }
}

/* ... then a task is a block of outputs, whose weights are transformed when they are needed. */
static void output_tasks(void *context, int64_t begin, int64_t end) {
    Winograd *d = context;
    int64_t size = POINTS * weight_step(d);
    float *u = workspace(0, (d->part * size + 9 * GROUP) * sizeof(float)), *m = product_space(d);
    if (!u || !m) {
        d->failed = -1;
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at * d->part, last = MIN(d->panels, first + d->part);
        transform_panels(d, u, first, last);
        for (int64_t block = 0; block < d->blocks; block++)
            multiply(d, m, u, d->v + block * POINTS * input_step(d), block, first, last);
    }
}

/* Returns 0; 1 if a result is not finite and has to be computed directly; -1 without memory. */
static int run(Winograd *d) {
    enum { MANY_BLOCKS = 8, TILE_PART = 64 / PANEL, LEAST_PART = GROUP / PANEL, PART = 5 << 18,
           FEWEST_TASKS = 8 };
    d->across = (d->ow + 3) / 4, d->down = (d->oh + 3) / 4;
    d->tiles = d->n * d->down * d->across;
    d->blocks = (d->tiles + BLOCK - 1) / BLOCK;
    d->panels = (d->outputs + PANEL - 1) / PANEL;
    int many = d->blocks >= MANY_BLOCKS;
    int64_t part = PART / (POINTS * weight_step(d) * 4); /* whose weights stay in the cache */
    part = MIN(part, d->panels / FEWEST_TASKS) / LEAST_PART * LEAST_PART;
    d->part = many ? TILE_PART : MAX(LEAST_PART, MIN(part, TILE_PART));
    d->part = MIN(d->panels, d->part);
    d->offset = workspace(3, (3 * d->channels + PANEL) * 4);
    if (!d->offset) return -1;
    for (int64_t i = 0; i < 3 * d->channels; i++)
        d->offset[i] = (int32_t)(i % d->channels * GROUP * (i / d->channels + 1));
    d->zeros = memset(d->offset + 3 * d->channels, 0, PANEL * 4);
    if (many) {
        d->u = workspace(2, d->panels * POINTS * weight_step(d) * sizeof(float));
        if (!d->u) return -1;
        parallel_for(weight_tasks, d, d->panels, GROUP / PANEL);
        parallel_for(tile_tasks, d, d->blocks, 1);
    } else {
        d->v = workspace(2, d->blocks * POINTS * input_step(d) * sizeof(float));
        if (!d->v) return -1;
        int64_t parts = (d->channels + GROUP - 1) / GROUP;
        parallel_for(input_tasks, d, d->blocks * parts, 1);
        if (!d->failed) parallel_for(output_tasks, d, (d->panels + d->part - 1) / d->part, 1);
    }
    return d->failed ? -1 : d->strange;
}

int winograd(float *y, const float *x, const float *w, const float *b, int activation,
             const ConvShape *s) {
    Winograd d = {.n = s->n, .channels = s->c, .outputs = s->o, .h = s->h, .w = s->w, .oh = s->oh,
                  .ow = s->ow, .top = s->top, .left = s->left, .w_output = s->c * 9,
                  .w_channel = 9, .x = x, .weights = w, .b = b, .y = y,
                  .activation = activation};
    return run(&d);
}

/* The convolution of g with the turned windows, outputs and channels exchanged. */
int winograd_input_grad(float *gx, const float *g, const float *w, const ConvShape *s) {
    Winograd d = {.n = s->n, .channels = s->o, .outputs = s->c, .h = s->oh, .w = s->ow, .oh = s->h,
                  .ow = s->w, .top = 2 - s->top, .left = 2 - s->left, .w_output = 9,
                  .w_channel = s->c * 9, .turned = 1, .x = g, .weights = w, .y = gx};
    return run(&d);
}
