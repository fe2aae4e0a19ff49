/* The register tile of the direct convolution, for one type, named as in vector_type_inner.h. */

/* out[m][q] = b[m] + sum over t of w[t][m] x[offset[t] + q], for mr outputs m, nv vectors of q. */
INLINE void F(tile)(REAL *RESTRICT out, int64_t distance, const REAL *RESTRICT w,
                    const REAL *RESTRICT b, const REAL *RESTRICT x, const int32_t *RESTRICT offset,
                    int64_t taps, const int mr, const int nv) {
    VEC acc[MOST_OUTPUTS][MOST_VECTORS];
#pragma GCC unroll 16
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) acc[m][v] = b[m] - (VEC){0};
    for (int64_t t = 0; t < taps; t++) {
        const REAL *RESTRICT from = x + offset[t];
        VEC line[MOST_VECTORS];
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) line[v] = LOAD(from + v * LANES);
#pragma GCC unroll 16
        for (int m = 0; m < mr; m++) {
            VEC a = w[m] - (VEC){0};
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++) acc[m][v] += a * line[v];
        }
        w += mr;
    }
#pragma GCC unroll 16
    for (int m = 0; m < mr; m++)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) STORE(out + m * distance + v * LANES, acc[m][v]);
}

typedef void (*F(Tile))(REAL *, int64_t, const REAL *, const REAL *, const REAL *, const int32_t *,
                        int64_t);

#define TILE(mr, nv)                                                                            \
    static void F(tile_##mr##_##nv)(REAL * out, int64_t distance, const REAL *w, const REAL *b, \
                                    const REAL *x, const int32_t *offset, int64_t taps) {       \
        F(tile)(out, distance, w, b, x, offset, taps, mr, nv);                                  \
    }
#define ROW(mr, most, half) \
    {F(tile_##mr##_1), F(tile_##mr##_##half), F(tile_##mr##_##most)}
#if MOST_OUTPUTS == 14
TILE(1, 1) TILE(1, 6) TILE(1, 12)
TILE(2, 1) TILE(2, 4) TILE(2, 10)
TILE(3, 1) TILE(3, 3) TILE(3, 7)
TILE(4, 1) TILE(4, 3) TILE(4, 6)
TILE(5, 1) TILE(5, 2) TILE(5, 4)
TILE(6, 1) TILE(6, 2) TILE(6, 4)
TILE(7, 1) TILE(7, 2) TILE(7, 3)
TILE(8, 1) TILE(8, 2) TILE(8, 3)
TILE(9, 1) TILE(9, 2) TILE(10, 1) TILE(10, 2) TILE(11, 1) TILE(11, 2)
TILE(12, 1) TILE(12, 2) TILE(13, 1) TILE(13, 2) TILE(14, 1) TILE(14, 2)
/* By the number of outputs: tiles of one vector, of some, and of as many as there are registers. */
static const F(Tile) F(tiles)[][3] = {{0},          ROW(1, 12, 6), ROW(2, 10, 4),
                                            ROW(3, 7, 3), ROW(4, 6, 3),  ROW(5, 4, 2),
                                            ROW(6, 4, 2), ROW(7, 3, 2),  ROW(8, 3, 2),
                                            ROW(9, 2, 1), ROW(10, 2, 1), ROW(11, 2, 1),
                                            ROW(12, 2, 1), ROW(13, 2, 1), ROW(14, 2, 1)};
#else
TILE(1, 1) TILE(1, 3) TILE(1, 6)
TILE(2, 1) TILE(2, 2) TILE(2, 5)
TILE(3, 1) TILE(3, 2) TILE(3, 3)
TILE(4, 1) TILE(4, 2) TILE(4, 3)
static const F(Tile) F(tiles)[][3] = {{0}, ROW(1, 6, 3), ROW(2, 5, 2), ROW(3, 3, 2),
                                            ROW(4, 3, 2)};
#endif
#undef TILE
#undef ROW
