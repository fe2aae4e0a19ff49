/* Optimizer steps over all parameters at once (optim.c). `buffers` is a table of pointers: first one
 * for each parameter, then its gradients, then what each rule keeps; -1: no scratch memory.
 * linear_grad_sgd and linear_grad_adam are linear_grad (gemm.h) with the step of w in it. */
#pragma once
#include <stdint.h>
int sgd_steps_f32(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                  double momentum, double dampening, double decay, int nesterov);
int sgd_steps_f64(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                  double momentum, double dampening, double decay, int nesterov);
int adam_steps_f32(void *const *buffers, const int64_t *sizes, int64_t count, int64_t step, double lr,
                   double beta1, double beta2, double eps, double decay, int decoupled);
int adam_steps_f64(void *const *buffers, const int64_t *sizes, int64_t count, int64_t step, double lr,
                   double beta1, double beta2, double eps, double decay, int decoupled);
int rmsprop_steps_f32(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                      double alpha, double eps, double decay, double momentum);
int rmsprop_steps_f64(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                      double alpha, double eps, double decay, double momentum);
int adagrad_steps_f32(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                      double eps, double decay);
int adagrad_steps_f64(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                      double eps, double decay);
int scale_all_f32(void *const *buffers, const int64_t *sizes, int64_t count, const float *scale);
int scale_all_f64(void *const *buffers, const int64_t *sizes, int64_t count, const double *scale);
int sum_squares_f32(float *out, void *const *buffers, const int64_t *sizes, int64_t count);
int sum_squares_f64(double *out, void *const *buffers, const int64_t *sizes, int64_t count);
int linear_grad_sgd_f32(int64_t m, int64_t n, int64_t k, const float *g, const float *x, float *w,
                        float *v, float *gx, float *gw, float *gb, double lr, double momentum,
                        double dampening, double decay, int nesterov);
int linear_grad_adam_f32(int64_t m, int64_t n, int64_t k, const float *g, const float *x, float *w,
                         float *mean, float *square, float *gx, float *gw, float *gb, int64_t step,
                         double lr, double beta1, double beta2, double eps, double decay,
                         int decoupled);
int linear_grad_sgd_f64(int64_t m, int64_t n, int64_t k, const double *g, const double *x, double *w,
                        double *v, double *gx, double *gw, double *gb, double lr, double momentum,
                        double dampening, double decay, int nesterov);
int linear_grad_adam_f64(int64_t m, int64_t n, int64_t k, const double *g, const double *x, double *w,
                         double *mean, double *square, double *gx, double *gw, double *gb, int64_t step,
                         double lr, double beta1, double beta2, double eps, double decay,
                         int decoupled);
