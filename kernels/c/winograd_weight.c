/* The weight gradient of a 3x3 window by Winograd's algorithm F(3x3, 4x4).
 *
 *     for each tile of 4x4 numbers of g (6x6 of x), each output o and channel c:
 *         m[o, c] += (G g[o, 4x4] G') . (B' x[c, 6x6] B)                        (. by element)
 *     gw[o, c] = A' m[o, c] A
 *
 * As in winograd.c, 36 multiplications do the work of 144; here the window that slides over x is a
 * tile of g, the sum over tiles is inside, and A' is applied once, to the sums. What is left are 36
 * independent matrix products (outputs x tiles) (tiles x channels).
 *
 *   - They want outputs and channels side by side, images have places side by side: so images are
 *     turned over, 16 channels at a time, to [place][channel]. Then a transform needs no shuffles:
 *     it reads 36 vectors from where a table says, which points to zeros beyond the border.
 *   - 64 outputs x 64 channels x up to 64 tiles are one step: all that it touches (twice 0.6 MB of
 *     transformed tiles, 0.6 MB of sums) stays in the second-level cache. Larger blocks would
 *     transform less often, and wait for memory.
 *
 * Blocks of outputs and channels are tasks; where those are few, chunks of images too, whose
 * results are added in order. Errors are within 3e-5 of the largest result; if a result is not
 * finite, all are computed directly, since a nan would spread over its tile. 8x64x56x56 takes
 * 2.7 ms on two threads of AVX-512, directly 6 ms.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "winograd_points_inner.h"
#include "workspace_inner.h"

enum { TILES = 64, SIDE = 4 * GROUP, TASKS = 16, FEWEST_TILES = 32, X_PLACES = 36, G_PLACES = 16 };

/* Images of x or g as they are read: planes of `size` places, of which a tile needs some. */
typedef struct {
    const float *data;
    int64_t channels, h, w, size, top;
    int64_t block, blocks; /* channels of a step, whole groups of 16 */
    int32_t *place;                              /* of a tile's numbers in a turned image */
} Side;

typedef struct {
    Side x, g;
    int64_t n, across, down, each; /* tiles in a row, rows, tiles of an image */
    int64_t width, images, chunks; /* tiles of a step; images of a chunk */
    float *gw, *partial;
    int failed, strange;
} WeightWinograd;

/* Elements from one point to the next: more than the data, lest they share sets of the cache. */
static int64_t tile_step(const WeightWinograd *d, const Side *s) {
    return d->width * s->block + GROUP;
}
static int64_t sum_step(const WeightWinograd *d) { return d->g.block * d->x.block + GROUP; }

static int64_t turned_size(const Side *s) { return (s->size + 2 * GROUP) * GROUP; }

/* Where numbers (i, j), i < side, of all tiles lie; zeros lie beyond the image. */
static void place_tiles(const WeightWinograd *d, Side *s, int64_t side, int64_t top,
                        int64_t left) {
    int32_t *to = s->place;
    s->top = top;
    for (int64_t tile = 0; tile < d->each; tile++)
        for (int64_t i = 0; i < side; i++)
            for (int64_t j = 0; j < side; j++) {
                int64_t y = tile / d->across * 4 + i - top, x = tile % d->across * 4 + j - left;
                int inside = y >= 0 && y < s->h && x >= 0 && x < s->w;
                *to++ = (int32_t)((inside ? y * s->w + x : s->size + GROUP) * GROUP);
            }
}

/* to[place][channel] of places begin ... end-1 of 16 channels, zeros beyond the last channel. */
static void turn_image(float *to, const Side *s, int64_t image, int64_t channel, int64_t begin,
                       int64_t end, int64_t images) {
    const float *from = s->data + (image * s->channels + channel) * s->size;
    const float *limit = s->data + images * s->channels * s->size;
    int64_t count = MIN(GROUP, s->channels - channel), last = (GROUP - 1) * s->size;
    for (int64_t p = begin; p < end; p += GROUP) {
        if (count == GROUP && from + last + p + GROUP <= limit) { /* and some beyond the end */
            transpose_16(to + p * GROUP, GROUP, from + p, s->size);
            continue;
        }
        for (int64_t q = p; q < MIN(end, p + GROUP); q++)
            for (int64_t c = 0; c < GROUP; c++)
                to[q * GROUP + c] = c < count ? from[c * s->size + q] : 0;
    }
}

#define AT(i) (*(const Lanes *)(image + place[i]))

/* v[point] = B' x B of one tile, 16 channels. */
static void transform_x(float *v, int64_t step, const float *image, const int32_t *place) {
    Lanes down[6], points[6][6], across[6];
    for (int j = 0; j < 6; j++) {
        transform_six(down, AT(j), AT(6 + j), AT(12 + j), AT(18 + j), AT(24 + j), AT(30 + j));
        for (int i = 0; i < 6; i++) points[i][j] = down[i];
    }
    for (int i = 0; i < 6; i++) {
        Lanes *p = points[i];
        transform_six(across, p[0], p[1], p[2], p[3], p[4], p[5]);
        for (int j = 0; j < 6; j++) *(Lanes *)(v + (i * 6 + j) * step) = across[j];
    }
}

