/* What fold_inner.h stands on: the operations, and vectors of bytes for bool. */
#pragma once

#include "common.h"

/* x != x asks whether x is nan, also where T is a whole number and never is. */
#pragma GCC diagnostic ignored "-Wtautological-compare"

enum { SUM, PROD, MOST, LEAST };

/* The function with the operation as a constant. Bools are not added or multiplied (c_reduce.py). */
#define EACH_OP(op, function, ...)                                    \
    if ((op) == MOST) function(MOST, __VA_ARGS__);                    \
    if ((op) == LEAST) function(LEAST, __VA_ARGS__);                  \
    if (sizeof(T) > 1 && (op) == SUM) function(SUM, __VA_ARGS__);     \
    if (sizeof(T) > 1 && (op) == PROD) function(PROD, __VA_ARGS__)

enum { BLOCK = 4096, AHEAD = 2048 }; /* numbers until totals meet; bytes to fetch ahead */
enum { MOST_COLUMNS = 2048 };        /* folded side by side */

typedef uint8_t vb __attribute__((vector_size(VBYTES), may_alias));
typedef uint8_t vbu __attribute__((vector_size(VBYTES), may_alias, aligned(1)));
