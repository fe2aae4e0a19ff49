/* Elementwise functions of any shapes (elementwise.c).
 *
 * A `code` is 5 * the function's number + the type: float32, float64, int32, int64, bool. Where
 * `out` is NULL the result is new memory; what is returned is the result, NULL for no memory. */
#pragma once
#include <stdint.h>
const char *elementwise_names(int operands);
int elementwise_exists(int operands, int code);
void *elementwise_unary(int code, void *out, const void *x, int64_t n);
void *elementwise_binary(int code, void *out, const void *a, const void *b, int64_t n, int steps);
void *elementwise_number(int code, void *out, const void *x, double real, int64_t whole, int64_t n,
                         int side);
void *elementwise_broadcast(int code, void *out, const void *a, const void *b,
                            const int64_t *plan);
void *elementwise_where(int type, void *out, const void *c, const void *a, const void *b,
                        const int64_t *plan);
void *elementwise_bias(int code, void *out, const void *x, const void *b, int64_t rows, int64_t n);
void *elementwise_cast(int from, int to, void *out, const void *x, int64_t n);
void *elementwise_full(int type, void *out, double real, int64_t whole, int64_t n);
