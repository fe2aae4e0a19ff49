/* The weight gradient (conv_weight.c) for one type, named as in vector_type_inner.h. */

/* sums[t][v] += sum over rows and columns of x[offset[t] + i width + j] g[i columns + j][v]. */
INLINE void F(weight_tile)(REAL *RESTRICT sums, int64_t distance, const REAL *RESTRICT x,
                           const int32_t *RESTRICT offset, const REAL *RESTRICT g, int64_t rows,
                           int64_t columns, int64_t width, int64_t depth, const int nt,
                           const int nv) {
    VEC acc[MOST_TAPS][MOST_WIDE];
    const REAL *from[MOST_TAPS];
#pragma GCC unroll 16
    for (int t = 0; t < nt; t++) {
        from[t] = x + offset[t];
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) acc[t][v] = LOAD(sums + t * distance + v * LANES);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i * width; j < i * width + columns; j++, g += depth) {
            VEC line[MOST_WIDE];
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) line[v] = LOAD(g + v * LANES);
#pragma GCC unroll 16
            for (int t = 0; t < nt; t++) {
                VEC a = from[t][j] - (VEC){0};
#pragma GCC unroll 4
                for (int v = 0; v < nv; v++) acc[t][v] += a * line[v];
            }
        }
#pragma GCC unroll 16
    for (int t = 0; t < nt; t++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) STORE(sums + t * distance + v * LANES, acc[t][v]);
}

typedef void (*F(WeightTile))(REAL *, int64_t, const REAL *, const int32_t *, const REAL *, int64_t,
                              int64_t, int64_t, int64_t);

#define TILE(nv, nt)                                                                             \
    static void F(weight_tile_##nv##_##nt)(REAL * sums, int64_t distance, const REAL *x,         \
                                           const int32_t *offset, const REAL *g, int64_t rows,   \
                                           int64_t columns, int64_t width, int64_t depth) {      \
        F(weight_tile)(sums, distance, x, offset, g, rows, columns, width, depth, nt, nv);       \
    }
#define NAMED(nv, nt) F(weight_tile_##nv##_##nt)
#if MOST_WIDE == 4
TILE(1, 14) TILE(1, 13) TILE(1, 9) TILE(1, 5)
TILE(2, 12) TILE(2, 9) TILE(2, 6) TILE(2, 3)
TILE(3, 8) TILE(3, 6) TILE(3, 5) TILE(3, 3)
TILE(4, 6) TILE(4, 5) TILE(4, 4) TILE(4, 3)
static const F(WeightTile) F(weight_tiles)[][TAP_CHOICES] = {
    {0},
    {NAMED(1, 14), NAMED(1, 13), NAMED(1, 9), NAMED(1, 5)},
    {NAMED(2, 12), NAMED(2, 9), NAMED(2, 6), NAMED(2, 3)},
    {NAMED(3, 8), NAMED(3, 6), NAMED(3, 5), NAMED(3, 3)},
    {NAMED(4, 6), NAMED(4, 5), NAMED(4, 4), NAMED(4, 3)}};
#else
TILE(1, 10) TILE(1, 9) TILE(1, 5) TILE(1, 3)
TILE(2, 5) TILE(2, 4) TILE(2, 3) TILE(2, 2)
static const F(WeightTile) F(weight_tiles)[][TAP_CHOICES] = {
    {0},
    {NAMED(1, 10), NAMED(1, 9), NAMED(1, 5), NAMED(1, 3)},
    {NAMED(2, 5), NAMED(2, 4), NAMED(2, 3), NAMED(2, 2)}};
#endif
#undef TILE
#undef NAMED

typedef struct {
    const Weights *s;
    const REAL *x, *g;
    REAL *gw, *partial;
    int failed;
} F(WeightGrad);

/* to[p][o] = g[o][p]: rows of `depth`, zeros beyond the outputs that there are. */
static void F(turn)(REAL *to, int64_t depth, const REAL *g, int64_t outputs, int64_t size) {
    for (int64_t o = 0; o < depth; o += 16)
        for (int64_t p = 0; p < size; p += 16) {
            int64_t n = MIN(16, outputs - o), m = MIN(16, size - p), wide = MIN(16, depth - o);
            if (n == 16 && m == 16) {
                F(transpose_16)(to + p * depth + o, depth, g + o * size + p, size);
                continue;
            }
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < wide; j++)
                    to[(p + i) * depth + o + j] = j < n ? g[(o + j) * size + p + i] : 0;
        }
}

/* One image's share of the sums of a block of channels and outputs, some rows at a time, so that
   their gradients stay in the first-level cache for all taps. */
