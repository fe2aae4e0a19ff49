/* Where the largest or smallest number of each line of x (a, r, b) stands first.
 *
 *     for i in 0 ... a-1:
 *         for k in 0 ... b-1:
 *             best = 0
 *             for j in 1 ... r-1:  if x[i, j, k] > x[i, best, k]:  best = j
 *             out[i, k] = best
 *
 * To carry a place along with each number costs three operations instead of one. Rows (b = 1) are
 * searched twice instead: for the largest value block by block, which needs no places, then in the
 * block that had it first for where it is. Long rows are cut into pieces, each with a place of its
 * own; pieces meet in order, so the first place wins. Columns carry places, many side by side.
 *
 * nan counts as both the largest and the smallest number.
 */
#include "common.h"
#include "fold_types_inner.h"
#include "pool_inner.h"
#include "reduce.h"
#include "workspace_inner.h"

enum { SEARCHED = 2048, PIECE = 1 << 16, TILE = 256 };
static const int64_t GRAIN = 1 << 14; /* numbers */

typedef struct {
    int64_t *out, *partial;
    const void *x;
    int64_t a, r, b, pieces, tiles;
    int op;
} Search;

#define BODY "fold_inner.h"
#include "types_inner.h"

#define BODY "arg_inner.h"
#include "types_inner.h"
