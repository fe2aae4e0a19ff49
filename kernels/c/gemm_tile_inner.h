/* The micro-kernel and the loops around it, for one type: REAL, its vectors VEC and VECU, their
 * LANES, and F(name), which adds the type's suffix. Included by gemm_block.c once for each type.
 */

enum { F(WIDTH) = NV * LANES };

/* Where a tile finds its operands, and where the sums go. `height` rows, at most MR. */
typedef struct {
    const REAL *a, *b;
    REAL *c;
    int64_t k, across, along, ldb, ldc;
    int accumulate;
    const REAL *ahead;
    int64_t ahead_step;
} F(Tile);

/* Rows are reached through a pointer for three rows each: with 14 pointers the processor would run
 * out of registers for addresses. All bounds are known when this is compiled, so it becomes one
 * straight line of code, with the sums in registers. */
INLINE void F(tile)(const F(Tile) * t, const int rows, const int vectors, const int64_t across) {
    VEC sum[MR][NV];
    const REAL *a[MR / 3 + 1], *b = t->b, *ahead = t->ahead;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) sum[i][j] = (VEC){0};
    for (int i = 0; i < rows; i += 3) a[i / 3] = t->a + i * across;
    const int64_t along = t->along, ldb = t->ldb, ahead_step = t->ahead_step;
    for (int64_t k = t->k; k > 0; k--) {
        VEC row[NV];
        for (int j = 0; j < vectors; j++) row[j] = *(const VECU *)(b + j * LANES);
        for (int i = 0; i < rows; i++) {
            const VEC x = a[i / 3][i % 3 * across] - (VEC){0};
            for (int j = 0; j < vectors; j++) sum[i][j] += x * row[j];
        }
        __builtin_prefetch(ahead, 0, 2);
        ahead += ahead_step;
        b += ldb;
        for (int i = 0; i < rows; i += 3) a[i / 3] += along;
    }
    REAL *c = t->c;
    for (int i = 0; i < rows; i++, c += t->ldc)
        for (int j = 0; j < vectors; j++) {
            VECU *place = (VECU *)(c + j * LANES);
            if (t->accumulate) sum[i][j] += *place;
            *place = sum[i][j];
        }
}

#define CASE(rows) \
    case rows: F(tile)(t, rows, vectors, across); break;

INLINE void F(rows)(const F(Tile) * t, int rows, const int vectors, const int64_t across) {
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if VBYTES == 64 || defined(__aarch64__)
        CASE(7) CASE(8)
#endif
#if VBYTES == 64
        CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
    }
}
#undef CASE

/* One build for rows that follow each other in memory, one for rows far apart. */
static __attribute__((noinline)) void F(near)(const F(Tile) * t, int rows, int vectors) {
    if (vectors == 1) F(rows)(t, rows, 1, 1);
    if (vectors == 2) F(rows)(t, rows, 2, 1);
#if defined(__aarch64__)
    if (vectors == 3) F(rows)(t, rows, 3, 1);
#endif
}

static __attribute__((noinline)) void F(far)(const F(Tile) * t, int rows, int vectors) {
    if (vectors == 1) F(rows)(t, rows, 1, t->across);
    if (vectors == 2) F(rows)(t, rows, 2, t->across);
#if defined(__aarch64__)
    if (vectors == 3) F(rows)(t, rows, 3, t->across);
#endif
}

INLINE void F(any)(const F(Tile) * t, int rows, int vectors) {
    t->across == 1 ? F(near)(t, rows, vectors) : F(far)(t, rows, vectors);
}

/* A tile of `columns` <= NR. A last vector that is not full goes by way of a small array. */
static void F(put)(F(Tile) * t, int rows, int64_t columns) {
    const int vectors = (int)((columns + LANES - 1) / LANES);
    if (columns == vectors * LANES) {
        F(any)(t, rows, vectors);
        return;
    }
    REAL part[MR * F(WIDTH)] __attribute__((aligned(64)));
    F(Tile) inner = *t;
    inner.c = part;
    inner.ldc = F(WIDTH);
    inner.accumulate = 0;
    F(any)(&inner, rows, vectors);
    for (int i = 0; i < rows; i++) {
        REAL *c = t->c + i * t->ldc;
        const REAL *p = part + i * F(WIDTH);
        if (t->accumulate)
            for (int64_t j = 0; j < columns; j++) c[j] += p[j];
        else
            for (int64_t j = 0; j < columns; j++) c[j] = p[j];
    }
}

void F(gemm_panel)(const Steps *steps, int64_t m, int64_t columns, const REAL *a, const REAL *b,
                   REAL *c, const REAL *ahead) {
    F(Tile) t = {.b = b, .k = steps->k, .across = steps->across, .along = steps->along,
                 .ldb = steps->ldb, .ldc = steps->ldc, .accumulate = steps->accumulate};
    const int64_t strips = (m + MR - 1) / MR;
    int64_t row = 0;
    for (int64_t s = 0; s < strips; s++) {
        const int64_t rows = (m - row + strips - s - 1) / (strips - s);
        t.a = a + row * t.across;
        t.c = c + row * t.ldc;
        t.ahead = t.a + rows * t.across; /* the next strip */
        t.ahead_step = t.along == 1 ? 0 : t.along;
        if (ahead && s < 2) {
            t.ahead = ahead + s * steps->ahead_strip;
            t.ahead_step = steps->ahead_step;
        }
        F(put)(&t, (int)rows, columns);
        row += rows;
    }
}

void F(gemm_block)(int64_t m, int64_t n, int64_t k, const REAL *packed_a, const REAL *packed_b,
                   REAL *c, int64_t ldc, int accumulate, const Finish *finish) {
    F(Tile) t = {.k = k, .across = 1, .along = MR, .ldb = F(WIDTH), .ldc = ldc,
                 .accumulate = accumulate};
    for (int64_t column = 0; column < n; column += F(WIDTH)) {
        const int64_t columns = MIN(F(WIDTH), n - column);
        t.b = packed_b + column * k;
        t.ahead = t.b + F(WIDTH) * k; /* the next panel, a part of it during each strip */
        for (int64_t row = 0; row < m; row += MR) {
            const int64_t rows = MIN(MR, m - row);
            t.a = packed_a + row * k;
            t.c = c + row * ldc + column;
            t.ahead_step = row < 2 * MR ? LANES : 0;
            F(put)(&t, (int)rows, columns);
            if (row < 2 * MR) t.ahead += LANES * k;
        }
        if (finish) {
            Finish part = *finish;
            if (part.column_bias) part.column_bias = (const REAL *)part.column_bias + column;
            F(gemm_finish)(&part, m, columns, c + column, ldc);
        }
    }
}
