/* Matrix products: which way one goes, and why packing is not always the answer.
 *
 *     naive, rows, tiled   the rungs below this one: gemm_ladder.c, with their speeds
 *     packed               A and B copied into the order in which tiles (gemm_inner.h) read them,
 *                          slice by slice of K
 *     in place             the same tiles, no copy where rows lie well already
 *
 * A tile runs at 183 GFLOP/s on one core of AVX-512 whether its operands come from L1 or from L2;
 * register-only FMAs reach 185. So what is left to lose is everything else: copies, the wait for
 * memory, threads that end late. Measured on two threads (ceiling 370), float32:
 *
 *     by panels (gemm_drive_inner.h)   A in place, B in place or one panel at a time packed by the
 *                                      thread that uses it: 315 at 256^3, 324 at 64x784x128
 *     by blocks                        all of a slice packed once, shared: at 256^3 the copies would
 *                                      wander from core to core; 276 at 1024^3, 305 at 2048^3
 *     by rows                          A stored transposed, B narrow: who uses rows of A copies
 *                                      them; 256x2304x196: 230, by blocks 215, in place 157
 *     few rows (gemm_skinny_inner.h)   B is used too seldom to be copied: memory is the limit
 *
 * Sums over k run in one order on any number of threads: K is never split between threads, and the
 * cuts depend on sizes alone.
 */
#include "gemm.h"

#include "gemm_inner.h"
#include "gemm_then_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

/* Sizes at which one way becomes better than another, as measured. */
enum {
    PANEL_SLICE = 2048,    /* K at once, where B's panels are not shared */
    BLOCK_SLICE = 1024,    /* K at once, where all is packed */
    ROWS = 64,             /* that a thread copies and uses at a time, and K at once then */
    ROW_SLICE = 320,
    FEW_PANELS = 8,        /* of B */
    BLOCK_STRIPS = 17,     /* of A in one block: 17 * 14 * 1024 floats are half of L2 */
    FEWEST_BLOCKS = 24,    /* so that threads end at about the same time */
    DOT_SLICE = 1024,
    SKINNY_ROWS = 8,       /* at most */
    SKINNY_FROM = 1 << 14, /* numbers of B */
    STREAMS = 16,          /* rows of B that are read at the same time */
    IN_PLACE = 3 << 19,    /* bytes of A and B up to which packing both does not pay */
    FAR_APART = 4 << 20,   /* bytes of B */
    HALF_PAGE = 2048,      /* rows so far apart share their places in the caches */
    SMALL_LAYER = 1 << 19, /* numbers of x and w */
    BIAS_COLUMNS = 256,
    THIN_GROUPS = 10,      /* of rows of gw, up to which each is one strip */
    FEWEST_GROUPS = 8,     /* that keep two threads busy for the same time */
    AFTER_GRAIN = 1 << 13,
};
static const double SERIAL_BELOW = 250e3; /* multiply-adds: about 3 us */

#define REAL_BYTES 4
#include "vector_type_inner.h"
enum { F(WIDTH) = NR_F32 };
#include "gemm_drive_inner.h"
#include "gemm_skinny_inner.h"
#include "gemm_ways_inner.h"

#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
enum { F(WIDTH) = NR_F64 };
#include "gemm_drive_inner.h"
#include "gemm_skinny_inner.h"
#include "gemm_ways_inner.h"