/* u[point] = G g G' of one tile, 16 outputs. */
static void transform_g(float *u, int64_t step, const float *image, const int32_t *place) {
    Lanes down[6], points[6][4], across[6];
    for (int j = 0; j < 4; j++) {
        transform_four(down, AT(j), AT(4 + j), AT(8 + j), AT(12 + j));
        for (int i = 0; i < 6; i++) points[i][j] = down[i];
    }
    for (int i = 0; i < 6; i++) {
        Lanes *p = points[i];
        transform_four(across, p[0], p[1], p[2], p[3]);
        for (int j = 0; j < 6; j++) *(Lanes *)(u + (i * 6 + j) * step) = across[j];
    }
}
#undef AT

/* to[point][tile][channel] of tiles first ... last-1, counted over all images, from channel
   `begin` on. */
static void transform_side(const WeightWinograd *d, const Side *s, float *to, float *turned,
                           int64_t first, int64_t last, int64_t begin) {
    int is_x = s == &d->x;
    int64_t size = is_x ? X_PLACES : G_PLACES, step = tile_step(d, s);
    for (int64_t c = 0; c < s->block; c += GROUP)
        for (int64_t tile = first; tile < last;) {
            int64_t image = tile / d->each, start = tile % d->each;
            int64_t count = MIN(last - tile, d->each - start);
            int64_t above = start / d->across * 4 - s->top;
            int64_t below = (start + count - 1) / d->across * 4 - s->top + 6;
            int64_t from = MAX(0, above) * s->w, until = MIN(s->h, below) * s->w;
            turn_image(turned, s, image, begin + c, from, until, d->n);
            for (int64_t t = 0; t < count; t++) {
                float *at = to + (tile - first + t) * s->block + c;
                const int32_t *place = s->place + (start + t) * size;
                if (is_x)
                    transform_x(at, step, turned, place);
                else
                    transform_g(at, step, turned, place);
            }
            tile += count;
        }
}

/* sums[point] (outputs x channels) = or += u[point]' v[point], over some tiles. */
static void multiply(const WeightWinograd *d, float *sums, const float *u, const float *v,
                     int64_t tiles, int accumulate) {
    Steps steps = {.k = tiles, .across = 1, .along = d->g.block, .ldb = d->x.block,
                   .ldc = d->x.block, .accumulate = accumulate};
    for (int64_t point = 0; point < POINTS; point++) {
        const float *a = u + point * tile_step(d, &d->g), *b = v + point * tile_step(d, &d->x);
        float *c = sums + point * sum_step(d);
        for (int64_t j = 0; j < d->x.block; j += NR_F32)
            gemm_panel_f32(&steps, d->g.block, MIN(NR_F32, d->x.block - j), a, b + j, c + j, NULL);
    }
}

/* gw of one output and up to 16 channels, from their sums. Returns whether one is not finite. */
static int put_weights(float *to, const float *m, int64_t step, int64_t channels) {
    Lanes half[6][3], r[3], results[GROUP] = {0}, strange = {0};
    float taps[GROUP][GROUP] __attribute__((aligned(64)));
    for (int i = 0; i < 6; i++) {
        const float *p = m + i * 6 * step;
#define POINT(j) *(const Lanes *)(p + (j) * step)
        transform_back_three(r, POINT(0), POINT(1), POINT(2), POINT(3), POINT(4), POINT(5));
#undef POINT
        for (int j = 0; j < 3; j++) half[i][j] = r[j];
    }
    for (int j = 0; j < 3; j++) {
        transform_back_three(r, half[0][j], half[1][j], half[2][j], half[3][j], half[4][j],
                             half[5][j]);
        for (int i = 0; i < 3; i++) {
            results[3 * i + j] = r[i];
            strange += r[i] * 0;
        }
    }
    transpose_16(taps[0], GROUP, (const float *)results, GROUP);
    for (int64_t c = 0; c < channels - 1; c++) memcpy(to + 9 * c, taps[c], 10 * sizeof(float));
    memcpy(to + 9 * (channels - 1), taps[channels - 1], 9 * sizeof(float));
    float total = 0;
    for (int64_t c = 0; c < channels; c++) total += strange[c];
    return total != 0;
}

/* The results of a block of outputs and channels. */
static void put_block(WeightWinograd *d, float *gw, const float *sums, int64_t output,
                      int64_t channel) {
    int64_t outputs = MIN(d->g.block, d->g.channels - output);
    int64_t channels = MIN(d->x.block, d->x.channels - channel);
    int strange = 0;
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < channels; c += GROUP)
            strange |=
                put_weights(gw + ((output + o) * d->x.channels + channel + c) * 9,
                            sums + o * d->x.block + c, sum_step(d), MIN(GROUP, channels - c));
    if (strange) d->strange = 1;
}

