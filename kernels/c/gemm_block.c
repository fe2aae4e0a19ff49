/* The tiles, packing and epilogue of gemm_inner.h, for float and for double. */
#include "gemm_inner.h"
#include "vector_gates_inner.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

/* Shuffles within each 128-bit lane: x0 y0 x1 y1, x2 y2 x3 y3; x0 y0, x1 y1. */
#if VBYTES == 64
#define WEAVE_LOW(x, y) _mm512_unpacklo_ps(x, y)
#define WEAVE_HIGH(x, y) _mm512_unpackhi_ps(x, y)
#define PAIR_LOW(x, y) _mm512_unpacklo_pd(x, y)
#define PAIR_HIGH(x, y) _mm512_unpackhi_pd(x, y)
#elif VBYTES == 32
#define WEAVE_LOW(x, y) _mm256_unpacklo_ps(x, y)
#define WEAVE_HIGH(x, y) _mm256_unpackhi_ps(x, y)
#define PAIR_LOW(x, y) _mm256_unpacklo_pd(x, y)
#define PAIR_HIGH(x, y) _mm256_unpackhi_pd(x, y)
#else
#define WEAVE_LOW(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define WEAVE_HIGH(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define PAIR_LOW(x, y) __builtin_shufflevector(x, y, 0, 2)
#define PAIR_HIGH(x, y) __builtin_shufflevector(x, y, 1, 3)
#endif

/* 128 bits at k of every fourth row (for double: every second), side by side. Loading them into
 * the upper lanes costs no shuffle, but compilers do not see that by themselves. */
INLINE vf lanes_f32(const float *const *rows, int64_t k) {
#if VBYTES == 64
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + k));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[4] + k), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[8] + k), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(rows[12] + k), 3);
#elif VBYTES == 32
    __m256 x = _mm256_castps128_ps256(_mm_loadu_ps(rows[0] + k));
    return _mm256_insertf128_ps(x, _mm_loadu_ps(rows[4] + k), 1);
#else
    return load_f(rows[0] + k);
#endif
}

INLINE vd lanes_f64(const double *const *rows, int64_t k) {
#if VBYTES == 64
    __m512d x = _mm512_castpd128_pd512(_mm_loadu_pd(rows[0] + k));
    x = _mm512_insertf64x2(x, _mm_loadu_pd(rows[2] + k), 1);
    x = _mm512_insertf64x2(x, _mm_loadu_pd(rows[4] + k), 2);
    return _mm512_insertf64x2(x, _mm_loadu_pd(rows[6] + k), 3);
#elif VBYTES == 32
    __m256d x = _mm256_castpd128_pd256(_mm_loadu_pd(rows[0] + k));
    return _mm256_insertf128_pd(x, _mm_loadu_pd(rows[2] + k), 1);
#else
    return load_d(rows[0] + k);
#endif
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "gemm_finish_inner.h"
#include "gemm_tile_inner.h"
#include "gemm_pack_inner.h"

#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "gemm_finish_inner.h"
#include "gemm_tile_inner.h"
#include "gemm_pack_inner.h"
