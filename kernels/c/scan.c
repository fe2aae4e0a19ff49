/* Running sums and products along the middle axis of x (a, r, b).
 *
 *     for i in 0 ... a-1:
 *         for k in 0 ... b-1:
 *             total = x[i, 0, k];  out[i, 0, k] = total
 *             for j in 1 ... r-1:
 *                 total = total op x[i, j, k];  out[i, j, k] = total
 *
 * Each number waits for the one before it, so the only work to be done at the same time is that of
 * other lines: rows go to threads, and columns lie side by side in vectors. Totals of float32 are
 * kept in double precision, or a long sum would drift.
 */
#include "common.h"
#include "fold_types_inner.h"
#include "pool_inner.h"
#include "reduce.h"

enum { TILE = 512 };
static const int64_t GRAIN = 1 << 14; /* numbers */

typedef struct {
    void *out;
    const void *x;
    int64_t r, b, tiles;
    int op;
} Scan;

#define BODY "fold_inner.h"
#include "types_inner.h"

#define BODY "scan_inner.h"
#include "types_inner.h"