/* Tasks are numbered over chunks of images, blocks of outputs, blocks of channels. */
static void weight_tasks(void *context, int64_t begin, int64_t end) {
    WeightWinograd *d = context;
    int64_t u_size = POINTS * tile_step(d, &d->g), v_size = POINTS * tile_step(d, &d->x);
    float *u = workspace(0, (u_size + v_size + POINTS * sum_step(d)) * sizeof(float));
    float *v = u + u_size, *sums = v + v_size;
    int64_t size = MAX(turned_size(&d->x), turned_size(&d->g));
    float *turned = workspace(1, size * sizeof(float));
    if (!u || !turned) {
        d->failed = -1;
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t channel = at % d->x.blocks * d->x.block, rest = at / d->x.blocks;
        int64_t output = rest % d->g.blocks * d->g.block, chunk = rest / d->g.blocks;
        int64_t first = chunk * d->images * d->each, images = MIN(d->n, (chunk + 1) * d->images);
        int64_t last = images * d->each;
        for (int64_t tile = first; tile < last; tile += d->width) {
            int64_t until = MIN(last, tile + d->width);
            memset(turned + (d->x.size + GROUP) * GROUP, 0, GROUP * sizeof(float));
            transform_side(d, &d->x, v, turned, tile, until, channel);
            memset(turned + (d->g.size + GROUP) * GROUP, 0, GROUP * sizeof(float));
            transform_side(d, &d->g, u, turned, tile, until, output);
            multiply(d, sums, u, v, until - tile, tile > first);
        }
        put_block(d, d->partial + chunk * d->g.channels * d->x.channels * 9, sums, output, channel);
    }
}

/* Adds up the chunks' results, a row of some thousand at a time. */
static void add_chunks(void *context, int64_t begin, int64_t end) {
    WeightWinograd *d = context;
    int64_t size = d->g.channels * d->x.channels * 9;
    memcpy(d->gw + begin, d->partial + begin, (end - begin) * sizeof(float));
    for (int64_t chunk = 1; chunk < d->chunks; chunk++) {
        const float *RESTRICT more = d->partial + chunk * size;
        float *RESTRICT gw = d->gw;
        for (int64_t i = begin; i < end; i++) gw[i] += more[i];
    }
}

static Side side_of(const float *data, int64_t channels, int64_t h, int64_t w) {
    int64_t groups = (channels + GROUP - 1) / GROUP, blocks = (channels + SIDE - 1) / SIDE;
    return (Side){.data = data, .channels = channels, .h = h, .w = w, .size = h * w,
                  .block = (groups + blocks - 1) / blocks * GROUP, .blocks = blocks};
}

static int plan(WeightWinograd *d, const ConvShape *s) {
    d->across = (s->ow + 3) / 4, d->down = (s->oh + 3) / 4, d->each = d->across * d->down;
    d->width = d->each <= TILES ? TILES / d->each * d->each : MAX(1, TILES / d->across) * d->across;
    int64_t blocks = d->x.blocks * d->g.blocks;
    d->chunks = MIN(s->n * d->each / FEWEST_TILES, TASKS / blocks);
    d->chunks = MAX(1, MIN(s->n, d->chunks));
    d->images = (s->n + d->chunks - 1) / d->chunks;
    d->chunks = (s->n + d->images - 1) / d->images;
    d->width = MIN(d->width, d->images * d->each);
    d->x.place = workspace(3, d->each * (X_PLACES + G_PLACES) * sizeof(int32_t));
    if (!d->x.place) return -1;
    d->g.place = d->x.place + d->each * X_PLACES;
    place_tiles(d, &d->x, 6, s->top, s->left);
    place_tiles(d, &d->g, 4, 0, 0);
    d->partial = d->gw;
    if (d->chunks > 1) d->partial = workspace(2, d->chunks * s->o * s->c * 9 * sizeof(float));
    return d->partial ? 0 : -1;
}

/* Returns 0; 1 if a result is not finite and has to be computed directly; -1 without memory. */
int winograd_weight_grad(float *gw, const float *x, const float *g, const ConvShape *s) {
    enum { ROW = 4096 };
    WeightWinograd d = {.n = s->n, .gw = gw};
    d.x = side_of(x, s->c, s->h, s->w);
    d.g = side_of(g, s->o, s->oh, s->ow);
    if (plan(&d, s)) return -1;
    parallel_for(weight_tasks, &d, d.chunks * d.x.blocks * d.g.blocks, 1);
    if (d.failed || d.strange) return d.failed ? -1 : 1;
    if (d.chunks > 1) parallel_for(add_chunks, &d, s->o * s->c * 9, ROW);
    return 0;
}
