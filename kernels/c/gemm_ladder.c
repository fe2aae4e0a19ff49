/* The ladder to a fast matrix product: three rungs below gemm.c, each a few lines.
 *
 *     for i, j, l:  c[i,j] += a[i,l] b[l,j]
 *
 * All do the same m n k multiply-adds. Measured on one core of AVX-512, of which multiply-adds in
 * registers take 185 GFLOP/s, at n = 512 and 2048:
 *
 *     naive     1.9         each addition waits for the last one, and b is read down a column: a
 *                           cache line for every number
 *     rows     43    14     loops over j and l exchanged: b and c are read along rows, by vectors;
 *                           but each multiply-add loads and stores its piece of c
 *     tiled   155    59     a tile of c stays in registers for the whole sum, and a piece of b
 *                           serves ROWS rows. While b fits the L2 cache this is all that is needed;
 *                           beyond it the rows of b come from far, one cache line at a time
 *     gemm.c  155   154     blocks that stay in the caches, copied into the order in which the tile
 *                           reads them
 */
#include "gemm_ladder.h"

#include "common.h"

enum { ROWS = 8, VECTORS = 2, COLUMNS = VECTORS * NF };

/* Rung 1: the definition. */
void gemm_naive_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
            c[i * n + j] = sum;
        }
}

/* Rung 2: whole rows of b at a time. */
void gemm_rows_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c) {
    for (int64_t i = 0; i < m; i++) {
        float *RESTRICT row = c + i * n;
        for (int64_t j = 0; j < n; j++) row[j] = 0;
        for (int64_t l = 0; l < k; l++)
            for (int64_t j = 0; j < n; j++) row[j] += a[i * k + l] * b[l * n + j];
    }
}

static void tile(int64_t n, int64_t k, const float *a, const float *b, float *c) {
    vf sum[ROWS][VECTORS] = {{{0}}};
    for (int64_t l = 0; l < k; l++)
        for (int i = 0; i < ROWS; i++)
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] += a[i * k + l] * load_f(b + l * n + v * NF);
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < VECTORS; v++) store_f(c + i * n + v * NF, sum[i][v]);
}

/* Rung 3: tiles of c in registers; what is left over at the edges takes rung 1's loops. */
void gemm_tiled_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c) {
    const int64_t whole_m = m / ROWS * ROWS, whole_n = n / COLUMNS * COLUMNS;
    for (int64_t j = 0; j < whole_n; j += COLUMNS)
        for (int64_t i = 0; i < whole_m; i += ROWS)
            tile(n, k, a + i * k, b + j, c + i * n + j);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = i < whole_m ? whole_n : 0; j < n; j++) {
            float sum = 0;
            for (int64_t l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
            c[i * n + j] = sum;
        }
}
