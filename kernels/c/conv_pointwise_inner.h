/* Windows of one element (conv_pointwise.c) for one type, named as in vector_type_inner.h. */

enum { F(WIDTH) = NV * LANES };

typedef struct {
    int64_t n, in, out, places;     /* images; channels summed over and made; places of an image */
    int64_t across, along;          /* steps in the weights: from output to output, along the sum */
    const REAL *x, *w, *b;
    REAL *y, *packed;
    int activation, failed;
} F(Pointwise);

static void F(pack_strips)(void *context, int64_t begin, int64_t end) {
    F(Pointwise) *d = context;
    for (int64_t strip = begin; strip < end; strip++)
        F(gemm_pack_a)(d->packed + strip * MR * d->in, d->w + strip * MR * d->across, d->across,
                       d->along, MIN(MR, d->out - strip * MR), d->in);
}

/* panel[channel][column] of columns first ... first+count-1, counted over all images. */
static void F(gather)(REAL *panel, const F(Pointwise) * d, int64_t first, int64_t count) {
    const REAL *from = d->x + first / d->places * d->in * d->places + first % d->places;
    if (first % d->places + F(WIDTH) <= d->places) {
        for (int64_t k = 0; k < d->in; k++, from += d->places)
            for (int v = 0; v < NV; v++)
                *(VECU *)(panel + k * F(WIDTH) + v * LANES) = *(const VECU *)(from + v * LANES);
        return;
    }
    for (int64_t j = 0; j < count;) { /* image by image */
        int64_t column = first + j, place = column % d->places;
        int64_t some = MIN(count - j, d->places - place);
        from = d->x + column / d->places * d->in * d->places + place;
        for (int64_t k = 0; k < d->in; k++)
            for (int64_t i = 0; i < some; i++)
                panel[k * F(WIDTH) + j + i] = from[k * d->places + i];
        j += some;
    }
}

/* Rows of a strip from the buffer to the images they belong to. */
static void F(scatter)(const F(Pointwise) * d, const REAL *tile, int64_t row, int64_t rows,
                       int64_t first, int64_t count) {
    for (int64_t j = 0; j < count;) {
        int64_t column = first + j, place = column % d->places;
        int64_t some = MIN(count - j, d->places - place);
        REAL *to = d->y + (column / d->places * d->out + row) * d->places + place;
        for (int64_t i = 0; i < rows; i++)
            memcpy(to + i * d->places, tile + i * F(WIDTH) + j, some * sizeof(REAL));
        j += some;
    }
}

static void F(panels)(void *context, int64_t begin, int64_t end) {
    F(Pointwise) *d = context;
    REAL *panel = workspace(0, d->in * F(WIDTH) * sizeof(REAL));
    if (!panel) {
        d->failed = -1;
        return;
    }
    REAL tile[MR * F(WIDTH)] __attribute__((aligned(64)));
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at * F(WIDTH), count = MIN(F(WIDTH), d->n * d->places - first);
        int whole = first % d->places + F(WIDTH) <= d->places;
        F(gather)(panel, d, first, count);
        Steps steps = {.k = d->in, .across = 1, .along = MR, .ldb = F(WIDTH),
                       .ldc = whole ? d->places : F(WIDTH)};
        REAL *y = d->y + first / d->places * d->out * d->places + first % d->places;
        for (int64_t row = 0; row < d->out; row += MR) {
            int64_t rows = MIN(MR, d->out - row);
            REAL *c = whole ? y + row * d->places : tile;
            F(gemm_panel)(&steps, rows, F(WIDTH), d->packed + row * d->in, panel, c, NULL);
            Finish finish = {.row_bias = d->b ? d->b + row : NULL, .activation = d->activation};
            if (d->b || d->activation) F(gemm_finish)(&finish, rows, F(WIDTH), c, steps.ldc);
            if (!whole) F(scatter)(d, tile, row, rows, first, count);
        }
    }
}

static int F(run_pointwise)(F(Pointwise) * d) {
    int64_t strips = (d->out + MR - 1) / MR, columns = d->n * d->places;
    d->packed = workspace(2, strips * MR * d->in * sizeof(REAL) + VBYTES);
    if (!d->packed) return -1;
    parallel_for(F(pack_strips), d, strips, 2);
    parallel_for(F(panels), d, (columns + F(WIDTH) - 1) / F(WIDTH), 1);
    return d->failed;
}

int F(conv_pointwise)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                      const ConvShape *s) {
    F(Pointwise) d = {.n = s->n, .in = s->c, .out = s->o, .places = s->h * s->w, .across = s->c,
                      .along = 1, .x = x, .w = w, .b = b, .y = y, .activation = activation};
    return F(run_pointwise)(&d);
}

int F(conv_pointwise_input_grad)(REAL *gx, const REAL *g, const REAL *w, const ConvShape *s) {
    F(Pointwise) d = {.n = s->n, .in = s->o, .out = s->c, .places = s->h * s->w, .across = 1,
                      .along = s->c, .x = g, .w = w, .y = gx};
    return F(run_pointwise)(&d);
}
