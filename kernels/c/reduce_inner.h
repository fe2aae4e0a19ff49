/* reduce.c for one type (types_inner.h). */

INLINE T NAME(finished)(WIDE total, double count) {
    return (T)(count != 0.0 ? (WIDE)((double)total / count) : total);
}

INLINE void NAME(rows)(int op, const Reduction *z, int64_t begin, int64_t end) {
    const T *x = z->x;
    for (int64_t at = begin; at < end; at++) {
        if (z->pieces == 1) {
            ((T *)z->out)[at] = NAME(finished)(NAME(run)(op, x + at * z->r, z->r), z->count);
        } else {
            const int64_t row = at / z->pieces, from = at % z->pieces * PIECE;
            const T *start = x + row * z->r + from;
            ((WIDE *)z->partial)[at] = NAME(run)(op, start, MIN(z->r - from, PIECE));
        }
    }
}

/* wide[k] = the total of `rows` rows from x on, k below `width`. */
INLINE void NAME(column_piece)(int op, WIDE *RESTRICT wide, const T *RESTRICT x, int64_t b,
                               int64_t rows, int64_t width) {
    T total[TILE] __attribute__((aligned(64)));
    for (int64_t from = 0; from < rows; from += SPILL) {
        const int64_t end = MIN(from + SPILL, rows);
        int64_t j = from;
        for (; j + 8 <= end; j += 8) NAME(add_rows)(op, total, x + j * b, b, 8, width, j == from);
        for (; j < end; j++) NAME(add_rows)(op, total, x + j * b, b, 1, width, j == from);
        if (from == 0)
            for (int64_t k = 0; k < width; k++) wide[k] = total[k];
        else
            for (int64_t k = 0; k < width; k++) wide[k] = NAME(wjoin)(op, wide[k], total[k]);
    }
}

INLINE void NAME(columns)(int op, const Reduction *z, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at++) {
        const int64_t tile = at % z->tiles, piece = at / z->tiles % z->pieces;
        const int64_t i = at / z->tiles / z->pieces, k = tile * TILE, j = piece * z->rows;
        const int64_t width = MIN(TILE, z->b - k), rows = MIN(z->rows, z->r - j);
        const T *x = (const T *)z->x + (i * z->r + j) * z->b + k;
        WIDE total[TILE] __attribute__((aligned(64)));
        WIDE *wide = total;
        if (z->pieces > 1) wide = (WIDE *)z->partial + (i * z->pieces + piece) * z->b + k;
        NAME(column_piece)(op, wide, x, z->b, rows, width);
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

#define FOR_EACH_OP(task)                                                            \
    static void NAME(task##_task)(void *context, int64_t begin, int64_t end) {       \
        const Reduction *z = context;                                                \
        if (z->op == SUM) NAME(task)(SUM, z, begin, end);                            \
        if (z->op == PROD) NAME(task)(PROD, z, begin, end);                          \
        if (z->op == MOST) NAME(task)(MOST, z, begin, end);                          \
        if (z->op == LEAST) NAME(task)(LEAST, z, begin, end);                        \
    }
FOR_EACH_OP(rows)
FOR_EACH_OP(columns)
FOR_EACH_OP(meet)
#undef FOR_EACH_OP

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
        parallel_for(NAME(rows_task), &z, a * z.pieces, MAX(1, GRAIN / MIN(r, PIECE)));
    } else {
        const int64_t work = MIN(z.rows, r) * MIN(b, TILE);
        parallel_for(NAME(columns_task), &z, a * z.pieces * z.tiles, MAX(1, GRAIN / work));
    }
    if (z.pieces > 1) parallel_for(NAME(meet_task), &z, a * b, MAX(1, GRAIN / z.pieces));
    return 0;
}
