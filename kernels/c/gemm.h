/* Matrix products: A is (m, k), stored as (k, m) where transposed, B (k, n) alike; sizes from 1 on.
 * They return 0, or -1 where there is no scratch memory. */
#pragma once
#include <stdint.h>
int matmul_f32(int64_t batch, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_next,
               int transpose_a, const float *b, int64_t b_next, int transpose_b, float *c);
int linear_f32(int64_t m, int64_t n, int64_t k, const float *x, const float *w, const float *bias,
               int activation, float *y);
int linear_grad_f32(int64_t m, int64_t n, int64_t k, const float *g, const float *x,
                    const float *w, float *gx, float *gw, float *gb);
int matmul_f64(int64_t batch, int64_t m, int64_t n, int64_t k, const double *a, int64_t a_next,
               int transpose_a, const double *b, int64_t b_next, int transpose_b, double *c);
int linear_f64(int64_t m, int64_t n, int64_t k, const double *x, const double *w,
               const double *bias, int activation, double *y);
int linear_grad_f64(int64_t m, int64_t n, int64_t k, const double *g, const double *x,
                    const double *w, double *gx, double *gw, double *gb);
void matmul_i32(int64_t batch, int64_t m, int64_t n, int64_t k, const int32_t *a, int64_t a_next,
                int transpose_a, const int32_t *b, int64_t b_next, int transpose_b, int32_t *c);
void matmul_i64(int64_t batch, int64_t m, int64_t n, int64_t k, const int64_t *a, int64_t a_next,
                int transpose_a, const int64_t *b, int64_t b_next, int transpose_b, int64_t *c);
void matmul_u8(int64_t batch, int64_t m, int64_t n, int64_t k, const uint8_t *a, int64_t a_next,
               int transpose_a, const uint8_t *b, int64_t b_next, int transpose_b, uint8_t *c);