static void F(add_image)(REAL *sums, const REAL *copy, const REAL *turned, const Weights *s) {
    for (int64_t first = 0; first < s->oh; first += s->rows) {
        int64_t rows = MIN(s->rows, s->oh - first);
        const REAL *g = turned + first * s->ow * s->depth, *x = copy + first * s->copy.width;
        for (int64_t t = 0; t < s->taps; t += s->nt)
            F(weight_tiles)[s->nv][s->choice](sums + t * s->depth, s->depth, x, s->offset + t, g,
                                              rows, s->ow, s->copy.width, s->depth);
    }
}

/* Tasks are numbered over chunks of images, groups, blocks of outputs and blocks of channels. */
static void F(weight_tasks)(void *context, int64_t begin, int64_t end) {
    F(WeightGrad) *d = context;
    const Weights *s = d->s;
    REAL *copies = workspace(0, s->copy_elements * sizeof(REAL));
    REAL *turned = workspace(1, s->oh * s->ow * s->depth * sizeof(REAL));
    if (!copies || !turned) {
        d->failed = -1;
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t block = at % s->c_blocks, rest = at / s->c_blocks;
        int64_t part = rest % s->o_blocks, group = rest / s->o_blocks % s->groups;
        int64_t image = rest / (s->o_blocks * s->groups) * s->images;
        int64_t channel = first_channel(s, block), output = part * s->depth;
        REAL *sums = d->partial + at * s->padded_taps * s->depth;
        memset(sums, 0, s->padded_taps * s->depth * sizeof(REAL));
        for (int64_t n = image; n < MIN(s->n, image + s->images); n++) {
            int64_t plane = (n * s->groups + group) * s->channels + channel;
            const REAL *x = d->x + plane * s->copy.h * s->copy.w;
            const REAL *g = d->g + ((n * s->groups + group) * s->outputs + output) * s->oh * s->ow;
            const REAL *limit = d->x + s->n * s->groups * s->channels * s->copy.h * s->copy.w;
            if (!s->as_is) F(copy_image)(copies, x, limit, &s->copy);
            F(turn)(turned, s->depth, g, MIN(s->depth, s->outputs - output), s->oh * s->ow);
            F(add_image)(sums, s->as_is ? x : copies, turned, s);
        }
    }
}

/* Weights of one output: the partial sums of all chunks of images, in their order. */
static void F(combine)(void *context, int64_t begin, int64_t end) {
    F(WeightGrad) *d = context;
    const Weights *s = d->s;
    int64_t window = s->k * s->l, chunks = (s->n + s->images - 1) / s->images;
    int64_t tasks = s->groups * s->o_blocks * s->c_blocks, size = s->padded_taps * s->depth;
    for (int64_t at = begin; at < end; at++) { /* group, block of outputs, block of channels */
        int64_t block = at % s->c_blocks, rest = at / s->c_blocks, part = rest % s->o_blocks;
        int64_t output = rest / s->o_blocks * s->outputs + part * s->depth;
        REAL *gw = d->gw + (output * s->channels + first_channel(s, block)) * window;
        REAL *RESTRICT sums = d->partial + at * size;
        for (int64_t chunk = 1; chunk < chunks; chunk++) {
            const REAL *RESTRICT more = sums + chunk * tasks * size;
            for (int64_t i = 0; i < size; i++) sums[i] += more[i];
        }
        int64_t outputs = MIN(s->depth, s->outputs - part * s->depth);
        for (int64_t o = 0; o < outputs; o += 16)
            for (int64_t t = 0; t < s->taps; t += 16) {
                int64_t n = MIN(16, outputs - o), m = MIN(16, s->taps - t);
                REAL *to = gw + o * s->channels * window + t;
                if (n == 16 && m == 16) {
                    F(transpose_16)(to, s->channels * window, sums + t * s->depth + o, s->depth);
                    continue;
                }
                for (int64_t i = 0; i < n; i++)
                    for (int64_t j = 0; j < m; j++)
                        to[i * s->channels * window + j] = sums[(t + j) * s->depth + o + i];
            }
    }
}

int F(conv_weight_grad_direct)(REAL *gw, const REAL *x, const REAL *g, const ConvShape *shape) {
    Weights weights, *s = &weights;
    if (plan_weights(s, shape, LANES, sizeof(REAL))) return -1;
    F(WeightGrad) d = {.s = s, .x = x, .g = g, .gw = gw};
    int64_t blocks = s->groups * s->o_blocks * s->c_blocks;
    int64_t chunks = (s->n + s->images - 1) / s->images;
    d.partial = workspace(2, chunks * blocks * s->padded_taps * s->depth * sizeof(REAL));
    if (!d.partial) return -1;
    parallel_for(F(weight_tasks), &d, blocks * chunks, 1);
    if (!d.failed) parallel_for(F(combine), &d, blocks, 1);
    return d.failed;
}
