/* reduce.c for one type (types_inner.h). */

INLINE T NAME(finished)(WIDE total, double count) {
    return (T)(count != 0.0 ? (WIDE)((double)total / count) : total);
}

INLINE void NAME(short_rows)(int op, const Reduction *z, int64_t begin, int64_t end) {
    const int64_t r = z->r;
    const double count = z->count;
    const T *x = (const T *)z->x + begin * r;
    T *out = z->out;
    for (int64_t at = begin; at < end; at++, x += r)
        out[at] = NAME(finished)(NAME(few)(op, x[0], x + 1, r - 1), count);
}

INLINE void NAME(rows)(int op, const Reduction *z, int64_t begin, int64_t end) {
    const int64_t pieces = z->pieces, r = z->r;
    const double count = z->count;
    const T *x = z->x;
    T *out = z->out;
    WIDE *partial = z->partial;
    for (int64_t at = begin; at < end; at++) {
        const int64_t row = partial ? at / pieces : at, from = (at - row * pieces) * PIECE;
        const WIDE total = NAME(run)(op, x + row * r + from, MIN(r - from, PIECE));
        if (partial) partial[at] = total;
        else out[at] = NAME(finished)(total, count);
    }
}

/* total[k] = total[k] op (x[0, k] op ... op x[rows-1, k]), for 8 rows or 1, k below `width`. */
INLINE void NAME(add_rows)(int op, T *RESTRICT total, const T *RESTRICT x, int64_t b, int rows,
                           int64_t width, int first) {
    int64_t k = 0;
    for (; k + LANES <= width; k += LANES) {
        V t[8];
        for (int j = 0; j < rows; j++) t[j] = NAME(load)(x + j * b + k);
        for (int step = rows / 2; step; step /= 2)
            for (int j = 0; j < step; j++) t[j] = NAME(vjoin)(op, t[j], t[j + step]);
        *(VU *)(total + k) = first ? t[0] : NAME(vjoin)(op, NAME(load)(total + k), t[0]);
    }
    for (; k < width; k++) {
        T t[8];
        for (int j = 0; j < rows; j++) t[j] = x[j * b + k];
        for (int step = rows / 2; step; step /= 2)
            for (int j = 0; j < step; j++) t[j] = NAME(join)(op, t[j], t[j + step]);
        total[k] = first ? t[0] : NAME(join)(op, total[k], t[0]);
    }
}

INLINE void NAME(fold_down_by)(int op, WIDE *RESTRICT wide, const T *RESTRICT x, int64_t b,
                               int64_t rows, int64_t width, int more) {
    T total[MOST_COLUMNS] __attribute__((aligned(64)));
    int64_t j = 0;
    for (; j + 8 <= rows; j += 8) NAME(add_rows)(op, total, x + j * b, b, 8, width, !j);
    for (; j < rows; j++) NAME(add_rows)(op, total, x + j * b, b, 1, width, !j);
    for (int64_t k = 0; k < width; k++)
        wide[k] = more ? NAME(wjoin)(op, wide[k], total[k]) : total[k];
}

void NAME(fold_down)(int op, WIDE *wide, const T *x, int64_t b, int64_t rows, int64_t width,
                     int more) {
    EACH_OP(op, NAME(fold_down_by), wide, x, b, rows, width, more);
}

static void NAME(columns)(void *context, int64_t begin, int64_t end) {
    const Reduction *z = context;
    for (int64_t at = begin; at < end; at++) {
        const int64_t tile = at % z->tiles, piece = at / z->tiles % z->pieces;
        const int64_t i = at / z->tiles / z->pieces, k = tile * TILE, j = piece * z->rows;
        const int64_t width = MIN(TILE, z->b - k), rows = MIN(z->rows, z->r - j);
        const T *x = (const T *)z->x + (i * z->r + j) * z->b + k;
        WIDE total[TILE] __attribute__((aligned(64)));
        WIDE *wide = total;
        if (z->pieces > 1) wide = (WIDE *)z->partial + (i * z->pieces + piece) * z->b + k;
        for (int64_t from = 0; from < rows; from += SPILL)
            NAME(fold_down)(z->op, wide, x + from * z->b, z->b, MIN(SPILL, rows - from), width,
                            from > 0);
        if (z->pieces > 1) continue;
        T *out = (T *)z->out + i * z->b + k;
        for (int64_t n = 0; n < width; n++) out[n] = NAME(finished)(total[n], z->count);
    }
}

/* out[i, k] = the total of partial[i, :, k], for the numbers begin ... end-1 of out. */
INLINE void NAME(meet)(int op, const Reduction *z, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at++) {
        const WIDE *p = (const WIDE *)z->partial + at / z->b * z->pieces * z->b + at % z->b;
        WIDE total = p[0];
        for (int64_t n = 1; n < z->pieces; n++) total = NAME(wjoin)(op, total, p[n * z->b]);
        ((T *)z->out)[at] = NAME(finished)(total, z->count);
    }
}

#define TASK(name)                                                             \
    static void NAME(name##_task)(void *context, int64_t begin, int64_t end) { \
        const Reduction *z = context;                                          \
        EACH_OP(z->op, NAME(name), z, begin, end);                             \
    }
TASK(short_rows)
TASK(rows)
TASK(meet)
#undef TASK

int NAME(reduce)(int op, T *out, const T *x, int64_t a, int64_t r, int64_t b, double count) {
    Reduction z = {out, NULL, x, a, r, b, r, 1, (b + TILE - 1) / TILE, count, op};
    if (b == 1) {
        z.pieces = (r + PIECE - 1) / PIECE;
    } else if (a * z.tiles < ENOUGH) {
        z.rows = (UNIT / MIN(b, TILE) + 7) / 8 * 8;
        z.pieces = (r + z.rows - 1) / z.rows;
    }
    if (z.pieces > 1) {
        z.partial = workspace(0, (size_t)(a * z.pieces * b) * sizeof(WIDE));
        if (!z.partial) return -1;
    }
    if (b == 1) {
        parallel_for(r < 8 * LANES ? NAME(short_rows_task) : NAME(rows_task), &z, a * z.pieces,
                     MAX(1, GRAIN / MIN(r, PIECE)));
    } else {
        const int64_t work = MIN(z.rows, r) * MIN(b, TILE);
        parallel_for(NAME(columns), &z, a * z.pieces * z.tiles, MAX(1, GRAIN / work));
    }
    if (z.pieces > 1) parallel_for(NAME(meet_task), &z, a * b, MAX(1, GRAIN / z.pieces));
    return 0;
}
