/* Convolution of small images (conv_batch.c) for one type, named as in vector_type_inner.h. */

#include "conv_turn_inner.h"

enum { F(WIDTH) = NV * LANES };

typedef struct {
    Batch plan;
    const REAL *x, *w, *b;
    REAL *y, *turned, *g; /* g: that of a weight gradient as [place][image][output] */
    int64_t depth;        /* outputs, as whole vectors */
    int activation, failed, strange;
} F(Job);

/* turned[channel, place][image], zeros beyond the last image */
static void F(turn_images)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    int64_t padded = d->plan.padded;
    if (d->plan.n < padded)
        memset(d->turned + begin * padded, 0, (end - begin) * padded * sizeof(REAL));
    F(turn)(d->turned + begin * padded, padded, d->x + begin, d->plan.in * d->plan.sources,
            d->plan.n, end - begin);
}

/* Weights of a strip of `rows` outputs as [channel, tap][output]. */
static void F(pack_strip)(REAL *packed, const REAL *w, const Batch *p, int64_t first,
                          int64_t rows) {
    if (!p->back) {
        int64_t k = p->in * p->taps;
        F(gemm_pack_a)(packed, w + first * k, k, 1, rows, k);
        return;
    }
    for (int64_t c = 0; c < p->in; c++)
        F(gemm_pack_a)(packed + c * p->taps * MR, w + (c * p->out + first) * p->taps, p->taps, 1,
                       rows, p->taps);
}

static void F(strips)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Batch *p = &d->plan;
    int64_t row = p->places * p->padded;
    REAL *packed = workspace(0, p->in * p->taps * MR * sizeof(REAL) + VBYTES);
    REAL *sums = workspace(1, MR * row * sizeof(REAL));
    if (!packed || !sums) {
        d->failed = -1;
        return;
    }
    const Steps steps = {.k = p->in, .across = 1, .along = p->taps * MR,
                         .ldb = p->sources * p->padded, .ldc = row, .accumulate = 1};
    for (int64_t strip = begin; strip < end; strip++) {
        int64_t first = strip * MR, rows = MIN(MR, p->out - first);
        F(pack_strip)(packed, d->w, p, first, rows);
        memset(sums, 0, rows * row * sizeof(REAL));
        for (const Pair *at = p->pairs; at < p->pairs + p->count; at++)
            for (int64_t j = 0; j < p->padded; j += F(WIDTH))
                F(gemm_panel)(&steps, rows, MIN(F(WIDTH), p->padded - j), packed + at->tap * MR,
                              d->turned + at->source * p->padded + j,
                              sums + at->result * p->padded + j, NULL);
        if (!p->back && F(any_strange)(sums, rows * row)) d->strange = 1;
        Finish finish = {.row_bias = d->b ? d->b + first : NULL, .activation = d->activation};
        if (d->b || finish.activation) F(gemm_finish)(&finish, rows, row, sums, row);
        F(turn)(d->y + first * p->places, p->out * p->places, sums, p->padded, rows * p->places,
                p->n);
    }
}

static int F(run_batch)(F(Job) * d) {
    const Batch *p = &d->plan;
    d->turned = workspace(2, p->in * p->sources * p->padded * sizeof(REAL));
    if (!d->turned) return -1;
    parallel_for(F(turn_images), d, p->in * p->sources, TURNED);
    parallel_for(F(strips), d, (p->out + MR - 1) / MR, 1);
    return d->failed ? -1 : d->strange;
}

int F(conv_batch)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                  const ConvShape *s) {
    F(Job) d = {.x = x, .w = w, .b = b, .y = y, .activation = activation};
    return plan_batch(&d.plan, s, 0, 0, LANES) ? -1 : F(run_batch)(&d);
}

int F(conv_batch_input_grad)(REAL *gx, const REAL *g, const REAL *w, const ConvShape *s) {
    F(Job) d = {.x = g, .w = w, .y = gx};
    return plan_batch(&d.plan, s, 1, 0, LANES) ? -1 : F(run_batch)(&d);
}

/* g[place][image][output] of some images, zeros beyond the last output; it was given as w. */
static void F(turn_gradients)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Batch *p = &d->plan;
    int64_t bytes = (end - begin) * d->depth * sizeof(REAL);
    for (int64_t place = 0; place < p->places && p->out < d->depth; place++)
        memset(d->g + (place * p->n + begin) * d->depth, 0, bytes);
    for (int64_t n = begin; n < end; n++)
        F(turn)(d->g + n * d->depth, p->n * d->depth, d->w + n * p->out * p->places, p->places,
                p->out, p->places);
}

/* Tasks are numbered over blocks of channels and panels of outputs. */
static void F(weight_blocks)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Batch *p = &d->plan;
    int64_t panels = (p->out + F(WIDTH) - 1) / F(WIDTH), size = p->taps * F(WIDTH);
    REAL *sums = workspace(0, CHANNELS * size * sizeof(REAL));
    if (!sums) {
        d->failed = -1;
        return;
    }
    const Steps steps = {.k = p->n, .across = p->sources * p->padded, .along = 1, .ldb = d->depth,
                         .ldc = size, .accumulate = 1};
    for (int64_t at = begin; at < end; at++) {
        int64_t channel = at / panels * CHANNELS, channels = MIN(CHANNELS, p->in - channel);
        int64_t output = at % panels * F(WIDTH), columns = MIN(F(WIDTH), d->depth - output);
        memset(sums, 0, channels * size * sizeof(REAL));
        for (const Pair *j = p->pairs; j < p->pairs + p->count; j++)
            F(gemm_panel)(&steps, channels, columns,
                          d->turned + (channel * p->sources + j->source) * p->padded,
                          d->g + j->result * p->n * d->depth + output,
                          sums + j->tap * F(WIDTH), NULL);
        if (F(any_strange)(sums, channels * size)) d->strange = 1;
        F(turn)(d->y + (output * p->in + channel) * p->taps, p->in * p->taps, sums, F(WIDTH),
                channels * p->taps, MIN(F(WIDTH), p->out - output));
    }
}

int F(conv_batch_weight_grad)(REAL *gw, const REAL *x, const REAL *g, const ConvShape *s) {
    F(Job) d = {.x = x, .w = g, .y = gw, .depth = (s->o + LANES - 1) / LANES * LANES};
    if (plan_batch(&d.plan, s, 0, 1, LANES)) return -1;
    const Batch *p = &d.plan;
    d.turned = workspace(2, p->in * p->sources * p->padded * sizeof(REAL));
    d.g = workspace(4, p->places * p->n * d.depth * sizeof(REAL));
    if (!d.turned || !d.g) return -1;
    parallel_for(F(turn_images), &d, p->in * p->sources, TURNED);
    parallel_for(F(turn_gradients), &d, p->n, 4);
    int64_t panels = (p->out + F(WIDTH) - 1) / F(WIDTH);
    parallel_for(F(weight_blocks), &d, panels * ((p->in + CHANNELS - 1) / CHANNELS), 1);
    return d.failed ? -1 : d.strange;
}
