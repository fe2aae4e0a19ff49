/* Sliding windows as columns, and back (unfold.c). */
#pragma once
#include <stdint.h>
void unfold(void *out, const void *x, int64_t item, int64_t planes, int64_t axes,
            const int64_t *plan);
void fold_f32(float *out, const float *x, int64_t planes, int64_t axes, const int64_t *plan);
void fold_f64(double *out, const double *x, int64_t planes, int64_t axes, const int64_t *plan);
void fold_i32(int32_t *out, const int32_t *x, int64_t planes, int64_t axes, const int64_t *plan);
void fold_i64(int64_t *out, const int64_t *x, int64_t planes, int64_t axes, const int64_t *plan);
void fold_u8(uint8_t *out, const uint8_t *x, int64_t planes, int64_t axes, const int64_t *plan);
