/* Sums of windows and their transpose, for one type T (pooling.c). */

/* total[j] = the sum of a row's elements in window j. */
static void NAME(sum_of_row)(T *RESTRICT total, T *RESTRICT phases, int64_t length,
                             const T *RESTRICT row, const PoolShape *s) {
    int64_t n = padded(s->ow);
    NAME(split_row)(phases, length, row, s, 0);
    memcpy(total, phases, n * sizeof(T));
    for (int64_t tap = 1; tap < s->l; tap++) {
        const T *RESTRICT from = phases + tap % s->sx * length + tap / s->sx;
        for (int64_t j = 0; j < n; j++) total[j] += from[j];
    }
}

/* `n` sums of 2x2 windows side by side. */
INLINE void NAME(sum_2x2)(T *RESTRICT y, const T *RESTRICT upper, const T *RESTRICT lower, T scale,
                          int n) {
    for (int j = 0; j < n; j++)
        y[j] = scale * ((upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1]));
}

static void NAME(sum_planes_2x2)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    int64_t size = s->h * s->w;
    for (int64_t row = begin * s->oh; row < end * s->oh; row++) {
        const T *x = c->x + row / s->oh * size + row % s->oh * 2 * s->w;
        T *y = c->y + row * s->ow;
        if (s->ow < LANES) NAME(sum_2x2)(y, x, x + s->w, c->scale, (int)s->ow);
        for (int64_t i = 0; i < s->ow && s->ow >= LANES; i += LANES) {
            const int64_t j = MIN(i, s->ow - LANES);
            NAME(sum_2x2)(y + j, x + 2 * j, x + s->w + 2 * j, c->scale, LANES);
        }
    }
}

/* The window is the plane: 16 sums side by side, then those in order. */
static void NAME(sum_whole_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    int64_t size = c->s->h * c->s->w;
    for (int64_t plane = begin; plane < end; plane++) {
        const T *x = c->x + plane * size;
        T lanes[LANES] = {0}, total = 0;
        int64_t i = 0;
        for (; i + LANES <= size; i += LANES)
            for (int j = 0; j < LANES; j++) lanes[j] += x[i + j];
        for (; i < size; i++) lanes[i % LANES] += x[i];
        for (int j = 0; j < LANES; j++) total += lanes[j];
        c->y[plane] = c->scale * total;
    }
}

static void NAME(sum_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    int64_t n = padded(s->ow), length = n + padded((s->l - 1) / s->sx + 1);
    T *rows = workspace(0, ((s->h + 1) * n + length * MIN(s->sx, s->l)) * sizeof(T));
    if (!rows) {
        c->failed = -1;
        return;
    }
    T *RESTRICT total = rows + s->h * n, *phases = total + n;
    for (int64_t plane = begin; plane < end; plane++) {
        const T *x = c->x + plane * s->h * s->w;
        for (int64_t i = 0; i < s->h; i++)
            NAME(sum_of_row)(rows + i * n, phases, length, x + i * s->w, s);
        for (int64_t i = 0; i < s->oh; i++) {
            int64_t first, last;
            inside(i * s->sy - s->top, 1, s->h, s->k, &first, &last);
            memset(total, 0, n * sizeof(T));
            for (int64_t tap = first; tap < last; tap++) {
                const T *RESTRICT row = rows + (i * s->sy - s->top + tap) * n;
                for (int64_t j = 0; j < n; j++) total[j] += row[j];
            }
            T *RESTRICT y = c->y + (plane * s->oh + i) * s->ow;
            for (int64_t j = 0; j < s->ow; j++) y[j] = c->scale * total[j];
        }
    }
}

int NAME(sum_pool)(T *y, const T *x, double scale, const PoolShape *s) {
    NAME(Pool) c = {.s = s, .y = y, .x = x, .scale = (T)scale};
    int whole = s->oh * s->ow == 1 && s->k == s->h && s->l == s->w && !s->top && !s->left;
    parallel_for(whole ? NAME(sum_whole_planes)
                       : apart_2x2(s) ? NAME(sum_planes_2x2) : NAME(sum_planes),
                 &c, s->planes, chunk_of_planes(s->h * s->w));
    return c.failed;
}

