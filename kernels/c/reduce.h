/* Folds over axes (reduce.c), places of extremes (arg.c), running sums and products (scan.c). */
#pragma once
#include <stdint.h>
int reduce_f32(int op, float *out, const float *x, int64_t a, int64_t r, int64_t b, double count);
int reduce_f64(int op, double *out, const double *x, int64_t a, int64_t r, int64_t b, double count);
int reduce_i32(int op, int32_t *out, const int32_t *x, int64_t a, int64_t r, int64_t b,
               double count);
int reduce_i64(int op, int64_t *out, const int64_t *x, int64_t a, int64_t r, int64_t b,
               double count);
int reduce_u8(int op, uint8_t *out, const uint8_t *x, int64_t a, int64_t r, int64_t b,
              double count);
int arg_f32(int op, int64_t *out, const float *x, int64_t a, int64_t r, int64_t b);
int arg_f64(int op, int64_t *out, const double *x, int64_t a, int64_t r, int64_t b);
int arg_i32(int op, int64_t *out, const int32_t *x, int64_t a, int64_t r, int64_t b);
int arg_i64(int op, int64_t *out, const int64_t *x, int64_t a, int64_t r, int64_t b);
int arg_u8(int op, int64_t *out, const uint8_t *x, int64_t a, int64_t r, int64_t b);
void scan_f32(int op, float *out, const float *x, int64_t a, int64_t r, int64_t b);
void scan_f64(int op, double *out, const double *x, int64_t a, int64_t r, int64_t b);
void scan_i32(int op, int32_t *out, const int32_t *x, int64_t a, int64_t r, int64_t b);
void scan_i64(int op, int64_t *out, const int64_t *x, int64_t a, int64_t r, int64_t b);
void scan_u8(int op, uint8_t *out, const uint8_t *x, int64_t a, int64_t r, int64_t b);
