/* The direct convolution (conv.c) for one type T: the forward pass and the input gradient. */

typedef struct {
    const Sweep *s;
    T *y;
    const T *x, *w, *b;
    T *packed;
    int activation, failed;
} NAME(Direct);

/* Weights of family f, group g, outputs first ... first+mr-1 as the tile reads them: [tap][mr]. */
static void NAME(pack_panel)(T *RESTRICT to, const T *w, const Sweep *s, const Family *f,
                             int64_t group, int64_t first) {
    const T *from = w + group * s->w_group + first * s->w_output;
    for (int64_t c = 0; c < s->copy.channels; c++)
        for (int64_t t = 0; t < f->taps; t++) {
            const T *tap = from + c * s->w_channel + f->position[t];
            for (int64_t m = 0; m < s->mr; m++) to[m] = tap[m * s->w_output];
            to += s->mr;
        }
}

/* Where the panels of a family and group begin; a panel has mr outputs, the last one as well. */
static const T *NAME(panels_of)(const NAME(Direct) * d, const Family *f, int64_t group) {
    const Sweep *s = d->s;
    int64_t outputs = s->panels * s->mr;
    return d->packed + outputs * (f->start * s->groups + group * s->copy.channels * f->taps);
}

static void NAME(pack_panels)(void *context, int64_t begin, int64_t end) {
    NAME(Direct) *d = context;
    const Sweep *s = d->s;
    for (int64_t at = begin; at < end; at++) {
        int64_t panel = at % s->panels, group = at / s->panels % s->groups;
        const Family *f = s->families + at / (s->panels * s->groups);
        T *to = (T *)NAME(panels_of)(d, f, group) + panel * s->mr * s->copy.channels * f->taps;
        NAME(pack_panel)(to, d->w, s, f, group, first_of_panel(s, panel));
    }
}

