/* What follows a product, for one type, on a tile that is still in L1: C = f(C + bias). */

INLINE void F(finish_row)(REAL *c, int64_t n, REAL row_bias, const REAL *column_bias, int relu) {
    for (int64_t j = 0; j < n; j++) {
        REAL x = c[j] + row_bias;
        if (column_bias) x += column_bias[j];
        c[j] = relu && x <= 0 ? 0 : x;
    }
}

void F(gemm_finish)(const Finish *finish, int64_t m, int64_t n, REAL *c, int64_t ldc) {
    const REAL *row_bias = finish->row_bias, *column_bias = finish->column_bias;
    for (int64_t i = 0; i < m; i++) {
        const REAL b = row_bias ? row_bias[i] : 0;
        if (finish->activation == RELU)
            F(finish_row)(c + i * ldc, n, b, column_bias, 1);
        else
            F(finish_row)(c + i * ldc, n, b, column_bias, 0);
    }
}
