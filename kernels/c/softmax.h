/* Softmax along one axis, and cross-entropy (softmax.c). A tensor is (outer, length, inner).
 * What checks labels returns 0, 1 + the place of a bad one, or -1: no scratch memory. */
#pragma once
#include <stdint.h>
void softmax_f32(float *out, const float *x, int64_t outer, int64_t length, int64_t inner);
void softmax_f64(double *out, const double *x, int64_t outer, int64_t length, int64_t inner);
void log_softmax_f32(float *out, const float *x, int64_t outer, int64_t length, int64_t inner);
void log_softmax_f64(double *out, const double *x, int64_t outer, int64_t length, int64_t inner);
void softmax_grad_f32(float *out, const float *g, const float *y, int64_t outer, int64_t length,
                      int64_t inner);
void softmax_grad_f64(double *out, const double *g, const double *y, int64_t outer, int64_t length,
                      int64_t inner);
void log_softmax_grad_f32(float *out, const float *g, const float *y, int64_t outer,
                          int64_t length, int64_t inner);
void log_softmax_grad_f64(double *out, const double *g, const double *y, int64_t outer,
                          int64_t length, int64_t inner);
int64_t cross_entropy_f32(float *losses, float *p, const float *x, const int64_t *labels,
                          int64_t n, int64_t classes, int64_t ignore);
int64_t cross_entropy_f64(double *losses, double *p, const double *x, const int64_t *labels,
                          int64_t n, int64_t classes, int64_t ignore);
int64_t cross_entropy_mean_f32(float *mean, float *count, float *p, const float *x,
                               const int64_t *labels, int64_t n, int64_t classes, int64_t ignore);
int64_t cross_entropy_mean_f64(double *mean, double *count, double *p, const double *x,
                               const int64_t *labels, int64_t n, int64_t classes, int64_t ignore);
int64_t cross_entropy_grad_f32(float *out, const float *g, const float *count, const float *p,
                               const int64_t *labels, int64_t n, int64_t classes, int64_t ignore);
int64_t cross_entropy_grad_f64(double *out, const double *g, const double *count, const double *p,
                               const int64_t *labels, int64_t n, int64_t classes, int64_t ignore);
