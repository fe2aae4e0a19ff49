/* Products of whole numbers, which wrap, and of bools: or of ands.
 *
 *     for i:  C[i, :] = 0;  for k:  C[i, :] += A[i, k] B[k, :]
 *
 * The loop over k outside the one over j reads B and writes C in order, which compilers turn into
 * vectors. Where B is stored transposed, its steps are long: nobody trains in whole numbers.
 */
#include "common.h"
#include "gemm.h"
#include "pool_inner.h"

#define PRODUCT(T, REAL, SUM)                                                                    \
    typedef struct {                                                                             \
        int64_t m, n, k, a_across, a_along, a_next, b_across, b_along, b_next;                   \
        const REAL *a, *b;                                                                       \
        REAL *c;                                                                                 \
    } Rows_##T;                                                                                  \
    static void rows_##T(void *context, int64_t begin, int64_t end) {                            \
        const Rows_##T *p = context;                                                             \
        for (int64_t row = begin; row < end; row++) {                                            \
            const REAL *a = p->a + row / p->m * p->a_next + row % p->m * p->a_across;            \
            REAL *RESTRICT c = p->c + row * p->n;                                                \
            memset(c, 0, sizeof(REAL) * p->n);                                                   \
            for (int64_t k = 0; k < p->k; k++) {                                                 \
                const REAL x = a[k * p->a_along];                                                \
                const REAL *b = p->b + row / p->m * p->b_next + k * p->b_along;                  \
                if (p->b_across == 1)                                                            \
                    for (int64_t j = 0; j < p->n; j++) c[j] = SUM(c[j], x, b[j]);                \
                else                                                                             \
                    for (int64_t j = 0; j < p->n; j++) c[j] = SUM(c[j], x, b[j * p->b_across]);  \
            }                                                                                    \
        }                                                                                        \
    }                                                                                            \
    void matmul_##T(int64_t batch, int64_t m, int64_t n, int64_t k, const REAL *a,               \
                    int64_t a_next, int transpose_a, const REAL *b, int64_t b_next,              \
                    int transpose_b, REAL *c) {                                                  \
        Rows_##T p = {.m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .a_next = a_next,          \
                      .b_next = b_next};                                                         \
        p.a_across = transpose_a ? 1 : k;                                                        \
        p.a_along = transpose_a ? m : 1;                                                         \
        p.b_across = transpose_b ? k : 1;                                                        \
        p.b_along = transpose_b ? 1 : n;                                                         \
        parallel_for(rows_##T, &p, batch * m, 1 + (1 << 14) / (1 + n * k));                      \
    }

#define ADD(c, x, y) ((c) + (x) * (y))
#define OR(c, x, y) ((c) | ((x) & (y)))
PRODUCT(i32, int32_t, ADD)
PRODUCT(i64, int64_t, ADD)
PRODUCT(u8, uint8_t, OR)
