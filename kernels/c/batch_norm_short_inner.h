/* batch_norm.c for one type: planes of at most STRIP numbers. x is a matrix (n, c l); a strip of
 * whole channels, at most STRIP columns, stays in the cache. What belongs to a channel is
 * written out for each of its columns, so that the loops along a row are plain vectors. */

typedef struct {
    int64_t from, width; /* columns */
    T mean[STRIP], scale[STRIP], other[STRIP], shift[STRIP];
} NAME(Strip);

INLINE int64_t NAME(strip_channels)(const Norm *z) { return MAX(1, STRIP / z->l); }

/* first[k] and second[k] = the column's sums: of x (g none), of squares around mean (x is g), or of
 * g and g (x - mean), g where y lets it pass. */
INLINE void NAME(column_sums)(const Norm *z, const NAME(Strip) *s, const T *g, const T *y,
                              const T *x, int around, double *first, double *second) {
    const int64_t row = z->c * z->l, width = s->width;
    for (int64_t k = 0; k < width; k++) first[k] = second[k] = 0.0;
    for (int64_t from = 0; from < z->n; from += SPILL) {
        T a[STRIP] = {0}, b[STRIP] = {0};
        for (int64_t i = from; i < MIN(from + SPILL, z->n); i++)
            for (int64_t k = 0; k < width; k++) {
                const T value = x[i * row + k];
                if (!around) {
                    a[k] += value;
                } else {
                    const T away = value - s->mean[k];
                    const T h = g ? NAME(passed_one)(g, y, i * row + k) : away;
                    a[k] += h;
                    b[k] += h * away;
                }
            }
        for (int64_t k = 0; k < width; k++) {
            first[k] += (double)a[k];
            second[k] += (double)b[k];
        }
    }
}

/* The sum over the columns of each channel. */
INLINE double NAME(channel_total)(const Norm *z, const double *column, int64_t channel) {
    double total = 0.0;
    for (int64_t k = 0; k < z->l; k++) total += column[channel * z->l + k];
    return total;
}

static void NAME(forward_short)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    const double count = (double)(z->n * z->l);
    const int64_t row = z->c * z->l;
    NAME(Strip) s = {.from = begin * z->l, .width = (end - begin) * z->l};
    const T *x = (const T *)z->x + s.from;
    const T *r = z->r ? (const T *)z->r + s.from : NULL;
    T *y = (T *)z->y + s.from;
    double first[STRIP], second[STRIP];
    NAME(column_sums)(z, &s, NULL, NULL, x, 0, first, second);
    for (int64_t c = begin; c < end; c++) {
        const T mean = (T)(NAME(channel_total)(z, first, c - begin) / count);
        ((T *)z->mean)[c] = mean;
        for (int64_t k = 0; k < z->l; k++) s.mean[(c - begin) * z->l + k] = mean;
    }
    NAME(column_sums)(z, &s, NULL, NULL, x, 1, first, second);
    for (int64_t c = begin; c < end; c++) {
        const double rest = NAME(channel_total)(z, first, c - begin);
        const double squares = NAME(channel_total)(z, second, c - begin) - rest * rest / count;
        ((T *)z->var)[c] = (T)(squares / count);
        const double rstd = 1.0 / sqrt((double)((T *)z->var)[c] + z->eps);
        for (int64_t k = (c - begin) * z->l; k < (c - begin + 1) * z->l; k++) {
            s.scale[k] = (T)(z->w ? rstd * (double)((const T *)z->w)[c] : rstd);
            s.shift[k] = z->b ? ((const T *)z->b)[c] : (T)0;
        }
    }
    for (int64_t i = 0; i < z->n; i++)
        for (int64_t k = 0; k < s.width; k++) {
            const T one = (x[i * row + k] - s.mean[k]) * s.scale[k] + s.shift[k];
            y[i * row + k] = NAME(after_one)(one, r, i * row + k, z->relu);
        }
}

static void NAME(backward_short)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    const double count = (double)(z->n * z->l);
    const int64_t row = z->c * z->l;
    NAME(Strip) s = {.from = begin * z->l, .width = (end - begin) * z->l};
    const T *x = (const T *)z->x + s.from, *g = (const T *)z->g + s.from;
    const T *mask = z->mask ? (const T *)z->mask + s.from : NULL;
    T *gx = (T *)z->y + s.from;
    double first[STRIP], second[STRIP];
    for (int64_t k = 0; k < s.width; k++) s.mean[k] = ((const T *)z->old_mean)[begin + k / z->l];
    NAME(column_sums)(z, &s, g, mask, x, 1, first, second);
    for (int64_t c = begin; c < end; c++) {
        const double rstd = NAME(rstd)(z, c), gb = NAME(channel_total)(z, first, c - begin);
        const double gw = NAME(channel_total)(z, second, c - begin) * rstd;
        const double scale = z->w ? rstd * (double)((const T *)z->w)[c] : rstd;
        ((T *)z->mean)[c] = (T)gb;
        ((T *)z->var)[c] = (T)gw;
        for (int64_t k = (c - begin) * z->l; k < (c - begin + 1) * z->l; k++) {
            s.scale[k] = (T)scale;
            s.other[k] = (T)(-rstd * gw / count);
            s.shift[k] = (T)(-gb / count);
        }
    }
    for (int64_t i = 0; i < z->n; i++)
        for (int64_t k = 0; k < s.width; k++) {
            const T away = x[i * row + k] - s.mean[k];
            const T h = NAME(passed_one)(g, mask, i * row + k);
            gx[i * row + k] = (h + s.shift[k] + away * s.other[k]) * s.scale[k];
        }
}

int NAME(batch_norm)(T *y, T *mean, T *var, const T *x, const T *w, const T *b, const T *r,
                     int relu, double eps, int64_t n, int64_t c, int64_t l) {
    Norm z = {.y = y, .mean = mean, .var = var, .x = x, .w = w, .b = b, .eps = eps};
    z.r = r, z.relu = relu;
    z.n = n, z.c = c, z.l = l;
    if (l > STRIP)
        return run(&z, sizeof(T), 1, NAME(forward), NAME(measure), NAME(meet), NAME(apply));
    parallel_for(NAME(forward_short), &z, c, NAME(strip_channels)(&z));
    return 0;
}

int NAME(batch_norm_grad)(T *gx, T *gw, T *gb, const T *g, const T *y, const T *x,
                          const T *w, const T *mean, const T *var, double eps, int64_t n,
                          int64_t c, int64_t l) {
    Norm z = {.y = gx, .mean = gb, .var = gw, .g = g, .x = x, .w = w, .eps = eps};
    z.old_mean = mean, z.old_var = var, z.mask = y;
    z.n = n, z.c = c, z.l = l;
    if (l >= STRIP)
        return run(&z, sizeof(T), 2, NAME(backward), NAME(measure_back), NAME(meet_back),
                   NAME(apply_back));
    parallel_for(NAME(backward_short), &z, c, NAME(strip_channels)(&z));
    return 0;
}
