/* Optimizer steps over all parameters at once (optim.c). `buffers` is a table of pointers: first one
 * for each parameter, then its gradients, then what each rule keeps; -1: no scratch memory. */
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
