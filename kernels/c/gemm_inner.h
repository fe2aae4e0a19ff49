/* The inner part of every matrix product: tiles of C that stay in registers.
 *
 *     for each panel of NR columns of B:                    stays in L1 and L2
 *         for each strip of MR rows of A:                   A's block stays in L2
 *             tile[MR][NR] = 0                              in registers
 *             for k:  tile += A[strip, k] outer B[k, panel]
 *             C[strip, panel] = tile, or += tile
 *
 * A core with two FMA units of latency 4 needs 8 independent sums, and as it loads two vectors a
 * cycle, each loaded number must serve more than one FMA: a tile of MR rows and NV vectors costs
 * MR + NV loads for MR * NV FMAs. So the tile is as large as the registers can hold: 14 x 2 vectors
 * of 32 registers (16 loads for 28 FMAs), or 6 x 2 of 16.
 *
 * Packed operands are read from the first byte to the last, without gaps:
 *
 *     A:  strip s holds rows s MR + i, i < MR:        packed_a[(s K + k) MR + i] = A[s MR + i, k]
 *     B:  panel p holds columns p NR + j, j < NR:     packed_b[(p K + k) NR + j] = B[k, p NR + j]
 *
 * K is that of the slice at hand. The last strip and panel have their full size; what stands there
 * beyond the matrix is read but never stored, so it may be anything.
 *
 * All of this runs on the thread that calls it and allocates nothing: tasks of a parallel loop may
 * call it. The sum over k of one element has one order, whatever the rest looks like.
 */
#pragma once

#include "common.h"

#if VBYTES == 64
enum { MR = 14, NV = 2 }; /* 28 sums, 2 vectors of B, 1 number of A: 31 of 32 registers */
#elif defined(__aarch64__)
enum { MR = 8, NV = 3 }; /* 28 of 32 */
#else
enum { MR = 6, NV = 2 }; /* 15 of 16 */
#endif
enum { NR_F32 = NV * NF, NR_F64 = NV * ND };

/* What is done to C after the last slice of K: f(C + bias). A bias is a float * or double *, to the
 * number for C's first row (column), or NULL. */
enum { KEEP, RELU, SIGMOID, TANH, GELU };

typedef struct {
    const void *row_bias, *column_bias;
    int activation;
} Finish;

/* How many numbers a packed operand takes. */
INLINE int64_t packed_a_size(int64_t m, int64_t k) { return (m + MR - 1) / MR * MR * k; }
INLINE int64_t packed_b_size_f32(int64_t n, int64_t k) {
    return (n + NR_F32 - 1) / NR_F32 * NR_F32 * k;
}
INLINE int64_t packed_b_size_f64(int64_t n, int64_t k) {
    return (n + NR_F64 - 1) / NR_F64 * NR_F64 * k;
}

/* Pack m rows of A: element (i, k) is source[i * across + k * along]; one of the two steps is 1. */
void gemm_pack_a_f32(float *packed, const float *source, int64_t across, int64_t along, int64_t m,
                     int64_t k);
void gemm_pack_a_f64(double *packed, const double *source, int64_t across, int64_t along,
                     int64_t m, int64_t k);

/* Pack n columns of B: element (k, j) is source[j * across + k * along]. */
void gemm_pack_b_f32(float *packed, const float *source, int64_t across, int64_t along, int64_t n,
                     int64_t k);
void gemm_pack_b_f64(double *packed, const double *source, int64_t across, int64_t along,
                     int64_t n, int64_t k);

/* Pack up to NR columns of B as one panel; gives the step between its rows, which is less than NR
 * where one vector holds all columns. */
int64_t gemm_pack_narrow_f32(float *packed, const float *source, int64_t across, int64_t along,
                             int64_t n, int64_t k);
int64_t gemm_pack_narrow_f64(double *packed, const double *source, int64_t across, int64_t along,
                             int64_t n, int64_t k);

/* C (m, n) = A B from packed operands, or C += A B where `accumulate`; then `finish`, if not NULL.
 * Rows of C are `ldc` numbers apart. */
void gemm_block_f32(int64_t m, int64_t n, int64_t k, const float *packed_a, const float *packed_b,
                    float *c, int64_t ldc, int accumulate, const Finish *finish);
void gemm_block_f64(int64_t m, int64_t n, int64_t k, const double *packed_a,
                    const double *packed_b, double *c, int64_t ldc, int accumulate,
                    const Finish *finish);

/* One panel: C (m, columns <= NR) from B with its rows `ldb` apart, whole registers readable, and A
 * as it lies: element (i, k) is a[i * across + k * along]. Rows are cut into strips of even height.
 * What will be wanted next is fetched on the way: line k of strip s < 2 at
 * ahead + s * ahead_strip + k * ahead_step; NULL for nothing. */
typedef struct {
    int64_t k, across, along, ldb, ldc, ahead_strip, ahead_step;
    int accumulate;
} Steps;

void gemm_panel_f32(const Steps *steps, int64_t m, int64_t columns, const float *a,
                    const float *b, float *c, const float *ahead);
void gemm_panel_f64(const Steps *steps, int64_t m, int64_t columns, const double *a,
                    const double *b, double *c, const double *ahead);

/* C = f(C + bias) on a tile. */
void gemm_finish_f32(const Finish *finish, int64_t m, int64_t n, float *c, int64_t ldc);
void gemm_finish_f64(const Finish *finish, int64_t m, int64_t n, double *c, int64_t ldc);
