/* The padded copy of an image (conv_inner.h), for one type T. */

/* n elements, in whole vectors where the source may be read beyond them: what these write too far
   is put right later, since rows are written in order. */
INLINE void NAME(copy_run)(T *RESTRICT to, const T *RESTRICT from, int64_t n, const T *end) {
    if (from + n + LANES <= end)
        for (int64_t j = 0; j < n; j += LANES) STORE(to + j, LOAD(from + j));
    else
        memcpy(to, from, n * sizeof(T));
}

INLINE void NAME(clear_run)(T *to, int64_t n) {
    for (int64_t j = 0; j < n; j++) to[j] = 0;
}

/* One plane of every sy-th row: its columns begin ... end-1 lie inside the image. */
static void NAME(copy_plane)(T *to, const T *channel, const T *limit, const Copy *c, int64_t row,
                             int64_t column) {
    int64_t begin, end, step = c->sx;
    steps_inside(column, step, c->w, c->width, &begin, &end);
    for (int64_t i = 0; i < c->rows; i++, row += c->sy, to += c->width) {
        if (row < 0 || row >= c->h) {
            NAME(clear_run)(to, c->width);
            continue;
        }
        const T *RESTRICT from = channel + row * c->w + column;
        NAME(clear_run)(to, begin);
        if (step == 1)
            NAME(copy_run)(to + begin, from + begin, end - begin, limit);
        else if (step == 2)
            for (int64_t j = begin; j < end; j++) to[j] = from[2 * j];
        else if (step == 4)
            for (int64_t j = begin; j < end; j++) to[j] = from[4 * j];
        else
            for (int64_t j = begin; j < end; j++) to[j] = from[j * step];
        NAME(clear_run)(to + end, c->width - end);
    }
}

/* A plane for each column tap: every row is padded once in `line`, then stored from each tap on. */
static inline void NAME(copy_shifted)(T *to, T *RESTRICT line, const T *channel, const Copy *c) {
    int64_t begin, end, length = c->width + (c->planes - 1) * c->gap;
    steps_inside(c->column, 1, c->w, length, &begin, &end);
    NAME(clear_run)(line, length);
    for (int64_t i = 0, row = c->row; i < c->rows; i++, row++, to += c->width) {
        int outside = row < 0 || row >= c->h;
        if (!outside)
            memcpy(line + begin, channel + row * c->w + c->column + begin,
                   (end - begin) * sizeof(T));
        for (int64_t p = 0; p < c->planes; p++) {
            T *RESTRICT run = to + p * c->plane;
            const T *RESTRICT from = line + p * c->gap;
            if (outside)
                NAME(clear_run)(run, c->width);
            else
                for (int64_t j = 0; j < c->width; j += LANES) STORE(run + j, LOAD(from + j));
        }
    }
}

/* `limit`: the end of memory that may be read. */
static inline void NAME(copy_image)(T *to, const T *image, const T *limit, const Copy *c) {
    T *line = to + c->channels * c->channel; /* within the slack of copy_size */
    for (int64_t channel = 0; channel < c->channels; channel++) {
        if (c->sx == 1 && c->sy == 1 && c->planes > 1) {
            NAME(copy_shifted)(to + channel * c->channel, line, image + channel * c->h * c->w, c);
            continue;
        }
        for (int64_t py = 0; py < c->sy; py++)
            for (int64_t p = 0; p < c->planes; p++)
                NAME(copy_plane)(to + channel * c->channel + (py * c->planes + p) * c->plane,
                                 image + channel * c->h * c->w, limit, c, c->row + py,
                                 c->column + p * c->gap);
    }
}
