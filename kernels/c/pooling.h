/* Pooling over windows of planes (pooling.c). */
#pragma once
#include <stdint.h>
typedef struct {
    int64_t planes, h, w, oh, ow, k, l, sy, sx, top, left, dy, dx;
} PoolShape;
int max_pool_f32(float *y, int64_t *positions, const float *x, const PoolShape *s);
int max_pool_f64(double *y, int64_t *positions, const double *x, const PoolShape *s);
int max_pool_grad_f32(float *gx, const float *g, const int64_t *positions,
                     int64_t planes, int64_t size, int64_t windows);
int max_pool_grad_f64(double *gx, const double *g, const int64_t *positions,
                     int64_t planes, int64_t size, int64_t windows);
int max_pool_pick_f32(float *y, const float *x, const int64_t *positions,
                     int64_t planes, int64_t size, int64_t windows);
int max_pool_pick_f64(double *y, const double *x, const int64_t *positions,
                     int64_t planes, int64_t size, int64_t windows);
int sum_pool_f32(float *y, const float *x, double scale, const PoolShape *s);
int sum_pool_f64(double *y, const double *x, double scale, const PoolShape *s);
int sum_pool_grad_f32(float *gx, const float *g, double scale, const PoolShape *s);
int sum_pool_grad_f64(double *gx, const double *g, double scale, const PoolShape *s);
