/* The gradients of a layer, with something that is done to gw meanwhile (gemm_ways_inner.h).
 *
 * As soon as numbers `from` to from + n of gw are there, `after` is called, on the thread that has them
 * in its cache; gx is whole before the first of these calls, so that they may change w. */
#pragma once
#include <stdint.h>

typedef void After(const void *context, int64_t from, int64_t n);

int linear_grad_then_f32(int64_t m, int64_t n, int64_t k, const float *g, const float *x,
                         const float *w, float *gx, float *gw, float *gb, After *after,
                         const void *context);
int linear_grad_then_f64(int64_t m, int64_t n, int64_t k, const double *g, const double *x,
                         const double *w, double *gx, double *gw, double *gb, After *after,
                         const void *context);
