/* What follows a product, for one type, on a tile that is still in L1: C = f(C + bias). */

INLINE VEC F(finish_vector)(VEC x, REAL row_bias, const REAL *column_bias, const int f) {
    if (column_bias) x += *(const VECU *)column_bias;
    x += row_bias;
    if (f == RELU) x = (VEC)(~(x <= 0) & (VEC_INT)x); /* nan stays */
    if (f == SIGMOID) x = F(vector_sigmoid)(x);
    if (f == TANH) x = F(vector_tanh)(x);
    if (f == GELU) x = F(vector_gelu)(x);
    return x;
}

INLINE void F(finish_rows)(const Finish *finish, int64_t m, int64_t n, REAL *c, int64_t ldc,
                           const int f) {
    const REAL *row_bias = finish->row_bias, *column_bias = finish->column_bias;
    for (int64_t i = 0; i < m; i++, c += ldc) {
        const REAL b = row_bias ? row_bias[i] : -0.0; /* 0 would change -0 */
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES)
            *(VECU *)(c + j) =
                F(finish_vector)(*(VECU *)(c + j), b, column_bias ? column_bias + j : NULL, f);
        if (j < n) {
            REAL x[LANES] = {0}, y[LANES] = {0};
            memcpy(x, c + j, sizeof(REAL) * (n - j));
            if (column_bias) memcpy(y, column_bias + j, sizeof(REAL) * (n - j));
            *(VECU *)x = F(finish_vector)(*(VECU *)x, b, column_bias ? y : NULL, f);
            memcpy(c + j, x, sizeof(REAL) * (n - j));
        }
    }
}

void F(gemm_finish)(const Finish *finish, int64_t m, int64_t n, REAL *c, int64_t ldc) {
    switch (finish->activation) {
        case KEEP: F(finish_rows)(finish, m, n, c, ldc, KEEP); break;
        case RELU: F(finish_rows)(finish, m, n, c, ldc, RELU); break;
        case SIGMOID: F(finish_rows)(finish, m, n, c, ldc, SIGMOID); break;
        case TANH: F(finish_rows)(finish, m, n, c, ldc, TANH); break;
        case GELU: F(finish_rows)(finish, m, n, c, ldc, GELU); break;
    }
}
