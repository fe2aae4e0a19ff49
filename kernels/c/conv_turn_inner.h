/* What convolutions with images in the lanes share, for one type as in vector_type_inner.h. */

/* to[j][i] = from[i][j]; the last square goes back over what the one before has done. */
static void F(turn)(REAL *to, int64_t to_step, const REAL *from, int64_t from_step, int64_t rows,
                    int64_t columns) {
    if (rows < 16 || columns < 16) {
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = 0; i < rows; i++) to[j * to_step + i] = from[i * from_step + j];
        return;
    }
    for (int64_t i = 0; i < rows; i += 16)
        for (int64_t j = 0; j < columns; j += 16) {
            int64_t row = MIN(i, rows - 16), column = MIN(j, columns - 16);
            F(transpose_16)(to + column * to_step + row, to_step, from + row * from_step + column,
                            from_step);
        }
}

/* Whether a number of whole vectors is not finite. */
static int F(any_strange)(const REAL *x, int64_t n) {
    VEC sum = {0};
    for (int64_t i = 0; i < n; i += LANES) sum += *(const VECU *)(x + i) * 0;
    REAL total = 0;
    for (int i = 0; i < LANES; i++) total += sum[i];
    return total != 0;
}
