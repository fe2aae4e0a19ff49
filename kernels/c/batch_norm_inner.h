/* batch_norm.c for one type: channels in planes. Plane c * n + i is channel c of image i. */

INLINE const T *NAME(plane)(const void *x, const Norm *z, int64_t at) {
    return (const T *)x + (at % z->n * z->c + at / z->n) * z->l;
}

INLINE void NAME(put)(T *to, V value, int stream) {
    if (stream)
        stream_i(to, (vi)value);
    else
        *(VU *)to = value;
}

/* What follows batch norm: value i of its result y, with r. */
INLINE V NAME(after)(V y, const T *r, int64_t i, int relu) {
    if (r) y += NAME(load)(r + i);
    return relu ? (V)(~(y <= 0) & (VINT)y) : y; /* nan stays */
}

INLINE T NAME(after_one)(T y, const T *r, int64_t i, int relu) {
    if (r) y += r[i];
    return relu && y <= 0 ? (T)0 : y;
}

/* g where the result y of a relu is above 0; all of it without y. */
INLINE V NAME(passed)(const T *g, const T *y, int64_t i) {
    const V h = NAME(load)(g + i);
    return y ? (V)((NAME(load)(y + i) > 0) & (VINT)h) : h;
}

INLINE T NAME(passed_one)(const T *g, const T *y, int64_t i) {
    return !y || y[i] > 0 ? g[i] : (T)0;
}

/* forward ---------------------------------------------------------------------------------------*/
/* Fetch a plane: from image to image they lie too far apart for the processor's own guesses. */
INLINE void NAME(expect)(const Norm *z, const void *x, int64_t at, int64_t end) {
    if (at >= end || !z->fetch) return;
    const T *next = NAME(plane)(x, z, at);
    for (int64_t i = 0; i < z->l; i += 64 / (int64_t)sizeof(T)) __builtin_prefetch(next + i, 0, 2);
}

static void NAME(measure)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    for (int64_t at = begin; at < end; at++) {
        const T *x = NAME(plane)(z->x, z, at);
        NAME(expect)(z, z->x, at + 1, end);
        NAME(expect)(z, z->y, at, end);
        for (int64_t k = 0; k < z->blocks; k++) {
            const int64_t count = block_size(z, k);
            const double sum = NAME(sum)(x + k * BLOCK, count);
            const T middle = (T)(sum / (double)count);
            double rest, squares;
            NAME(sums_around)(x + k * BLOCK, count, middle, &rest, &squares);
            Pair *p = z->pairs + at * z->blocks + k;
            p->first = isfinite(sum) ? (double)middle * (double)count + rest : sum;
            p->second = squares - rest * rest / (double)count;
        }
    }
}

static void NAME(meet)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    const double count = (double)(z->n * z->l);
    for (int64_t c = begin; c < end; c++) {
        const Pair *p = z->pairs + c * z->n * z->blocks;
        double sum = 0.0, squares = 0.0;
        for (int64_t k = 0; k < z->n * z->blocks; k++) sum += p[k].first;
        const double mean = sum / count;
        for (int64_t k = 0; k < z->n * z->blocks; k++) {
            const double size = (double)block_size(z, k % z->blocks);
            const double away = p[k].first / size - mean;
            squares += p[k].second + size * away * away;
        }
        ((T *)z->mean)[c] = (T)mean;
        ((T *)z->var)[c] = (T)(squares / count);
    }
}

static void NAME(apply)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    for (int64_t at = begin; at < end; at++) {
        const int64_t c = at / z->n;
        const T *RESTRICT x = NAME(plane)(z->x, z, at);
        T *RESTRICT y = (T *)NAME(plane)(z->y, z, at);
        const double rstd = 1.0 / sqrt((double)((const T *)z->var)[c] + z->eps);
        const T mean = ((const T *)z->mean)[c], shift = z->b ? ((const T *)z->b)[c] : (T)0;
        const T scale = (T)(z->w ? rstd * (double)((const T *)z->w)[c] : rstd);
        const T *RESTRICT r = z->r ? NAME(plane)(z->r, z, at) : NULL;
        int64_t i = 0;
        if (r) NAME(expect)(z, z->r, at + 1, end);
        for (; i + LANES <= z->l; i += LANES) {
            const V one = (NAME(load)(x + i) - mean) * scale + shift;
            NAME(put)(y + i, NAME(after)(one, r, i, z->relu), z->stream);
        }
        for (; i < z->l; i++)
            y[i] = NAME(after_one)((x[i] - mean) * scale + shift, r, i, z->relu);
    }
    if (z->stream) stream_end();
}

