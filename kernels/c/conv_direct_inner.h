/* The direct convolution (conv.c), the forward pass and the input gradient, for one type, named as
   in vector_type_inner.h. */

typedef struct {
    const Sweep *s;
    REAL *y;
    const REAL *x, *w, *b;
    REAL *packed;
    int activation, failed;
} F(Direct);

/* Weights of family f, group g, outputs first ... first+mr-1 as the tile reads them: [tap][mr]. */
static void F(pack_panel)(REAL *RESTRICT to, const REAL *w, const Sweep *s, const Family *f,
                          int64_t group, int64_t first) {
    const REAL *from = w + group * s->w_group + first * s->w_output;
    for (int64_t c = 0; c < s->copy.channels; c++)
        for (int64_t t = 0; t < f->taps; t++) {
            const REAL *tap = from + c * s->w_channel + f->position[t];
            for (int64_t m = 0; m < s->mr; m++) to[m] = tap[m * s->w_output];
            to += s->mr;
        }
}

/* Where the panels of a family and group begin; a panel has mr outputs, the last one as well. */
static const REAL *F(panels_of)(const F(Direct) * d, const Family *f, int64_t group) {
    const Sweep *s = d->s;
    int64_t outputs = s->panels * s->mr;
    return d->packed + outputs * (f->start * s->groups + group * s->copy.channels * f->taps);
}

static void F(pack_panels)(void *context, int64_t begin, int64_t end) {
    F(Direct) *d = context;
    const Sweep *s = d->s;
    for (int64_t at = begin; at < end; at++) {
        int64_t panel = at % s->panels, group = at / s->panels % s->groups;
        const Family *f = s->families + at / (s->panels * s->groups);
        REAL *to = (REAL *)F(panels_of)(d, f, group) + panel * s->mr * s->copy.channels * f->taps;
        F(pack_panel)(to, d->w, s, f, group, first_of_panel(s, panel));
    }
}

/* Rows of results from where the tiles left them to their places. */
static void F(put_rows)(REAL *plane, const REAL *RESTRICT rows, int64_t first, int64_t count,
                        const Sweep *s, const Family *f) {
    int64_t y = first * s->out_sy + f->y, begin, end;
    steps_inside(f->x, s->out_sx, s->out_w, s->columns, &begin, &end);
    for (int64_t i = 0; i < count; i++, y += s->out_sy, rows += s->copy.width) {
        if (y < 0 || y >= s->out_h) continue;
        REAL *RESTRICT to = plane + y * s->out_w + f->x;
        if (s->out_sx == 1)
            for (int64_t j = begin; j < end; j++) to[j] = rows[j];
        else if (s->out_sx == 2)
            for (int64_t j = begin; j < end; j++) to[2 * j] = rows[j];
        else
            for (int64_t j = begin; j < end; j++) to[j * s->out_sx] = rows[j];
    }
}

/* Panels begin ... end-1 of one image's copy into `out`, of which `room` elements may be written:
   a strip of columns at a time, which stays in the first-level cache for all panels. */
static void F(run_strips)(REAL *out, int64_t distance, int64_t room, const REAL *copy,
                          const F(Direct) * d, const Family *f, int64_t group, int64_t begin,
                          int64_t end, int64_t elements) {
    const Sweep *s = d->s;
    const int *sizes = TILE_VECTORS[s->mr];
    int64_t taps = s->copy.channels * f->taps, left = (elements + LANES - 1) / LANES;
    REAL edge[MOST_OUTPUTS * MOST_VECTORS * LANES];
    for (int64_t q = 0; left > 0;) {
        int size = left >= sizes[2] ? 2 : left >= sizes[1];
        int64_t length = sizes[size] * LANES, fits = q + length <= room;
        for (int64_t p = begin; p < end; p++) {
            int64_t first = first_of_panel(s, p);
            REAL *to = out + (first - first_of_panel(s, begin)) * distance + q;
            const REAL *w = F(panels_of)(d, f, group) + p * s->mr * taps;
            const REAL *b = d->b + group * s->outputs + first;
            F(tiles)[s->mr][size](fits ? to : edge, fits ? distance : length, w, b, copy + q,
                                  f->offset, taps);
            if (!fits)
                for (int64_t m = 0; m < s->mr; m++)
                    memcpy(to + m * distance, edge + m * length, (room - q) * sizeof(REAL));
        }
        q += length, left -= sizes[size];
    }
}

