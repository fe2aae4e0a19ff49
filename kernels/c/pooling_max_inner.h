/* The body of pooling.c for one type T. */

typedef struct {
    const PoolShape *s;
    T *y;
    const T *x;
    int64_t *positions;
    const int64_t *where;
    int64_t size, windows;
    T scale;
    int failed;
} NAME(Pool);

/* The phases of a row: phase r holds row[j sx + r - left] for j = 0, 1, ...; `fill` outside. */
static void NAME(split_row)(T *RESTRICT phases, int64_t length, const T *RESTRICT row,
                            const PoolShape *s, T fill) {
    int64_t used = MIN(s->sx, (s->l - 1) * s->dx + 1);
    for (int64_t r = 0; r < used; r++) {
        T *phase = phases + r * length;
        const T *from = row + r - s->left;
        int64_t begin, end;
        inside(r - s->left, s->sx, s->w, length, &begin, &end);
        for (int64_t j = 0; j < begin; j++) phase[j] = fill;
        if (s->sx == 1) {
            memcpy(phase + begin, from + begin, (end - begin) * sizeof(T));
        } else if (s->sx == 2) {
            for (int64_t j = begin; j < end; j++) phase[j] = from[2 * j];
        } else {
            for (int64_t j = begin; j < end; j++) phase[j] = from[j * s->sx];
        }
        for (int64_t j = end; j < length; j++) phase[j] = fill;
    }
}

/* One more candidate for each lane: nan wins, then the larger, then the one that was there. */
INLINE void NAME(take_larger)(T *best, int32_t *where, T candidate, int32_t at) {
    int larger = !(candidate <= *best) & (*best == *best);
    *best = larger ? candidate : *best;
    *where = larger ? at : *where;
}

/* best[j], where[j]: the largest of a row's elements in window j, and its column. */
static void NAME(max_of_row)(T *RESTRICT best, int32_t *RESTRICT where, T *RESTRICT phases,
                             int64_t length, const T *RESTRICT row, const int32_t *RESTRICT first,
                             const PoolShape *s) {
    int64_t n = padded(s->ow);
    NAME(split_row)(phases, length, row, s, LOWEST);
    for (int64_t j = 0; j < n; j++) best[j] = LOWEST;
    memcpy(where, first, n * sizeof *where);
    for (int64_t tap = 0; tap < s->l; tap++) {
        const T *RESTRICT from = phases + tap * s->dx % s->sx * length + tap * s->dx / s->sx;
        int32_t start = (int32_t)(tap * s->dx - s->left), step = (int32_t)s->sx;
        for (int32_t j = 0; j < n; j++)
            NAME(take_larger)(best + j, where + j, from[j], start + j * step);
    }
}

/* y and positions of one row of windows from the rows' largest elements. */
static void NAME(max_of_rows)(T *RESTRICT y, int64_t *RESTRICT positions, T *RESTRICT best,
                              int32_t *RESTRICT where, const T *rows, const int32_t *columns,
                              int64_t i, const PoolShape *s) {
    int64_t n = padded(s->ow), top = i * s->sy - s->top, begin, end;
    inside(top, s->dy, s->h, s->k, &begin, &end);
    for (int64_t tap = begin; tap < end; tap++) {
        int64_t at = top + tap * s->dy;
        const T *RESTRICT row = rows + at * n;
        const int32_t *RESTRICT column = columns + at * n;
        int32_t base = (int32_t)(at * s->w);
        if (tap == begin) {
            memcpy(best, row, n * sizeof(T));
            for (int64_t j = 0; j < n; j++) where[j] = base + column[j];
        } else {
            for (int64_t j = 0; j < n; j++)
                NAME(take_larger)(best + j, where + j, row[j], base + column[j]);
        }
    }
    memcpy(y, best, s->ow * sizeof(T));
    for (int64_t j = 0; j < s->ow; j++) positions[j] = where[j];
}

static void NAME(max_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    int64_t n = padded(s->ow), length = n + padded((s->l - 1) * s->dx / s->sx + 1);
    int64_t split = length * MIN(s->sx, (s->l - 1) * s->dx + 1);
    T *rows = workspace(0, ((s->h + 1) * n + split) * sizeof(T));
    int32_t *columns = workspace(1, (s->h + 2) * n * sizeof *columns);
    if (!rows || !columns) {
        c->failed = -1;
        return;
    }
    T *best = rows + s->h * n, *phases = best + n;
    int32_t *where = columns + s->h * n, *first = where + n;
    for (int64_t j = 0; j < n; j++) {
        int64_t at = j * s->sx - s->left;
        first[j] = (int32_t)(at >= 0 ? at : at + (-at + s->dx - 1) / s->dx * s->dx);
    }
    for (int64_t plane = begin; plane < end; plane++) {
        const T *x = c->x + plane * s->h * s->w;
        for (int64_t i = 0; i < s->h; i++)
            NAME(max_of_row)(rows + i * n, columns + i * n, phases, length, x + i * s->w, first, s);
        for (int64_t i = 0; i < s->oh; i++) {
            int64_t at = (plane * s->oh + i) * s->ow;
            NAME(max_of_rows)(c->y + at, c->positions + at, best, where, rows, columns, i, s);
        }
    }
}

/* LANES 2x2 windows side by side, the upper left element of the first one at `at` in its plane.
   Each loop does one thing to arrays of its own, which compilers make a few vectors of. */