static void NAME(forward)(void *context, int64_t begin, int64_t end) {
    const int64_t n = ((const Norm *)context)->n;
    for (int64_t c = begin; c < end; c++) {
        NAME(measure)(context, c * n, (c + 1) * n);
        NAME(meet)(context, c, c + 1);
        NAME(apply)(context, c * n, (c + 1) * n);
    }
}

/* backward --------------------------------------------------------------------------------------*/
/* The sums of g and of g * (x - shift), of g where y lets it pass. */
static void NAME(products_around)(const T *g, const T *y, const T *x, int64_t n, T shift,
                                  double *sum, double *products) {
    V t[4] = {{0}, {0}, {0}, {0}}, q[4] = {{0}, {0}, {0}, {0}};
    int64_t i = 0;
    double rest = 0.0, rest_products = 0.0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            const V h = NAME(passed)(g, y, i + k * LANES);
            t[k] += h;
            q[k] += h * (NAME(load)(x + i + k * LANES) - shift);
        }
    for (; i + LANES <= n; i += LANES) {
        const V h = NAME(passed)(g, y, i);
        t[0] += h;
        q[0] += h * (NAME(load)(x + i) - shift);
    }
    for (; i < n; i++) {
        const T h = NAME(passed_one)(g, y, i);
        rest += (double)h;
        rest_products += (double)h * (double)(x[i] - shift);
    }
    *sum = NAME(four)(t) + rest;
    *products = NAME(four)(q) + rest_products;
}

static void NAME(measure_back)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    for (int64_t at = begin; at < end; at++) {
        const T *g = NAME(plane)(z->g, z, at), *x = NAME(plane)(z->x, z, at);
        const T *y = z->mask ? NAME(plane)(z->mask, z, at) : NULL;
        NAME(expect)(z, z->g, at + 1, end);
        NAME(expect)(z, z->x, at + 1, end);
        if (y) NAME(expect)(z, z->mask, at + 1, end);
        const T mean = ((const T *)z->old_mean)[at / z->n];
        for (int64_t k = 0; k < z->blocks; k++) {
            Pair *p = z->pairs + at * z->blocks + k;
            NAME(products_around)(g + k * BLOCK, y ? y + k * BLOCK : NULL, x + k * BLOCK,
                                  block_size(z, k), mean, &p->first, &p->second);
        }
    }
}

INLINE double NAME(rstd)(const Norm *z, int64_t c) {
    return 1.0 / sqrt((double)((const T *)z->old_var)[c] + z->eps);
}

static void NAME(meet_back)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    for (int64_t c = begin; c < end; c++) {
        const Pair *p = z->pairs + c * z->n * z->blocks;
        double sum = 0.0, products = 0.0;
        for (int64_t k = 0; k < z->n * z->blocks; k++) {
            sum += p[k].first;
            products += p[k].second;
        }
        ((T *)z->mean)[c] = (T)sum;
        ((T *)z->var)[c] = (T)(products * NAME(rstd)(z, c));
    }
}

/* gx = a (g + e + (x - mean) d), with numbers of the channel. */
static void NAME(apply_back)(void *context, int64_t begin, int64_t end) {
    const Norm *z = context;
    const double count = (double)(z->n * z->l);
    for (int64_t at = begin; at < end; at++) {
        const int64_t c = at / z->n;
        const T *RESTRICT g = NAME(plane)(z->g, z, at), *RESTRICT x = NAME(plane)(z->x, z, at);
        const T *RESTRICT mask = z->mask ? NAME(plane)(z->mask, z, at) : NULL;
        T *RESTRICT gx = (T *)NAME(plane)(z->y, z, at);
        const double rstd = NAME(rstd)(z, c);
        const double scale = z->w ? rstd * (double)((const T *)z->w)[c] : rstd;
        const T mean = ((const T *)z->old_mean)[c], a = (T)scale;
        const T d = (T)(-rstd * (double)((const T *)z->var)[c] / count);
        const T e = (T)(-(double)((const T *)z->mean)[c] / count);
        int64_t i = 0;
        for (; i + LANES <= z->l; i += LANES) {
            const V away = NAME(load)(x + i) - mean;
            NAME(put)(gx + i, (NAME(passed)(g, mask, i) + e + away * d) * a, z->stream);
        }
        for (; i < z->l; i++)
            gx[i] = (NAME(passed_one)(g, mask, i) + e + (x[i] - mean) * d) * a;
    }
    if (z->stream) stream_end();
}

static void NAME(backward)(void *context, int64_t begin, int64_t end) {
    const int64_t n = ((const Norm *)context)->n;
    for (int64_t c = begin; c < end; c++) {
        NAME(measure_back)(context, c * n, (c + 1) * n);
        NAME(meet_back)(context, c, c + 1);
        NAME(apply_back)(context, c * n, (c + 1) * n);
    }
}
