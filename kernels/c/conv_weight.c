/* The weight gradient of a convolution.
 *
 *     for each image, output o, channel c, tap (k, l):
 *         gw[o, c, k, l] += sum over (i, j) of
 *                           g[o, i, j] x[c, i sy - top + k dy, j sx - left + l dx]
 *
 * A matrix product over places (i, j), which lie side by side in both factors: neither has the
 * outputs nor the taps side by side, as vectors want one of them. So
 *
 *   - g is turned over once for an image, to [place][output]: 64 shuffles for 256 numbers, used for
 *     every tap. The lanes of a vector are outputs.
 *   - x is read where it lies in the padded copy (conv_inner.h), one number at a time, spread over
 *     a vector: tap (k, l) is only another starting point, so no matrix of windows is made.
 *   - Sums of 6 taps x 64 outputs (or 8 x 48, 12 x 32, 14 x 16) stay in registers over a block of
 *     rows: 24 multiply-adds for 10 loads, and no remainder, whatever the width of the rows.
 *
 * Blocks of channels and outputs are tasks; where those are few, chunks of images too, each with
 * sums of its own, which are added in the order of the chunks. How many depends on shapes alone.
 */
#include "common.h"
#include "conv_inner.h"
#include "conv_weight_plan_inner.h"
#include "pool_inner.h"
#include "transpose_inner.h"
#include "workspace_inner.h"

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_weight_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_weight_inner.h"
