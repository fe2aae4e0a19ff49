/* Normalisation and its gradients (batch_norm.c, layer_norm.c, response_norm.c). */
#pragma once
#include <stdint.h>
int batch_norm_f32(float *y, float *mean, float *var, const float *x, const float *w,
                   const float *b, const float *r, int relu, double eps, int64_t n, int64_t c,
                   int64_t l);
int batch_norm_f64(double *y, double *mean, double *var, const double *x, const double *w,
                   const double *b, const double *r, int relu, double eps, int64_t n, int64_t c,
                   int64_t l);
int batch_norm_grad_f32(float *gx, float *gw, float *gb, const float *g, const float *y,
                        const float *x, const float *w, const float *mean, const float *var,
                        double eps, int64_t n, int64_t c, int64_t l);
int batch_norm_grad_f64(double *gx, double *gw, double *gb, const double *g, const double *y,
                        const double *x, const double *w, const double *mean, const double *var,
                        double eps, int64_t n, int64_t c, int64_t l);
void layer_norm_f32(float *y, float *mean, float *rstd, const float *x, const float *w,
                    const float *b, double eps, int64_t rows, int64_t length);
void layer_norm_f64(double *y, double *mean, double *rstd, const double *x, const double *w,
                    const double *b, double eps, int64_t rows, int64_t length);
int layer_norm_grad_f32(float *gx, float *gw, float *gb, const float *g, const float *x,
                        const float *w, const float *mean, const float *rstd, int64_t rows,
                        int64_t length);
int layer_norm_grad_f64(double *gx, double *gw, double *gb, const double *g, const double *x,
                        const double *w, const double *mean, const double *rstd, int64_t rows,
                        int64_t length);
int response_norm_f32(float *y, float *s, const float *x, int64_t n, int64_t c, int64_t l,
                      int64_t size, double alpha, double beta, double k);
int response_norm_f64(double *y, double *s, const double *x, int64_t n, int64_t c, int64_t l,
                      int64_t size, double alpha, double beta, double k);
int response_norm_grad_f32(float *gx, const float *g, const float *x, const float *s, int64_t n,
                           int64_t c, int64_t l, int64_t size, double alpha, double beta);
int response_norm_grad_f64(double *gx, const double *g, const double *x, const double *s,
                           int64_t n, int64_t c, int64_t l, int64_t size, double alpha,
                           double beta);
