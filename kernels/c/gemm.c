#include "gemm.h"

#include "gemm_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

/* Sizes at which one way becomes better than another, as measured. */
enum {
    PANEL_SLICE = 2048,    /* K at once, where B's panels are not shared */
    BLOCK_SLICE = 1024,    /* K at once, where all is packed */
    BLOCK_STRIPS = 17,     /* of A in one block: 17 * 14 * 1024 floats are half of L2 */
    FEWEST_BLOCKS = 24,    /* so that threads end at about the same time */
    DOT_SLICE = 1024,
    SKINNY_ROWS = 8,       /* at most */
    SKINNY_FROM = 1 << 14, /* numbers of B */
    STREAMS = 16,          /* rows of B that are read at the same time */
    IN_PLACE = 2 << 20,    /* bytes of A and B up to which packing both does not pay */
    FAR_APART = 4 << 20,   /* bytes of B */
    HALF_PAGE = 2048,      /* rows so far apart share their places in the caches */
    SMALL_LAYER = 1 << 19, /* numbers of x and w */
    BIAS_COLUMNS = 256,
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
