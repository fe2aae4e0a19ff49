/* What all kernels share: vector types of the instruction set that is being built.
 *
 * GCC and clang compute element by element on types with `vector_size`, so the same source becomes
 * SSE, AVX2, AVX-512 or NEON. `vf` must be aligned in memory; `vfu` may stand anywhere. A plain
 * number joins a vector in arithmetic: 2.0f * x.
 */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VBYTES 64
#elif defined(__AVX__)
#define VBYTES 32
#else
#define VBYTES 16
#endif
#define NF (VBYTES / 4) /* floats in a vector */
#define ND (VBYTES / 8) /* doubles */

#define RESTRICT __restrict__
#define INLINE static inline __attribute__((always_inline))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

typedef float vf __attribute__((vector_size(VBYTES), may_alias));
typedef double vd __attribute__((vector_size(VBYTES), may_alias));
typedef int32_t vi __attribute__((vector_size(VBYTES), may_alias));
typedef int64_t vl __attribute__((vector_size(VBYTES), may_alias));
typedef float vfu __attribute__((vector_size(VBYTES), may_alias, aligned(4)));
typedef double vdu __attribute__((vector_size(VBYTES), may_alias, aligned(8)));
typedef int32_t viu __attribute__((vector_size(VBYTES), may_alias, aligned(4)));
typedef int64_t vlu __attribute__((vector_size(VBYTES), may_alias, aligned(8)));

INLINE vf load_f(const float *p) { return *(const vfu *)p; }
INLINE vd load_d(const double *p) { return *(const vdu *)p; }
INLINE void store_f(float *p, vf x) { *(vfu *)p = x; }
INLINE void store_d(double *p, vd x) { *(vdu *)p = x; }
