/* Packing for one type: REAL, VEC, VECU, LANES and F(name) as in gemm_tile_inner.h.
 *
 *     along the packed rows (A stored transposed, B as it is used):  for k: copy `width` numbers
 *     across them (A as it is used, B stored transposed):            a transposition
 *
 * The transposition works on lanes, the 128-bit parts of a register. Register r gets numbers
 * k ... k+3 of row 4 lane + r in each lane; one transposition of 4 x 4 numbers, which all lanes do
 * at once, leaves number k + r of all rows in register r, in order: 16 rows by 4 numbers in
 * 8 shuffles and 4 stores. (For double: 2 x 2 numbers.) Rows beyond the last are the last again.
 *
 * A strip of A is no multiple of a register wide: each store spills over into the numbers of the
 * next k, which are stored later; the last one does not.
 */

enum { F(LANE) = 16 / sizeof(REAL), F(GROUPS) = (MR + F(WIDTH)) / LANES }; /* enough for both */

/* Numbers k ... k+LANE-1 of LANES rows, as one register for each k. */
INLINE void F(turn)(VEC x[F(LANE)], const REAL *const *rows, int64_t k) {
    VEC in[F(LANE)];
    for (int r = 0; r < F(LANE); r++) in[r] = F(lanes)(rows + r, k);
#if REAL_BYTES == 4
    const vd low = (vd)WEAVE_LOW(in[0], in[1]), low2 = (vd)WEAVE_LOW(in[2], in[3]);
    const vd high = (vd)WEAVE_HIGH(in[0], in[1]), high2 = (vd)WEAVE_HIGH(in[2], in[3]);
    x[0] = (vf)PAIR_LOW(low, low2);
    x[1] = (vf)PAIR_HIGH(low, low2);
    x[2] = (vf)PAIR_LOW(high, high2);
    x[3] = (vf)PAIR_HIGH(high, high2);
#else
    x[0] = PAIR_LOW(in[0], in[1]);
    x[1] = PAIR_HIGH(in[0], in[1]);
#endif
}

INLINE void F(spill)(REAL *packed, const VEC *x, const int groups) {
    for (int g = 0; g < groups; g++) *(VECU *)(packed + g * LANES) = x[g];
}

/* One strip or panel, `width` wide, of the first of `left` rows, which lie `across` apart. */
INLINE void F(pack_across)(REAL *packed, const REAL *source, int64_t across, int64_t left,
                           int64_t k, const int width) {
    const int groups = (width + LANES - 1) / LANES;
    const REAL *rows[F(GROUPS) * LANES];
    for (int i = 0; i < groups * LANES; i++) rows[i] = source + MIN(i, left - 1) * across;
    int64_t p = 0;
    for (; p + F(LANE) <= k; p += F(LANE)) {
        VEC x[F(GROUPS)][F(LANE)], line[F(GROUPS)];
        for (int g = 0; g < groups; g++) F(turn)(x[g], rows + g * LANES, p);
        for (int r = 0; r < F(LANE); r++) {
            for (int g = 0; g < groups; g++) line[g] = x[g][r];
            if (r == F(LANE) - 1 && p + F(LANE) == k)
                memcpy(packed + (k - 1) * width, line, sizeof(REAL) * width);
            else
                F(spill)(packed + (p + r) * width, line, groups);
        }
    }
    for (; p < k; p++)
        for (int i = 0; i < width; i++) packed[p * width + i] = rows[i][p];
}

/* The same where the numbers of one k lie side by side, and the k `along` apart. Whole registers
 * are read as long as that stays inside the matrix. */
INLINE void F(pack_along)(REAL *packed, const REAL *source, int64_t along, int64_t left, int64_t k,
                          const int width) {
    const int groups = (width + LANES - 1) / LANES;
    const int64_t beyond = MAX(0, groups * LANES - left);
    const int64_t whole = k - MIN(k, (beyond + along - 1) / along);
    for (int64_t p = 0; p < whole; p++) {
        VEC line[F(GROUPS)];
        for (int g = 0; g < groups; g++)
            line[g] = *(const VECU *)(source + p * along + g * LANES);
        if (p == k - 1)
            memcpy(packed + p * width, line, sizeof(REAL) * width);
        else
            F(spill)(packed + p * width, line, groups);
    }
    for (int64_t p = whole; p < k; p++)
        for (int i = 0; i < width; i++)
            packed[p * width + i] = source[p * along + MIN(i, left - 1)];
}

INLINE void F(pack)(REAL *packed, const REAL *source, int64_t across, int64_t along, int64_t left,
                    int64_t k, const int width) {
    if (along == 1)
        F(pack_across)(packed, source, across, left, k, width);
    else
        F(pack_along)(packed, source, along, left, k, width);
}

void F(gemm_pack_a)(REAL *packed, const REAL *source, int64_t across, int64_t along, int64_t m,
                    int64_t k) {
    for (int64_t i = 0; i < m; i += MR)
        F(pack)(packed + i * k, source + i * across, across, along, m - i, k, MR);
}

void F(gemm_pack_b)(REAL *packed, const REAL *source, int64_t across, int64_t along, int64_t n,
                    int64_t k) {
    for (int64_t j = 0; j < n; j += F(WIDTH))
        F(pack)(packed + j * k, source + j * across, across, along, n - j, k, F(WIDTH));
}

int64_t F(gemm_pack_narrow)(REAL *packed, const REAL *source, int64_t across, int64_t along,
                            int64_t n, int64_t k) {
    if (n > LANES) {
        F(pack)(packed, source, across, along, n, k, F(WIDTH));
        return F(WIDTH);
    }
    F(pack)(packed, source, across, along, n, k, LANES);
    return LANES;
}
