/* scan.c for one type (types_inner.h). */

INLINE void NAME(line)(int op, T *RESTRICT out, const T *RESTRICT x, int64_t r) {
    WIDE total = x[0];
    out[0] = x[0];
    for (int64_t j = 1; j < r; j++) {
        total = NAME(wjoin)(op, total, x[j]);
        out[j] = (T)total;
    }
}

INLINE void NAME(lines)(int op, T *RESTRICT out, const T *RESTRICT x, int64_t r, int64_t b,
                        int64_t width) {
    WIDE total[TILE];
    for (int64_t k = 0; k < width; k++) {
        total[k] = x[k];
        out[k] = x[k];
    }
    for (int64_t j = 1; j < r; j++)
        for (int64_t k = 0; k < width; k++) {
            total[k] = NAME(wjoin)(op, total[k], x[j * b + k]);
            out[j * b + k] = (T)total[k];
        }
}

INLINE void NAME(scan_part)(int op, const Scan *z, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at++) {
        const int64_t k = at % z->tiles * TILE, start = at / z->tiles * z->r * z->b + k;
        T *out = (T *)z->out + start;
        const T *x = (const T *)z->x + start;
        if (z->b == 1)
            NAME(line)(op, out, x, z->r);
        else
            NAME(lines)(op, out, x, z->r, z->b, MIN(TILE, z->b - k));
    }
}

static void NAME(scan_task)(void *context, int64_t begin, int64_t end) {
    const Scan *z = context;
    EACH_OP(z->op, NAME(scan_part), z, begin, end);
}

void NAME(scan)(int op, T *out, const T *x, int64_t a, int64_t r, int64_t b) {
    Scan z = {out, x, r, b, (b + TILE - 1) / TILE, op};
    parallel_for(NAME(scan_task), &z, a * z.tiles, MAX(1, GRAIN / (r * MIN(b, TILE))));
}
