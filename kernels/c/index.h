/* Rows read and added to at given places; sorting orders (index.c, sort.c). */
#pragma once
#include <stdint.h>
int64_t index_first_bad(const int64_t *indices, int64_t count, int64_t rows);
int64_t range_first_bad_f32(const float *x, int64_t count, double low, double high);
int64_t range_first_bad_f64(const double *x, int64_t count, double low, double high);
int64_t range_first_bad_i32(const int32_t *x, int64_t count, double low, double high);
int64_t range_first_bad_i64(const int64_t *x, int64_t count, double low, double high);
int64_t range_first_bad_u8(const uint8_t *x, int64_t count, double low, double high);
void gather(void *out, const void *x, const int64_t *indices, int64_t count, int64_t rows,
            int64_t bytes);
void scatter_add_f32(float *out, const float *x, const int64_t *indices, int64_t count,
                     int64_t rows, int64_t length);
void scatter_add_f64(double *out, const double *x, const int64_t *indices, int64_t count,
                     int64_t rows, int64_t length);
void scatter_add_i32(int32_t *out, const int32_t *x, const int64_t *indices, int64_t count,
                     int64_t rows, int64_t length);
void scatter_add_i64(int64_t *out, const int64_t *x, const int64_t *indices, int64_t count,
                     int64_t rows, int64_t length);
void scatter_add_u8(uint8_t *out, const uint8_t *x, const int64_t *indices, int64_t count,
                    int64_t rows, int64_t length);
int argsort_f32(int descending, int64_t *out, const float *x, int64_t rows, int64_t length);
int argsort_f64(int descending, int64_t *out, const double *x, int64_t rows, int64_t length);
int argsort_i32(int descending, int64_t *out, const int32_t *x, int64_t rows, int64_t length);
int argsort_i64(int descending, int64_t *out, const int64_t *x, int64_t rows, int64_t length);
int argsort_u8(int descending, int64_t *out, const uint8_t *x, int64_t rows, int64_t length);
