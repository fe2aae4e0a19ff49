/* layer_norm.c for one type. */

static void NAME(forward)(void *context, int64_t begin, int64_t end) {
    const Layer *z = context;
    const int64_t n = z->length;
    const T *RESTRICT w = z->w, *RESTRICT b = z->b;
    for (int64_t row = begin; row < end; row++) {
        const T *RESTRICT x = (const T *)z->x + row * n;
        T *RESTRICT y = (T *)z->y + row * n;
        double sum = 0.0, squares = 0.0, rest = 0.0;
        for (int64_t i = 0; i < n; i += BLOCK) sum += NAME(sum)(x + i, MIN(BLOCK, n - i));
        const T mean = (T)(sum / (double)n);
        for (int64_t i = 0; i < n; i += BLOCK) {
            double first, second;
            NAME(sums_around)(x + i, MIN(BLOCK, n - i), mean, &first, &second);
            rest += first;
            squares += second;
        }
        const double var = (squares - rest * rest / (double)n) / (double)n;
        const T rstd = (T)(1.0 / sqrt(var + z->eps));
        ((T *)z->mean)[row] = mean;
        ((T *)z->rstd)[row] = rstd;
        if (w && b) {
            for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * w[i] + b[i];
        } else {
            for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd;
            for (int64_t i = 0; w && i < n; i++) y[i] *= w[i];
            for (int64_t i = 0; b && i < n; i++) y[i] += b[i];
        }
    }
}

void NAME(layer_norm)(T *y, T *mean, T *rstd, const T *x, const T *w, const T *b, double eps,
                      int64_t rows, int64_t length) {
    Layer z = {.y = y, .mean = mean, .rstd = rstd, .x = x, .w = w, .b = b, .eps = eps};
    z.rows = rows, z.length = length;
    parallel_for(NAME(forward), &z, rows, MAX(1, GRAIN / length));
}

/* The sums of h and h xhat over a row, where h = g w; g xhat and g are added to the totals. */
INLINE void NAME(sweep)(const Layer *z, const T *RESTRICT g, const T *RESTRICT x, T mean, T rstd,
                        T *RESTRICT gw, T *RESTRICT gb, double *sum, double *products) {
    const T *RESTRICT w = z->w;
    *sum = *products = 0.0;
    for (int64_t from = 0; from < z->length; from += BLOCK) {
        const int64_t end = MIN(z->length, from + BLOCK);
        V t = {0}, q = {0};
        int64_t i = from;
        for (; i + LANES <= end; i += LANES) {
            const V own = NAME(load)(g + i), xhat = (NAME(load)(x + i) - mean) * rstd;
            V h = own;
            if (w) h *= NAME(load)(w + i);
            *(VU *)(gw + i) = NAME(load)(gw + i) + own * xhat;
            *(VU *)(gb + i) = NAME(load)(gb + i) + own;
            t += h;
            q += h * xhat;
        }
        for (; i < end; i++) {
            const T xhat = (x[i] - mean) * rstd, h = w ? g[i] * w[i] : g[i];
            gw[i] += g[i] * xhat;
            gb[i] += g[i];
            *sum += (double)h;
            *products += (double)h * (double)xhat;
        }
        *sum += NAME(lanes)(t);
        *products += NAME(lanes)(q);
    }
}

static void NAME(backward)(void *context, int64_t begin, int64_t end) {
    const Layer *z = context;
    const int64_t n = z->length;
    const T *RESTRICT w = z->w;
    T *gw = (T *)z->totals + begin / z->chunk * 2 * n, *gb = gw + n;
    memset(gw, 0, 2 * (size_t)n * sizeof(T));
    for (int64_t row = begin; row < end; row++) {
        const T *RESTRICT g = (const T *)z->g + row * n, *RESTRICT x = (const T *)z->x + row * n;
        T *RESTRICT y = (T *)z->y + row * n;
        const T mean = ((const T *)z->old_mean)[row], rstd = ((const T *)z->old_rstd)[row];
        double sum, products;
        NAME(sweep)(z, g, x, mean, rstd, gw, gb, &sum, &products);
        const T middle = (T)(sum / (double)n), pull = (T)(products / (double)n);
        const T *h = g;
        if (w) { /* stored first: as part of a multiply-add it would not cancel with `middle` */
            for (int64_t i = 0; i < n; i++) y[i] = g[i] * w[i];
            h = y;
        }
        for (int64_t i = 0; i < n; i++)
            y[i] = (h[i] - middle - (x[i] - mean) * rstd * pull) * rstd;
    }
}

/* gw and gb, which lie one after the other in the totals of each chunk. */
static void NAME(meet)(void *context, int64_t begin, int64_t end) {
    const Layer *z = context;
    const int64_t n = z->length, chunks = (z->rows + z->chunk - 1) / z->chunk;
    for (int64_t i = begin; i < end; i++) {
        double total = 0.0;
        for (int64_t k = 0; k < chunks; k++) total += (double)((const T *)z->totals)[k * 2 * n + i];
        (i < n ? (T *)z->mean : (T *)z->rstd - n)[i] = (T)total;
    }
}

int NAME(layer_norm_grad)(T *gx, T *gw, T *gb, const T *g, const T *x, const T *w, const T *mean,
                          const T *rstd, int64_t rows, int64_t length) {
    Layer z = {.y = gx, .mean = gw, .rstd = gb, .g = g, .x = x, .w = w};
    z.old_mean = mean, z.old_rstd = rstd;
    z.rows = rows, z.length = length;
    z.chunk = MIN(MAX(1, GRAIN / length), MOST_ROWS);
    const int64_t chunks = (rows + z.chunk - 1) / z.chunk;
    z.totals = workspace(0, (size_t)(chunks * 2 * length) * sizeof(T));
    if (!z.totals) return -1;
    parallel_for(NAME(backward), &z, rows, z.chunk);
    parallel_for(NAME(meet), &z, 2 * length, MAX(1, GRAIN / chunks));
    return 0;
}