/* Rows of results from where the tiles left them to their places. */
static void NAME(put_rows)(T *plane, const T *RESTRICT rows, int64_t first, int64_t count,
                           const Sweep *s, const Family *f) {
    int64_t y = first * s->out_sy + f->y, begin, end;
    steps_inside(f->x, s->out_sx, s->out_w, s->columns, &begin, &end);
    for (int64_t i = 0; i < count; i++, y += s->out_sy, rows += s->copy.width) {
        if (y < 0 || y >= s->out_h) continue;
        T *RESTRICT to = plane + y * s->out_w + f->x;
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
static void NAME(run_strips)(T *out, int64_t distance, int64_t room, const T *copy,
                             const NAME(Direct) * d, const Family *f, int64_t group, int64_t begin,
                             int64_t end, int64_t elements) {
    const Sweep *s = d->s;
    const int *sizes = TILE_VECTORS[s->mr];
    int64_t taps = s->copy.channels * f->taps, left = (elements + LANES - 1) / LANES;
    T edge[MOST_OUTPUTS * MOST_VECTORS * LANES];
    for (int64_t q = 0; left > 0;) {
        int size = left >= sizes[2] ? 2 : left >= sizes[1];
        int64_t length = sizes[size] * LANES, fits = q + length <= room;
        for (int64_t p = begin; p < end; p++) {
            int64_t first = first_of_panel(s, p);
            T *to = out + (first - first_of_panel(s, begin)) * distance + q;
            const T *w = NAME(panels_of)(d, f, group) + p * s->mr * taps;
            const T *b = d->b + group * s->outputs + first;
            NAME(tiles)[s->mr][size](fits ? to : edge, fits ? distance : length, w, b, copy + q,
                                     f->offset, taps);
            if (!fits)
                for (int64_t m = 0; m < s->mr; m++)
                    memcpy(to + m * distance, edge + m * length, (room - q) * sizeof(T));
        }
        q += length, left -= sizes[size];
    }
}

/* Panels begin ... end-1 of a family for `count` rows of windows from row `first` on. */
static void NAME(run_panels)(const NAME(Direct) * d, const Family *f, T *rows, const T *copy,
                             int64_t image, int64_t group, int64_t begin, int64_t end,
                             int64_t first, int64_t count) {
    const Sweep *s = d->s;
    int64_t output = first_of_panel(s, begin), after = first_of_panel(s, end - 1) + s->mr;
    int64_t plane = s->out_h * s->out_w, distance = s->rows * s->copy.width + SLACK;
    int64_t elements = (count - 1) * s->copy.width + s->columns;
    T *y = d->y + ((image * s->groups + group) * s->outputs + output) * plane;
    T *to = s->straight ? y + first * s->out_w : rows;
    NAME(run_strips)(to, s->straight ? plane : distance, s->straight ? elements : distance, copy, d,
                     f, group, begin, end, elements);
    for (int64_t m = 0; m < after - output && !s->straight; m++)
        NAME(put_rows)(y + m * plane, rows + m * distance, first, count, s, f);
    Finish finish = {.activation = d->activation};
    if (finish.activation)
        NAME(gemm_finish)(&finish, after - output, count * s->out_w, y + first * s->out_w, plane);
}

/* The image itself where the copy would be the same and may be read beyond its end. */
static const T *NAME(image_or_copy)(const NAME(Direct) * d, T *to, const Copy *c, int64_t image,
                                    int64_t group) {
    int64_t plane = c->h * c->w, planes = d->s->groups * c->channels;
    const T *from = d->x + (image * planes + group * c->channels) * plane;
    const T *limit = d->x + d->s->n * planes * plane;
    if (d->s->as_is && from + c->channels * plane + SLACK <= limit) return from;
    NAME(copy_image)(to, from, limit, c);
    return to;
}

/* Chunks are numbered over blocks of images, groups and blocks of rows. */
static void NAME(direct_chunks)(void *context, int64_t begin, int64_t end) {
    NAME(Direct) *d = context;
    const Sweep *s = d->s;
    int64_t distance = s->straight ? 0 : s->rows * s->copy.width + SLACK;
    T *copies = workspace(0, s->images * s->copy_elements * sizeof(T));
    T *rows = workspace(1, s->block * s->mr * distance * sizeof(T) + 1);
    if (!copies || !rows) {
        d->failed = -1;
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at % s->row_blocks * s->rows, count = MIN(s->rows, s->units - first);
        int64_t group = at / s->row_blocks % s->groups;
        int64_t image = at / (s->row_blocks * s->groups) * s->images;
        int64_t images = MIN(s->images, s->n - image);
        const T *from[MOST_IMAGES];
        Copy copy = s->copy;
        copy.row += first * copy.sy;
        copy.rows = count + s->halo;
        for (int64_t i = 0; i < images; i++)
            from[i] = NAME(image_or_copy)(d, copies + i * s->copy_elements, &copy, image + i,
                                          group);
        for (int64_t k = 0; k < s->family_count; k++)
            for (int64_t p = 0; p < s->panels; p += s->block)
                for (int64_t i = 0; i < images; i++)
                    NAME(run_panels)(d, s->families + k, rows, from[i], image + i, group, p,
                                     MIN(s->panels, p + s->block), first, count);
    }
}

static int NAME(run_sweep)(T *y, const T *x, const T *w, const T *b, int activation, Sweep *s) {
    s->copy_elements = cut_sweep(s, sizeof(T));
    if (s->copy_elements < 0 || place_taps(s)) return -1;
    NAME(Direct) d = {.s = s, .y = y, .x = x, .w = w, .b = b, .activation = activation};
    int64_t taps = s->copy.channels * s->k * s->l;
    d.packed = workspace(2, (taps * s->groups * s->panels * s->mr + SLACK) * sizeof(T));
    T *zeros = b ? NULL : workspace(4, s->groups * s->outputs * sizeof(T));
    if (!d.packed || (!b && !zeros)) return -1;
    if (!b) d.b = memset(zeros, 0, s->groups * s->outputs * sizeof(T));
    int64_t panels = s->family_count * s->groups * s->panels;
    parallel_for(NAME(pack_panels), &d, panels, MAX(1, PACK_GRAIN / (taps * s->mr)));
    int64_t blocks = (s->n + s->images - 1) / s->images;
    parallel_for(NAME(direct_chunks), &d, blocks * s->groups * s->row_blocks, 1);
    return d.failed;
}

int NAME(conv_direct)(T *y, const T *x, const T *w, const T *b, int activation,
                      const ConvShape *s) {
    Sweep sweep = forward_sweep(s);
    return NAME(run_sweep)(y, x, w, b, activation, &sweep);
}

int NAME(conv_input_grad_direct)(T *gx, const T *g, const T *w, const ConvShape *s) {
    Sweep sweep = input_grad_sweep(s);
    return NAME(run_sweep)(gx, g, w, NULL, KEEP, &sweep);
}
