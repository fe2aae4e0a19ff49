/* Reductions over the middle axis of x (a, r, b), which every reduction over neighbouring axes is.
 *
 *     for i in 0 ... a-1:
 *         for k in 0 ... b-1:
 *             total = x[i, 0, k]
 *             for j in 1 ... r-1:  total = total op x[i, j, k]
 *             out[i, k] = total
 *
 * One chain of additions waits four cycles for each number, and its rounding error grows with r.
 * Both are cured by many chains. Whatever is split is split by sizes alone, never by the number of
 * threads, and partial results meet in the order of their places: the same bits on any machine.
 *
 * Rows (b = 1): eight vectors of totals, so 128 chains with AVX-512, over blocks of a few thousand
 * numbers; a block's chains meet in a tree, blocks meet in double precision. A row longer than
 * PIECE is cut into pieces, which threads share.
 *
 * Columns (b > 1): a row of totals stays in the cache; eight rows of x are added at a time, in a
 * tree, so that the totals are read and written once for eight reads of x, and memory is read in
 * long runs. After SPILL rows the totals go into ones of double precision. Where there are too few
 * rows of totals for all threads, r is cut into pieces.
 */
#include "reduce.h"

#include "common.h"
#include "fold_types_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { PIECE = 1 << 16, TILE = MOST_COLUMNS, SPILL = 256, ENOUGH = 32 };
static const int64_t UNIT = 1 << 17, GRAIN = 1 << 14; /* numbers */

typedef struct {
    void *out, *partial;
    const void *x;
    int64_t a, r, b, rows, pieces, tiles; /* rows: of a piece; tiles: of totals side by side */
    double count;                         /* to divide by, or 0 */
    int op;
} Reduction;

#define BODY "fold_inner.h"
#include "types_inner.h"

#define BODY "reduce_inner.h"
#include "types_inner.h"
