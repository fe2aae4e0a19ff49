/* The first rungs of the ladder to gemm.c, to be read and timed: c (m, n) = a (m, k) b (k, n). */
#pragma once
#include <stdint.h>
void gemm_naive_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c);
void gemm_rows_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c);
void gemm_tiled_f32(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c);
