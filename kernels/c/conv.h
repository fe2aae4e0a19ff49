/* Convolution of planes, with both gradients (conv.c). Sizes for all groups together; activation as
 * in gemm_inner.h. */
#pragma once
#include <stdint.h>
typedef struct {
    int64_t n, c, h, w, o, k, l, oh, ow, sy, sx, top, left, dy, dx, groups;
} ConvShape;
int conv_f32(float *y, const float *x, const float *w, const float *b, int activation,
             const ConvShape *s);
int conv_f64(double *y, const double *x, const double *w, const double *b, int activation,
             const ConvShape *s);
int conv_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s);
int conv_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s);
int conv_weight_grad_f32(float *gw, const float *x, const float *g, const ConvShape *s);
int conv_weight_grad_f64(double *gw, const double *x, const double *g, const ConvShape *s);
