/* Few channels, images in the lanes (conv_lanes.c), for one type as in vector_type_inner.h. */

typedef struct {
    Lanes plan;
    const REAL *x, *w, *b;
    REAL *y, *turned, *packed;
    int64_t first; /* image of the block at hand */
    int activation, failed, strange;
} F(Job);

/* to[j][i] = from[i][j]; the last square goes back over what the one before has done. */
static void F(turn)(REAL *to, int64_t to_step, const REAL *from, int64_t from_step, int64_t rows,
                    int64_t columns) {
    if (rows < 16 || columns < 16) {
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = 0; i < rows; i++) to[j * to_step + i] = from[i * from_step + j];
        return;
    }
    for (int64_t i = 0; i < rows; i += 16)
        for (int64_t j = 0; j < columns; j += 16) {
            int64_t row = MIN(i, rows - 16), column = MIN(j, columns - 16);
            F(transpose_16)(to + column * to_step + row, to_step, from + row * from_step + column,
                            from_step);
        }
}

/* turned[place][channel][image] of some channels */
static void F(turn_images)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Lanes *p = &d->plan;
    int64_t images = MIN(p->block, p->n - d->first);
    for (int64_t c = begin; c < end; c++) {
        const REAL *from = d->x + (d->first * p->in + c) * p->sources;
        REAL *to = d->turned + c * p->block;
        for (int64_t q = 0; q < p->sources && images < p->block; q++)
            memset(to + q * p->in * p->block + images, 0, (p->block - images) * sizeof(REAL));
        F(turn)(to, p->in * p->block, from, p->in * p->sources, images, p->sources);
    }
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

#define CASE(rows)                                                                               \
    case rows:                                                                                   \
        if (rows * vectors <= MOST_SUMS)                                                         \
            F(lanes_tile)(out, distance, packed, b, turned, at, end, p->in, rows, vectors);      \
        break;
INLINE void F(lanes_rows)(REAL *out, int64_t distance, const REAL *packed, const REAL *b,
                          const REAL *turned, const Meeting *at, const Meeting *end,
                          const Lanes *p, int64_t height, const int vectors) {
    switch (height) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if MOST_SUMS > 12
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
    }
}
#undef CASE

/* One place of the result, for a strip of outputs. */
static void F(lanes_place)(REAL *out, int64_t distance, const REAL *packed, const REAL *b,
                           const F(Job) * d, int64_t place, int64_t height) {
    const Lanes *p = &d->plan;
    const Meeting *at = p->meetings + p->start[place], *end = p->meetings + p->start[place + 1];
    switch (p->vectors) {
        case 1: F(lanes_rows)(out, distance, packed, b, d->turned, at, end, p, height, 1); break;
        case 2: F(lanes_rows)(out, distance, packed, b, d->turned, at, end, p, height, 2); break;
        case 3: F(lanes_rows)(out, distance, packed, b, d->turned, at, end, p, height, 3); break;
        case 4: F(lanes_rows)(out, distance, packed, b, d->turned, at, end, p, height, 4); break;
    }
}

/* Whether a number of whole vectors is not finite. */
static int F(any_strange)(const REAL *x, int64_t n) {
    VEC sum = {0};
    for (int64_t i = 0; i < n; i += LANES) sum += *(const VECU *)(x + i) * 0;
    REAL total = 0;
    for (int i = 0; i < LANES; i++) total += sum[i];
    return total != 0;
}

/* Tasks are numbered over blocks of rows of results and strips of outputs. */
static void F(lanes_tasks)(void *context, int64_t begin, int64_t end) {
    F(Job) *d = context;
    const Lanes *p = &d->plan;
    int64_t images = MIN(p->block, p->n - d->first), most = p->rows * p->columns;
    REAL *sums = workspace(0, MOST_ROWS * most * p->block * sizeof(REAL)), b[MOST_ROWS];
    if (!sums) d->failed = -1;
    for (int64_t at = begin; at < end && sums; at++) {
        int64_t output = strip_begin(p, at % p->strips);
        int64_t height = strip_begin(p, at % p->strips + 1) - output;
        int64_t place = at / p->strips * most, count = MIN(most, p->places - place);
        const REAL *packed = d->packed + output * p->taps * p->in;
        for (int64_t m = 0; m < height; m++) b[m] = d->b ? d->b[output + m] : 0;
        for (int64_t i = 0; i < count; i++)
            F(lanes_place)(sums + i * p->block, count * p->block, packed, b, d, place + i, height);
        int64_t numbers = count * p->block;
        if (!p->back && F(any_strange)(sums, height * numbers)) d->strange = 1;
        Finish finish = {.activation = d->activation};
        if (d->activation) F(gemm_finish)(&finish, height, numbers, sums, numbers);
        REAL *y = d->y + (d->first * p->out + output) * p->places + place;
        for (int64_t m = 0; m < height; m++)
            F(turn)(y + m * p->places, p->out * p->places, sums + m * numbers, p->block, count,
                    images);
    }
}

static int F(run_lanes)(F(Job) * d) {
    const Lanes *p = &d->plan;
    d->turned = workspace(2, p->sources * p->in * p->block * sizeof(REAL));
    d->packed = workspace(4, p->out * p->in * p->taps * sizeof(REAL));
    if (!d->turned || !d->packed) return -1;
    F(pack_lanes)(d);
    for (; d->first < p->n && !d->failed; d->first += p->block) {
        parallel_for(F(turn_images), d, p->in, 1);
        parallel_for(F(lanes_tasks), d, p->row_blocks * p->strips, 1);
    }
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
