/* What fold_inner.h stands on: the operations, and vectors of bytes for bool. */
#pragma once

#include "common.h"

/* x != x asks whether x is nan, also where T is a whole number and never is. */
#pragma GCC diagnostic ignored "-Wtautological-compare"

enum { SUM, PROD, MOST, LEAST };
enum { BLOCK = 4096, AHEAD = 2048 }; /* numbers until totals meet; bytes to fetch ahead */

typedef uint8_t vb __attribute__((vector_size(VBYTES), may_alias));
typedef uint8_t vbu __attribute__((vector_size(VBYTES), may_alias, aligned(1)));
