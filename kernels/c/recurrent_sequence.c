/* Recurrent layers over a whole sequence.
 *
 *     forward:    for t = 0 ... T-1:   u = h[t-1] W^T;  h[t] = cell(a[t], u)
 *     backward:   for t = T-1 ... 0:   gu[t] = the cell's gradient of g[t] + carried
 *                                      carried = gu[t] W
 *                 then                 gW = sum over t of gu[t]^T h[t-1]
 *
 * Step t needs all of step t-1, so the products are small: 32 rows by 128 by 512 take 12 us on two
 * threads, and whatever is done around each of them counts. What happens here:
 *
 *     W is packed once for all steps, in the order in which tiles read it (gemm_inner.h): 256 kB,
 *     which stay in L2.
 *     Rows of a batch know nothing of each other. So a task is some rows for the whole sequence:
 *     threads meet once for all steps, not at each of them, and a task's gates go from the product
 *     to the cell in its own L1.
 *     The weight's gradient is not a sum of T small products but one over T N rows.
 *
 * Where the rows are too few for that, or W is too large for a core's L2, threads share each step
 * instead: panels of the product, then rows of the cell.
 */
#include "recurrent.h"

#include "gemm_inner.h"
#include "pool_inner.h"
#include "vector_gates_inner.h"
#include "workspace_inner.h"

enum {
    FEWEST_ROWS = 8,       /* of a batch that is cut into rows */
    LARGEST_W = 3 << 19,   /* bytes, for the same */
    ROWS_PER_TASK = 4,     /* of a cell's, where threads share a step */
    WEIGHT_SLICE = 256,    /* rows: a panel of them and a strip stay in L1 */
    WEIGHT_PASS = 4 << 20, /* bytes */
};
static const double SERIAL_BELOW = 250e3; /* multiply-adds: about 3 us */

#define REAL_BYTES 4
#include "vector_type_inner.h"
enum { F(WIDTH) = NR_F32 };
#include "recurrent_units_inner.h"
#include "recurrent_sequence_inner.h"
#include "recurrent_weight_inner.h"
#include "recurrent_layers_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
enum { F(WIDTH) = NR_F64 };
#include "recurrent_units_inner.h"
#include "recurrent_sequence_inner.h"
#include "recurrent_weight_inner.h"
#include "recurrent_layers_inner.h"