/* row[i] = the sum of g[j] over the windows j that hold column i; g has room of one vector. */
static void NAME(spread_row)(T *RESTRICT row, T *RESTRICT phases, int64_t length,
                             const T *RESTRICT g, const PoolShape *s) {
    int64_t n = padded(s->ow);
    memset(phases, 0, s->sx * length * sizeof(T));
    for (int64_t tap = 0; tap < s->l; tap++) {
        T *RESTRICT to = phases + tap % s->sx * length + tap / s->sx;
        for (int64_t j = 0; j < n; j++) to[j] += g[j];
    }
    for (int64_t r = 0; r < s->sx; r++) {
        const T *RESTRICT phase = phases + r * length;
        T *RESTRICT to = row + r - s->left;
        int64_t begin, end;
        inside(r - s->left, s->sx, s->w, length, &begin, &end);
        if (s->sx == 1) {
            memcpy(to + begin, phase + begin, (end - begin) * sizeof(T));
        } else if (s->sx == 2) {
            for (int64_t j = begin; j < end; j++) to[2 * j] = phase[j];
        } else {
            for (int64_t j = begin; j < end; j++) to[j * s->sx] = phase[j];
        }
    }
}

static void NAME(sum_grad_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    int64_t n = padded(s->ow), length = padded(MAX(n + (s->l - 1) / s->sx, s->w / s->sx + 1));
    length += padded(s->left / s->sx + 1);
    T *total = workspace(0, (n + s->sx * length) * sizeof(T)), *phases = total + n;
    if (!total) {
        c->failed = -1;
        return;
    }
    for (int64_t plane = begin; plane < end; plane++) {
        T *gx = c->y + plane * s->h * s->w;
        int64_t last_first = -1, last_end = -1;
        for (int64_t row = 0; row < s->h; row++) { /* windows i with 0 <= row + top - i sy < k */
            int64_t at = row + s->top, first = MAX(0, at - s->k + s->sy) / s->sy;
            int64_t after = MAX(first, MIN(s->oh, at / s->sy + 1));
            if (row && first == last_first && after == last_end) {
                memcpy(gx + row * s->w, gx + (row - 1) * s->w, s->w * sizeof(T));
                continue;
            }
            memset(total, 0, n * sizeof(T));
            for (int64_t i = first; i < after; i++) {
                const T *RESTRICT g = c->x + (plane * s->oh + i) * s->ow;
                for (int64_t j = 0; j < s->ow; j++) total[j] += c->scale * g[j];
            }
            NAME(spread_row)(gx + row * s->w, phases, length, total, s);
            last_first = first, last_end = after;
        }
    }
}

/* `n` elements of g, each on two columns of two rows. */
INLINE void NAME(spread_2x2)(T *RESTRICT upper, T *RESTRICT lower, const T *RESTRICT g, T scale,
                             int n) {
    for (int j = 0; j < n; j++) {
        T value = scale * g[j];
        upper[2 * j] = value;
        upper[2 * j + 1] = value;
        lower[2 * j] = value;
        lower[2 * j + 1] = value;
    }
}

static void NAME(sum_grad_planes_2x2)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    for (int64_t row = begin * s->oh; row < end * s->oh; row++) {
        T *gx = c->y + row * 2 * s->w;
        const T *g = c->x + row * s->ow;
        if (s->ow < LANES) NAME(spread_2x2)(gx, gx + s->w, g, c->scale, (int)s->ow);
        for (int64_t i = 0; i < s->ow && s->ow >= LANES; i += LANES) {
            const int64_t j = MIN(i, s->ow - LANES);
            NAME(spread_2x2)(gx + 2 * j, gx + s->w + 2 * j, g + j, c->scale, LANES);
        }
    }
}

int NAME(sum_pool_grad)(T *gx, const T *g, double scale, const PoolShape *s) {
    NAME(Pool) c = {.s = s, .y = gx, .x = g, .scale = (T)scale};
    int plain = apart_2x2(s) && 2 * s->oh == s->h && 2 * s->ow == s->w;
    parallel_for(plain ? NAME(sum_grad_planes_2x2) : NAME(sum_grad_planes), &c, s->planes,
                 chunk_of_planes(s->h * s->w));
    return c.failed;
}