static void NAME(max_2x2)(T *RESTRICT y, int64_t *RESTRICT positions, const T *RESTRICT upper,
                          const T *RESTRICT lower, int32_t at, int32_t w) {
    T best[LANES], taps[3][LANES];
    int32_t where[LANES];
    for (int j = 0; j < LANES; j++) best[j] = upper[2 * j], taps[0][j] = upper[2 * j + 1];
    for (int j = 0; j < LANES; j++) taps[1][j] = lower[2 * j], taps[2][j] = lower[2 * j + 1];
    for (int j = 0; j < LANES; j++) where[j] = 0;
    for (int j = 0; j < LANES; j++) NAME(take_larger)(best + j, where + j, taps[0][j], 1);
    for (int j = 0; j < LANES; j++) NAME(take_larger)(best + j, where + j, taps[1][j], w);
    for (int j = 0; j < LANES; j++) NAME(take_larger)(best + j, where + j, taps[2][j], w + 1);
    for (int j = 0; j < LANES; j++) y[j] = best[j];
    for (int j = 0; j < LANES; j++) positions[j] = at + 2 * j + where[j];
}

/* The last windows of a chunk, fewer than LANES, from copies that may be read to the end. */
static void NAME(max_2x2_edge)(T *y, int64_t *positions, const T *upper, const T *lower, int32_t at,
                               int32_t w, int64_t n) {
    T rows[2][2 * LANES] = {0}, best[LANES];
    int64_t where[LANES];
    memcpy(rows[0], upper, 2 * n * sizeof(T));
    memcpy(rows[1], lower, 2 * n * sizeof(T));
    NAME(max_2x2)(best, where, rows[0], rows[1], at, w);
    memcpy(y, best, n * sizeof(T));
    memcpy(positions, where, n * sizeof *where);
}

static void NAME(max_planes_2x2)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    const PoolShape *s = c->s;
    int64_t size = s->h * s->w, windows = s->oh * s->ow;
    const T *last = c->x + end * size - s->w - 2 * LANES; /* room for a whole vector */
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t i = 0; i < s->oh; i++) {
            T *y = c->y + plane * windows + i * s->ow;
            int64_t *positions = c->positions + plane * windows + i * s->ow;
            const T *x = c->x + plane * size + 2 * i * s->w;
            int32_t at = (int32_t)(2 * i * s->w), w = (int32_t)s->w;
            for (int64_t j = 0; j < s->ow;) {
                int64_t left = s->ow - j;
                if (left < LANES && s->ow >= LANES) j = s->ow - LANES; /* some a second time */
                int whole = left >= LANES || s->ow >= LANES;
                if (!whole) whole = x + 2 * j <= last && y + j + LANES <= c->y + end * windows;
                const T *upper = x + 2 * j, *lower = upper + s->w;
                int32_t corner = at + 2 * (int32_t)j;
                if (whole) {
                    NAME(max_2x2)(y + j, positions + j, upper, lower, corner, w);
                } else {
                    NAME(max_2x2_edge)(y + j, positions + j, upper, lower, corner, w, left);
                }
                j += LANES;
            }
        }
}

int NAME(max_pool)(T *y, int64_t *positions, const T *x, const PoolShape *s) {
    NAME(Pool) c = {.s = s, .y = y, .positions = positions, .x = x};
    int plain = apart_2x2(s) && s->dy == 1 && s->dx == 1;
    parallel_for(plain ? NAME(max_planes_2x2) : NAME(max_planes), &c, s->planes,
                 chunk_of_planes(s->h * s->w));
    return c.failed;
}

static void NAME(max_grad_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    int bad = 0;
    for (int64_t plane = begin; plane < end; plane++) {
        T *RESTRICT gx = c->y + plane * c->size;
        const T *RESTRICT g = c->x + plane * c->windows;
        const int64_t *RESTRICT where = c->where + plane * c->windows;
        memset(gx, 0, c->size * sizeof(T));
        for (int64_t i = 0; i < c->windows; i++) {
            if ((uint64_t)where[i] < (uint64_t)c->size)
                gx[where[i]] += g[i];
            else
                bad = 1;
        }
    }
    if (bad) c->failed = 1;
}

/* Returns 1 if a position is outside its plane; it is not followed. */
int NAME(max_pool_grad)(T *gx, const T *g, const int64_t *positions, int64_t planes, int64_t size,
                        int64_t windows) {
    NAME(Pool) c = {.y = gx, .x = g, .where = positions, .size = size, .windows = windows};
    parallel_for(NAME(max_grad_planes), &c, planes, chunk_of_planes(size + windows));
    return c.failed;
}

static void NAME(pick_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Pool) *c = context;
    int bad = 0;
    for (int64_t plane = begin; plane < end; plane++) {
        T *RESTRICT y = c->y + plane * c->windows;
        const T *RESTRICT x = c->x + plane * c->size;
        const int64_t *RESTRICT where = c->where + plane * c->windows;
        for (int64_t i = 0; i < c->windows; i++) {
            if ((uint64_t)where[i] < (uint64_t)c->size)
                y[i] = x[where[i]];
            else
                bad = 1;
        }
    }
    if (bad) c->failed = 1;
}

/* Returns 1 if a position is outside its plane; it is not followed. */
int NAME(max_pool_pick)(T *y, const T *x, const int64_t *positions, int64_t planes, int64_t size,
                        int64_t windows) {
    NAME(Pool) c = {.y = y, .x = x, .where = positions, .size = size, .windows = windows};
    parallel_for(NAME(pick_planes), &c, planes, chunk_of_planes(size + windows));
    return c.failed;
}