/* Panels begin ... end-1 of a family for `count` rows of windows from row `first` on. */
static void F(run_panels)(const F(Direct) * d, const Family *f, REAL *rows, const REAL *copy,
                          int64_t image, int64_t group, int64_t begin, int64_t end,
                          int64_t first, int64_t count) {
    const Sweep *s = d->s;
    int64_t output = first_of_panel(s, begin), after = first_of_panel(s, end - 1) + s->mr;
    int64_t plane = s->out_h * s->out_w, distance = s->rows * s->copy.width + SLACK;
    int64_t elements = (count - 1) * s->copy.width + s->columns;
    REAL *y = d->y + ((image * s->groups + group) * s->outputs + output) * plane;
    REAL *to = s->straight ? y + first * s->out_w : rows;
    F(run_strips)(to, s->straight ? plane : distance, s->straight ? elements : distance, copy, d,
                  f, group, begin, end, elements);
    for (int64_t m = 0; m < after - output && !s->straight; m++)
        F(put_rows)(y + m * plane, rows + m * distance, first, count, s, f);
    Finish finish = {.activation = d->activation};
    if (finish.activation)
        F(gemm_finish)(&finish, after - output, count * s->out_w, y + first * s->out_w, plane);
}

/* The image itself where the copy would be the same and may be read beyond its end. */
static const REAL *F(image_or_copy)(const F(Direct) * d, REAL *to, const Copy *c, int64_t image,
                                    int64_t group) {
    int64_t plane = c->h * c->w, planes = d->s->groups * c->channels;
    const REAL *from = d->x + (image * planes + group * c->channels) * plane;
    const REAL *limit = d->x + d->s->n * planes * plane;
    if (d->s->as_is && from + c->channels * plane + SLACK <= limit) return from;
    F(copy_image)(to, from, limit, c);
    return to;
}

/* Chunks are numbered over blocks of images, groups and blocks of rows. */
static void F(direct_chunks)(void *context, int64_t begin, int64_t end) {
    F(Direct) *d = context;
    const Sweep *s = d->s;
    int64_t distance = s->straight ? 0 : s->rows * s->copy.width + SLACK;
    REAL *copies = workspace(0, s->images * s->copy_elements * sizeof(REAL));
    REAL *rows = workspace(1, s->block * s->mr * distance * sizeof(REAL) + 1);
    if (!copies || !rows) {
        d->failed = -1;
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at % s->row_blocks * s->rows, count = MIN(s->rows, s->units - first);
        int64_t group = at / s->row_blocks % s->groups;
        int64_t image = at / (s->row_blocks * s->groups) * s->images;
        int64_t images = MIN(s->images, s->n - image);
        const REAL *from[MOST_IMAGES];
        Copy copy = s->copy;
        copy.row += first * copy.sy;
        copy.rows = count + s->halo;
        for (int64_t i = 0; i < images; i++)
            from[i] = F(image_or_copy)(d, copies + i * s->copy_elements, &copy, image + i,
                                       group);
        for (int64_t k = 0; k < s->family_count; k++)
            for (int64_t p = 0; p < s->panels; p += s->block)
                for (int64_t i = 0; i < images; i++)
                    F(run_panels)(d, s->families + k, rows, from[i], image + i, group, p,
                                  MIN(s->panels, p + s->block), first, count);
    }
}

static int F(run_sweep)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                        Sweep *s) {
    s->copy_elements = cut_sweep(s, sizeof(REAL));
    if (s->copy_elements < 0 || place_taps(s)) return -1;
    F(Direct) d = {.s = s, .y = y, .x = x, .w = w, .b = b, .activation = activation};
    int64_t taps = s->copy.channels * s->k * s->l;
    d.packed = workspace(2, (taps * s->groups * s->panels * s->mr + SLACK) * sizeof(REAL));
    REAL *zeros = b ? NULL : workspace(4, s->groups * s->outputs * sizeof(REAL));
    if (!d.packed || (!b && !zeros)) return -1;
    if (!b) d.b = memset(zeros, 0, s->groups * s->outputs * sizeof(REAL));
    int64_t panels = s->family_count * s->groups * s->panels;
    parallel_for(F(pack_panels), &d, panels, MAX(1, PACK_GRAIN / (taps * s->mr)));
    int64_t blocks = (s->n + s->images - 1) / s->images;
    parallel_for(F(direct_chunks), &d, blocks * s->groups * s->row_blocks, 1);
    return d.failed;
}

int F(conv_direct)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                   const ConvShape *s) {
    Sweep sweep = forward_sweep(s);
    return F(run_sweep)(y, x, w, b, activation, &sweep);
}

int F(conv_input_grad_direct)(REAL *gx, const REAL *g, const REAL *w, const ConvShape *s) {
    Sweep sweep = input_grad_sweep(s);
    return F(run_sweep)(gx, g, w, NULL, KEEP, &sweep);
}
