/* Products with few rows, for one type, as in gemm_tile_inner.h: every number of B is used m <= 8
 * times, so B's way from memory is what takes the time, and B has to be read as memory likes it.
 *
 *     B as it is used:       for 16 rows of B, for j in order:  C[:, j] += A[:, k] B[k, j]
 *     B stored transposed:   for 2 or 4 columns: 2 m or 4 m sums of products along k
 *
 * Sixteen rows at a time are sixteen streams, which the prefetcher can follow, and C, which is read
 * and written once for them, stays in L1.
 * 8 x 25088 x 4096 takes 0.6 of the time that OpenBLAS takes.
 */

/* C[:, j ... j + vectors * LANES] += a block of A (STREAMS x m) times `depth` rows of B. */
INLINE void F(stream_tile)(const int m, const int vectors, int64_t depth, const REAL *block,
                           const REAL *b, int64_t ldb, REAL *c, int64_t ldc, int accumulate) {
    VEC sum[SKINNY_ROWS][2];
    for (int i = 0; i < m; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = accumulate ? *(const VECU *)(c + i * ldc + v * LANES) : (VEC){0};
    for (int64_t k = 0; k < depth; k++, b += ldb)
        for (int i = 0; i < m; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += block[k * SKINNY_ROWS + i] * *(const VECU *)(b + v * LANES);
    for (int i = 0; i < m; i++)
        for (int v = 0; v < vectors; v++) *(VECU *)(c + i * ldc + v * LANES) = sum[i][v];
}

INLINE void F(stream_columns)(const int m, const F(Product) * p, int64_t begin, int64_t end) {
    const int64_t ldb = p->b_along;
    for (int64_t k = 0; k < p->k; k += STREAMS) {
        const int64_t depth = MIN(STREAMS, p->k - k);
        const REAL *b = p->b + k * ldb;
        REAL block[STREAMS * SKINNY_ROWS], *c = p->c;
        for (int64_t q = 0; q < depth; q++)
            for (int i = 0; i < m; i++)
                block[q * SKINNY_ROWS + i] = p->a[i * p->a_across + (k + q) * p->a_along];
        int64_t j = begin;
        for (; j + 2 * LANES <= end && depth == STREAMS; j += 2 * LANES)
            F(stream_tile)(m, 2, STREAMS, block, b + j, ldb, c + j, p->n, k > 0);
        for (; j + LANES <= end; j += LANES)
            F(stream_tile)(m, 1, depth, block, b + j, ldb, c + j, p->n, k > 0);
        for (; j < end; j++)
            for (int i = 0; i < m; i++) {
                REAL sum = k ? c[i * p->n + j] : 0;
                for (int64_t q = 0; q < depth; q++)
                    sum += block[q * SKINNY_ROWS + i] * b[q * ldb + j];
                c[i * p->n + j] = sum;
            }
    }
}

INLINE REAL F(total)(VEC x) {
    REAL part[LANES];
    memcpy(part, &x, sizeof part);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    return part[0];
}

/* C[:, j ... j + columns] += sums over `depth` numbers of rows of A and of B, both contiguous. */
INLINE void F(dot_tile)(const int m, const int columns, int64_t depth, const REAL *a,
                        int64_t a_across, const REAL *b, int64_t b_across, REAL *c, int64_t ldc,
                        int accumulate) {
    VEC sum[SKINNY_ROWS][4];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < columns; j++) sum[i][j] = (VEC){0};
    const int64_t whole = depth / LANES * LANES;
    for (int64_t k = 0; k < whole; k += LANES) {
        VEC y[4];
        for (int j = 0; j < columns; j++) y[j] = *(const VECU *)(b + j * b_across + k);
        for (int i = 0; i < m; i++) {
            const VEC x = *(const VECU *)(a + i * a_across + k);
            for (int j = 0; j < columns; j++) sum[i][j] += x * y[j];
        }
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < columns; j++) {
            REAL s = F(total)(sum[i][j]);
            for (int64_t k = whole; k < depth; k++) s += a[i * a_across + k] * b[j * b_across + k];
            c[i * ldc + j] = accumulate ? c[i * ldc + j] + s : s;
        }
}

INLINE void F(dot_columns)(const int m, const F(Product) * p, int64_t begin, int64_t end) {
    const int wide = m > 4 ? 2 : 4;
    for (int64_t k = 0; k < p->k; k += DOT_SLICE) {
        const int64_t depth = MIN(DOT_SLICE, p->k - k);
        int64_t j = begin;
        for (; j + wide <= end; j += wide)
            F(dot_tile)(m, wide, depth, p->a + k, p->a_across, p->b + j * p->b_across + k,
                        p->b_across, p->c + j, p->n, k > 0);
        for (; j < end; j++)
            F(dot_tile)(m, 1, depth, p->a + k, p->a_across, p->b + j * p->b_across + k,
                        p->b_across, p->c + j, p->n, k > 0);
    }
}

#define CASE(rows)                                       \
    case rows:                                           \
        if (dot) F(dot_columns)(rows, p, begin, end);    \
        else F(stream_columns)(rows, p, begin, end);     \
        break;

static void F(skinny_task)(void *context, int64_t begin, int64_t end) {
    const F(Product) *p = context;
    const int dot = p->b_along == 1;
    switch (p->m) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
    }
    F(finish_part)(p, 0, begin, p->m, end - begin, p->c + begin);
}
#undef CASE

/* One product with m <= SKINNY_ROWS. */
static int F(skinny)(const F(Product) * whole, int64_t item) {
    F(Product) p = *whole;
    p.a += item * p.a_next;
    p.b += item * p.b_next;
    p.c += item * p.m * p.n;
    const int dot = p.b_along == 1;
    if (dot && p.a_along != 1) { /* sums run along rows of A */
        REAL *rows = workspace(0, sizeof(REAL) * p.m * p.k);
        if (!rows) return -1;
        for (int64_t k = 0; k < p.k; k++)
            for (int64_t i = 0; i < p.m; i++)
                rows[i * p.k + k] = p.a[i * p.a_across + k * p.a_along];
        p.a = rows;
        p.a_along = 1;
        p.a_across = p.k;
    }
    const int64_t most = dot ? 64 : 512, grain = (p.n / 16 + 63) / 64 * 64;
    if (F(work)(&p) < SERIAL_BELOW && p.n * p.k < 1 << 16)
        F(skinny_task)(&p, 0, p.n);
    else
        parallel_for(F(skinny_task), &p, p.n, MAX(dot ? 8 : 64, MIN(most, grain)));
    return 0;
}
