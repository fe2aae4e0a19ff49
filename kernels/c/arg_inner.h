/* arg.c for one type (types_inner.h). */

/* Whether x stands before `best`, which comes earlier. */
INLINE int NAME(better)(int op, T x, T best) {
    return (op == MOST ? !(x <= best) : !(x >= best)) & (best == best);
}

INLINE int64_t NAME(first)(int op, const T *x, int64_t n) {
    T best = x[0];
    int64_t from = 0;
    for (int64_t i = 0; i < n; i += SEARCHED) {
        const T top = (T)NAME(run)(op, x + i, MIN(SEARCHED, n - i));
        if (i == 0 || NAME(better)(op, top, best)) {
            best = top;
            from = i;
        }
    }
    if (best == best) {
        while (x[from] != best) from++;
    } else {
        while (x[from] == x[from]) from++;
    }
    return from;
}

INLINE void NAME(rows)(int op, const Search *z, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at++) {
        const int64_t from = at % z->pieces * PIECE, n = MIN(PIECE, z->r - from);
        const T *x = (const T *)z->x + at / z->pieces * z->r + from;
        z->partial[at] = from + NAME(first)(op, x, n);
    }
}

INLINE void NAME(columns)(int op, const Search *z, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at++) {
        const int64_t i = at / z->tiles, k = at % z->tiles * TILE, width = MIN(TILE, z->b - k);
        const T *x = (const T *)z->x + i * z->r * z->b + k;
        T best[TILE];
        int64_t place[TILE];
        for (int64_t n = 0; n < width; n++) {
            best[n] = x[n];
            place[n] = 0;
        }
        for (int64_t j = 1; j < z->r; j++)
            for (int64_t n = 0; n < width; n++) {
                const T value = x[j * z->b + n];
                const int take = NAME(better)(op, value, best[n]);
                best[n] = take ? value : best[n];
                place[n] = take ? j : place[n];
            }
        memcpy(z->out + i * z->b + k, place, (size_t)width * sizeof *place);
    }
}

static void NAME(rows_task)(void *context, int64_t begin, int64_t end) {
    const Search *z = context;
    if (z->op == MOST) NAME(rows)(MOST, z, begin, end);
    if (z->op == LEAST) NAME(rows)(LEAST, z, begin, end);
}

static void NAME(columns_task)(void *context, int64_t begin, int64_t end) {
    const Search *z = context;
    if (z->op == MOST) NAME(columns)(MOST, z, begin, end);
    if (z->op == LEAST) NAME(columns)(LEAST, z, begin, end);
}

int NAME(arg)(int op, int64_t *out, const T *x, int64_t a, int64_t r, int64_t b) {
    Search z = {out, out, x, a, r, b, 1, (b + TILE - 1) / TILE, op};
    if (b > 1) {
        parallel_for(NAME(columns_task), &z, a * z.tiles, MAX(1, GRAIN / (r * MIN(b, TILE))));
        return 0;
    }
    z.pieces = (r + PIECE - 1) / PIECE;
    if (z.pieces > 1) {
        z.partial = workspace(0, (size_t)(a * z.pieces) * sizeof *z.partial);
        if (!z.partial) return -1;
    }
    parallel_for(NAME(rows_task), &z, a * z.pieces, MAX(1, GRAIN / MIN(r, PIECE)));
    for (int64_t i = 0; z.pieces > 1 && i < a; i++) {
        const int64_t *place = z.partial + i * z.pieces;
        out[i] = place[0];
        for (int64_t n = 1; n < z.pieces; n++)
            if (NAME(better)(op, x[i * r + place[n]], x[i * r + out[i]])) out[i] = place[n];
    }
    return 0;
}
