/* Random bits by counting, and numbers made of them (philox.c). */
#pragma once
#include <stdint.h>
void random_bits(int64_t *out, int64_t count, uint64_t key, uint64_t low, uint64_t high);
void uniform_f32(float *out, int64_t count, uint64_t key, uint64_t low, uint64_t high);
void uniform_f64(double *out, int64_t count, uint64_t key, uint64_t low, uint64_t high);
void normal_f32(float *out, int64_t count, uint64_t key, uint64_t low, uint64_t high,
                const double *series);
void normal_f64(double *out, int64_t count, uint64_t key, uint64_t low, uint64_t high,
                const double *series);
void exponential_f32(float *out, int64_t count, uint64_t key, uint64_t low, uint64_t high,
                     const double *series);
void exponential_f64(double *out, int64_t count, uint64_t key, uint64_t low, uint64_t high,
                     const double *series);
