/* response_norm.c for one type. Loops over the columns of a strip are vectors. */

/* power = s^-beta, of one row of a strip. */
INLINE void NAME(shrink)(const T *RESTRICT s, double beta, int64_t width, T *RESTRICT power) {
    if (beta == 0.75)
        for (int64_t j = 0; j < width; j++) power[j] = 1 / (ROOT(s[j]) * ROOT(ROOT(s[j])));
    else
        for (int64_t j = 0; j < width; j++) power[j] = POWER(s[j], (T)-beta);
}

static void NAME(forward)(void *context, int64_t begin, int64_t end) {
    const Response *z = context;
    const int64_t l = z->l, c = z->c;
    const T scale = (T)(z->alpha / (double)z->size), least = (T)z->k;
    for (int64_t t = begin; t < end; t++) {
        const int64_t column = t % z->strips * COLUMNS, width = MIN(COLUMNS, l - column);
        const int64_t at = t / z->strips * c * l + column;
        const T *x = (const T *)z->x + at;
        for (int64_t i = 0; i < c; i++) {
            const int64_t first = MAX(0, i - z->size / 2), last = MIN(c - 1, i + (z->size - 1) / 2);
            T sum[COLUMNS] = {0}, power[COLUMNS];
            T *s = (T *)z->s + at + i * l, *y = (T *)z->y + at + i * l;
            for (int64_t q = first; q <= last; q++)
                for (int64_t j = 0; j < width; j++) sum[j] += x[q * l + j] * x[q * l + j];
            for (int64_t j = 0; j < width; j++) sum[j] = sum[j] * scale + least;
            NAME(shrink)(sum, z->beta, width, power);
            for (int64_t j = 0; j < width; j++) s[j] = sum[j];
            for (int64_t j = 0; j < width; j++) y[j] = x[i * l + j] * power[j];
        }
    }
}

static void NAME(strip_back)(const Response *z, int64_t at, int64_t width, T *pull) {
    const int64_t l = z->l, c = z->c;
    const T scale = (T)(2.0 * z->alpha * z->beta / (double)z->size);
    const T *g = (const T *)z->g + at, *x = (const T *)z->x + at, *s = (const T *)z->s + at;
    T *gx = (T *)z->y + at, power[COLUMNS];
    for (int64_t i = 0; i < c; i++) {
        NAME(shrink)(s + i * l, z->beta, width, power);
        for (int64_t j = 0; j < width; j++) {
            const T direct = g[i * l + j] * power[j];
            pull[i * COLUMNS + j] = direct * x[i * l + j] / s[i * l + j];
            gx[i * l + j] = direct;
        }
    }
    for (int64_t i = 0; i < c; i++) {
        const int64_t first = MAX(0, i - (z->size - 1) / 2), last = MIN(c - 1, i + z->size / 2);
        T sum[COLUMNS] = {0};
        for (int64_t q = first; q <= last; q++)
            for (int64_t j = 0; j < width; j++) sum[j] += pull[q * COLUMNS + j];
        for (int64_t j = 0; j < width; j++) gx[i * l + j] -= x[i * l + j] * (scale * sum[j]);
    }
}

static void NAME(backward)(void *context, int64_t begin, int64_t end) {
    Response *z = context;
    T *pull = workspace(0, sizeof(T) * (size_t)z->c * COLUMNS);
    if (!pull) {
        z->failed = 1;
        return;
    }
    for (int64_t t = begin; t < end; t++) {
        const int64_t column = t % z->strips * COLUMNS, at = t / z->strips * z->c * z->l + column;
        NAME(strip_back)(z, at, MIN(COLUMNS, z->l - column), pull);
    }
}

static int NAME(run)(Response z, Task task) {
    z.strips = (z.l + COLUMNS - 1) / COLUMNS;
    parallel_for(task, &z, z.n * z.strips, MAX(1, GRAIN / (z.c * MIN(z.l, COLUMNS))));
    return z.failed ? -1 : 0;
}

int NAME(response_norm)(T *y, T *s, const T *x, int64_t n, int64_t c, int64_t l, int64_t size,
                        double alpha, double beta, double k) {
    return NAME(run)((Response){.y = y, .s = s, .x = x, .n = n, .c = c, .l = l, .size = size,
                                .alpha = alpha, .beta = beta, .k = k}, NAME(forward));
}

int NAME(response_norm_grad)(T *gx, const T *g, const T *x, const T *s, int64_t n, int64_t c,
                             int64_t l, int64_t size, double alpha, double beta) {
    return NAME(run)((Response){.y = gx, .s = (T *)s, .g = g, .x = x, .n = n, .c = c, .l = l,
                                .size = size, .alpha = alpha, .beta = beta}, NAME(backward));
}
