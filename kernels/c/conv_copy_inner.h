/* conv_copy.c for one type, named as in vector_type_inner.h. */

/* n elements, in whole vectors where the source may be read beyond them: what these write too far
   is put right later, since rows are written in order. */
INLINE void F(copy_run)(REAL *RESTRICT to, const REAL *RESTRICT from, int64_t n, const REAL *end) {
    if (from + n + LANES <= end)
        for (int64_t j = 0; j < n; j += LANES) STORE(to + j, LOAD(from + j));
    else
        memcpy(to, from, n * sizeof(REAL));
}

INLINE void F(clear_run)(REAL *to, int64_t n) {
    for (int64_t j = 0; j < n; j++) to[j] = 0;
}

void F(copy_plane)(REAL *to, const REAL *channel, const REAL *limit, const Copy *c, int64_t row,
                   int64_t column) {
    int64_t begin, end, step = c->sx;
    steps_inside(column, step, c->w, c->width, &begin, &end);
    for (int64_t i = 0; i < c->rows; i++, row += c->sy, to += c->width) {
        if (row < 0 || row >= c->h) {
            F(clear_run)(to, c->width);
            continue;
        }
        const REAL *RESTRICT from = channel + row * c->w + column;
        F(clear_run)(to, begin);
        if (step == 1)
            F(copy_run)(to + begin, from + begin, end - begin, limit);
        else
            for (int64_t j = begin; j < end; j++) to[j] = from[j * step];
        F(clear_run)(to + end, c->width - end);
    }
}

/* to[p][j] = from[j step + p] for the phases p of step 2 or 4, a vector of j at a time. */
INLINE void F(deal_out)(REAL *RESTRICT to, int64_t plane, const REAL *RESTRICT from, int64_t n,
                        const int step) {
    for (int64_t j = 0; j < n; j += LANES, from += step * LANES) {
        VEC v[4];
        for (int i = 0; i < step; i++) v[i] = LOAD(from + i * LANES);
        F(even_odd)(v, v + 1);
        if (step == 4) {
            F(even_odd)(v + 2, v + 3);
            F(even_odd)(v, v + 2);
            F(even_odd)(v + 1, v + 3);
        }
        for (int i = 0; i < step; i++) STORE(to + i * plane + j, v[i]);
    }
}

/* One row of the image to all column phases. Vectors may read beyond the row, into the next, and
   write beyond it: the edges of a row are set after them, and rows of a plane come in order. */
INLINE void F(deal_row)(REAL *to, const REAL *from, const REAL *limit, const Copy *c,
                        const int64_t *begin, const int64_t *end, const int step) {
    int64_t first = 0, last = 0;
    for (int p = 0; p < step; p++) first = MAX(first, begin[p]), last = MAX(last, end[p]);
    int64_t done = (last - first + LANES - 1) / LANES * LANES;
    while (done > 0 && from + (first + done) * step > limit) done -= LANES;
    F(deal_out)(to + first, c->plane, from + first * step, done, step);
    for (int p = 0; p < step; p++, to += c->plane) {
        F(clear_run)(to, begin[p]);
        for (int64_t j = begin[p]; j < MIN(end[p], first); j++) to[j] = from[j * step + p];
        for (int64_t j = MAX(begin[p], first + done); j < end[p]; j++) to[j] = from[j * step + p];
        F(clear_run)(to + end[p], c->width - end[p]);
    }
}

/* All phases of column stride 2 or 4; the image is read from top to bottom, as prefetchers like. */
static inline void F(copy_phases)(REAL *to, const REAL *image, const REAL *limit, const Copy *c,
                                  const int step) {
    int64_t begin[4], end[4];
    for (int p = 0; p < step; p++)
        steps_inside(c->column + p, step, c->w, c->width, begin + p, end + p);
    for (int64_t i = 0, row = c->row; i < c->rows; i++, to += c->width)
        for (int64_t py = 0; py < c->sy; py++, row++) {
            REAL *run = to + py * step * c->plane;
            if (row >= 0 && row < c->h)
                F(deal_row)(run, image + row * c->w + c->column, limit, c, begin, end, step);
            else
                for (int p = 0; p < step; p++) F(clear_run)(run + p * c->plane, c->width);
        }
}

/* A plane for each column tap: every row is padded once in `line`, then stored from each tap on. */
static inline void F(copy_shifted)(REAL *to, REAL *RESTRICT line, const REAL *channel,
                                   const Copy *c) {
    int64_t begin, end, length = c->width + (c->planes - 1) * c->gap;
    steps_inside(c->column, 1, c->w, length, &begin, &end);
    F(clear_run)(line, length);
    for (int64_t i = 0, row = c->row; i < c->rows; i++, row++, to += c->width) {
        int outside = row < 0 || row >= c->h;
        if (!outside)
            memcpy(line + begin, channel + row * c->w + c->column + begin,
                   (end - begin) * sizeof(REAL));
        for (int64_t p = 0; p < c->planes; p++) {
            REAL *RESTRICT run = to + p * c->plane;
            const REAL *RESTRICT from = line + p * c->gap;
            if (outside)
                F(clear_run)(run, c->width);
            else
                for (int64_t j = 0; j < c->width; j += LANES) STORE(run + j, LOAD(from + j));
        }
    }
}

void F(copy_image)(REAL *to, const REAL *image, const REAL *limit, const Copy *c) {
    REAL *line = to + c->channels * c->channel; /* within the slack of copy_size */
    for (int64_t channel = 0; channel < c->channels; channel++) {
        if (c->sx == 1 && c->sy == 1 && c->planes > 1) {
            F(copy_shifted)(to + channel * c->channel, line, image + channel * c->h * c->w, c);
            continue;
        }
        REAL *planes = to + channel * c->channel;
        const REAL *from = image + channel * c->h * c->w;
        if (c->sx == c->planes && (c->sx == 2 || c->sx == 4)) {
            if (c->sx == 2) F(copy_phases)(planes, from, limit, c, 2);
            if (c->sx == 4) F(copy_phases)(planes, from, limit, c, 4);
            continue;
        }
        for (int64_t py = 0; py < c->sy; py++)
            for (int64_t p = 0; p < c->planes; p++, planes += c->plane)
                F(copy_plane)(planes, from, limit, c, c->row + py, c->column + p * c->gap);
    }
}
