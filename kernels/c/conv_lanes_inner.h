/* Few channels, images in the lanes (conv_lanes.c), for one type as in vector_type_inner.h. */

#include "conv_turn_inner.h"

typedef struct {
    Lanes plan;
    const REAL *x, *w, *b;
    REAL *y, *packed;
    int activation, failed, strange;
} F(Job);

/* turned[place][channel][image] of some places and images, zeros up to `wide` images */
static void F(turn_images)(REAL *turned, const F(Job) * d, int64_t first, int64_t images,
                           int64_t wide, int64_t begin, int64_t end) {
    const Lanes *p = &d->plan;
    for (int64_t at = begin * p->in; at < end * p->in && images < wide; at++)
        memset(turned + at * wide + images, 0, (wide - images) * sizeof(REAL));
    for (int64_t c = 0; c < p->in; c++)
        F(turn)(turned + (begin * p->in + c) * wide, p->in * wide,
                d->x + (first * p->in + c) * p->sources + begin, p->in * p->sources, images,
                end - begin);
}

/* packed[strip][tap][channel][output] */
static void F(pack_lanes)(F(Job) * d) {
    const Lanes *p = &d->plan;
    int64_t by_out = p->taps * (p->back ? 1 : p->in), by_in = p->taps * (p->back ? p->out : 1);
    REAL *to = d->packed;
    for (int64_t strip = 0; strip < p->strips; strip++)
        for (int64_t k = 0; k < p->taps; k++)
            for (int64_t c = 0; c < p->in; c++)
                for (int64_t o = strip_begin(p, strip); o < strip_begin(p, strip + 1); o++)
                    *to++ = d->w[o * by_out + c * by_in + k];
}

/* out[row][image] = b[row] + the sum over some meetings and all channels. */
INLINE void F(lanes_tile)(REAL *RESTRICT out, int64_t distance, const REAL *packed, const REAL *b,
                          const REAL *turned, const Meeting *at, const Meeting *end, int64_t in,
                          const int rows, const int vectors) {
    VEC sum[MOST_ROWS][VECTORS];
    for (int m = 0; m < rows; m++)
        for (int v = 0; v < vectors; v++) sum[m][v] = b[m] - (VEC){0};
    for (; at < end; at++) {
        const REAL *RESTRICT w = packed + at->tap * in * rows;
        const REAL *RESTRICT x = turned + at->source * in * vectors * LANES;
        for (int64_t c = 0; c < in; c++, w += rows, x += vectors * LANES) {
            VEC line[VECTORS];
            for (int v = 0; v < vectors; v++) line[v] = *(const VEC *)(x + v * LANES);
            for (int m = 0; m < rows; m++) {
                const VEC a = w[m] - (VEC){0};
                for (int v = 0; v < vectors; v++) sum[m][v] += a * line[v];
            }
        }
    }
    for (int m = 0; m < rows; m++)
        for (int v = 0; v < vectors; v++) *(VEC *)(out + m * distance + v * LANES) = sum[m][v];
}

#define CASE(rows)                                                                             \
    case rows:                                                                                 \
        F(lanes_tile)(out, distance, packed, b, turned, at, end, in, rows, vectors);           \
        break;
INLINE void F(lanes_rows)(REAL *out, int64_t distance, const REAL *packed, const REAL *b,
                          const REAL *turned, const Meeting *at, const Meeting *end, int64_t in,
                          int64_t height, const int vectors) {
    switch (height) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if MANY_ROWS
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
    }
}
#undef CASE

/* Some rows of results of a strip of outputs: sums, then those turned back to their places. */
static void F(lanes_strip)(F(Job) * d, REAL *sums, const REAL *turned, int64_t first,
                           int64_t images, int64_t wide, int64_t strip, int64_t row,
                           int64_t after) {
    const Lanes *p = &d->plan;
    int64_t output = strip_begin(p, strip), height = strip_begin(p, strip + 1) - output;
    int64_t place = row * p->columns, count = after * p->columns - place, numbers = count * wide;
    const REAL *packed = d->packed + output * p->taps * p->in;
    REAL b[MOST_ROWS];
    for (int64_t m = 0; m < height; m++) b[m] = d->b ? d->b[output + m] : 0;
    for (int64_t i = 0; i < count; i++) {
        const Meeting *at = p->meetings + p->start[place + i];
        const Meeting *end = p->meetings + p->start[place + i + 1];
        REAL *out = sums + i * wide;
        if (wide == LANES)
            F(lanes_rows)(out, numbers, packed, b, turned, at, end, p->in, height, 1);
        else
            F(lanes_rows)(out, numbers, packed, b, turned, at, end, p->in, height, VECTORS);
    }
    if (!p->back && F(any_strange)(sums, height * numbers)) d->strange = 1;
    Finish finish = {.activation = d->activation};
    if (d->activation) F(gemm_finish)(&finish, height, numbers, sums, numbers);
    REAL *y = d->y + (first * p->out + output) * p->places + place;
    for (int64_t m = 0; m < height; m++)
        F(turn)(y + m * p->places, p->out * p->places, sums + m * numbers, wide, count, images);
}

/* Tasks are numbered over blocks of images and parts of the rows of results. */
static void F(lanes_tasks)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Lanes *p = &d->plan;
    int64_t most = p->rows_at_once * p->columns * p->block;
    REAL *sums = workspace(0, MOST_ROWS * most * sizeof(REAL));
    REAL *turned = workspace(2, p->sources * p->in * p->block * sizeof(REAL));
    if (!sums || !turned) {
        d->failed = -1;
        return;
    }
    for (int64_t task = begin; task < end; task++) {
        int64_t first = task / p->parts * p->block, part = task % p->parts;
        int64_t images = MIN(p->block, p->shape->n - first);
        int64_t wide = (images + LANES - 1) / LANES * LANES;
        int64_t row = part * p->rows / p->parts, last = (part + 1) * p->rows / p->parts;
        int64_t met, after;
        places_met(p, row, last, &met, &after);
        F(turn_images)(turned, d, first, images, wide, met, after);
        for (; row < last; row += p->rows_at_once)
            for (int64_t strip = 0; strip < p->strips; strip++)
                F(lanes_strip)(d, sums, turned, first, images, wide, strip, row,
                               MIN(last, row + p->rows_at_once));
    }
}

static int F(run_lanes)(F(Job) * d) {
    const Lanes *p = &d->plan;
    d->packed = workspace(4, p->out * p->in * p->taps * sizeof(REAL));
    if (!d->packed) return -1;
    F(pack_lanes)(d);
    parallel_for(F(lanes_tasks), d, p->blocks * p->parts, 1);
    return d->failed ? -1 : d->strange;
}

int F(conv_lanes)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                  const ConvShape *s) {
    F(Job) d = {.x = x, .w = w, .b = b, .y = y, .activation = activation};
    return plan_lanes(&d.plan, s, 0, LANES) ? -1 : F(run_lanes)(&d);
}

int F(conv_lanes_input_grad)(REAL *gx, const REAL *g, const REAL *w, const ConvShape *s) {
    F(Job) d = {.x = g, .w = w, .y = gx};
    return plan_lanes(&d.plan, s, 1, LANES) ? -1 : F(run_lanes)(&d);
}
