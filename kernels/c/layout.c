/* Strided copies: permute, expand, slice, flip, and their transposes.
 *
 *     for i in 0 ... n[0]-1:
 *         for j in 0 ... n[1]-1:
 *             ...
 *                 dst[dst_at + i*d[0] + j*d[1] + ...] = src[src_at + i*s[0] + j*s[1] + ...]
 *
 * The caller has merged axes that both sides walk as one, and sorted them so that d falls: the
 * innermost axis is the one that dst walks in the smallest steps. Two cases are left.
 *
 * Rows: one inner loop, a memcpy where both steps are 1, and counters for the axes around it.
 *
 * Tiles: dst steps by 1 along the last axis and src by 1 along the one before it, as in a matrix
 * that is transposed. Either order of the loops touches a new cache line for every number of one
 * side. A tile of one vector by one vector is read row by row, transposed in registers
 * (transpose_inner.h) and written row by row, so every line is read once and written once. In
 * copies beyond the cache whole lines are streamed: they need not be read before they are written.
 * 4096 x 4096 floats, two threads: 11 ms, 3.3 with streaming; a plain copy takes 2.2.
 */
#include "layout.h"

#include "common.h"
#include "pool_inner.h"
#include "stream_inner.h"
#include "transpose_tiles_inner.h"

enum { MOST_AXES = 64, DOWN = 256, ALONG = 64 }; /* of a block: rows, numbers in one */
static const int64_t CHUNK = 1 << 14, STREAM_FROM = 16 << 20; /* numbers; bytes */

typedef struct {
    char *dst;
    const char *src;
    int64_t axes, pieces, across; /* pieces: of a row, or blocks of a plane, `across` wide */
    const int64_t *plan;          /* n, d, s for each axis, outermost first */
    int stream;
} Copy;

/* Where the counters stand, and the two places that belong to them. */
typedef struct {
    int64_t index[MOST_AXES], d, s;
} Walk;

static void walk_to(Walk *w, const int64_t *plan, int64_t axes, int64_t number) {
    w->d = w->s = 0;
    for (int64_t k = axes - 1; k >= 0; k--) {
        int64_t n = plan[3 * k], i = number % n;
        number /= n;
        w->index[k] = i;
        w->d += i * plan[3 * k + 1];
        w->s += i * plan[3 * k + 2];
    }
}

INLINE void walk_on(Walk *w, const int64_t *plan, int64_t axes) {
    for (int64_t k = axes - 1; k >= 0; k--) {
        int64_t n = plan[3 * k], d = plan[3 * k + 1], s = plan[3 * k + 2];
        w->d += d;
        w->s += s;
        if (++w->index[k] < n) return;
        w->index[k] = 0;
        w->d -= n * d;
        w->s -= n * s;
    }
}

#define T uint8_t
#define NAME(f) f##_1
#include "layout_inner.h"
#undef T
#undef NAME

#define T uint32_t
#define NAME(f) f##_4
#define TILE vi
#define TRANSPOSE transpose_vi
#include "layout_inner.h"
#undef T
#undef NAME
#undef TILE
#undef TRANSPOSE

#define T uint64_t
#define NAME(f) f##_8
#define TILE vl
#define TRANSPOSE transpose_vl
#include "layout_inner.h"

/* Whether whole vectors of dst lie on multiples of VBYTES wherever the walk goes. */
static int lines_aligned(const Copy *c, int64_t item) {
    if ((uintptr_t)c->dst % VBYTES) return 0;
    for (int64_t k = 0; k < c->axes - 1; k++)
        if (c->plan[3 * k + 1] * item % VBYTES) return 0;
    return 1;
}

/* The loop nest above for items of 1, 4 or 8 bytes; `tiled` says which of the two cases it is. */
void layout_copy(void *dst, int64_t dst_at, const void *src, int64_t src_at, int64_t item,
                 int64_t tiled, int64_t axes, const int64_t *plan) {
    Copy c = {(char *)dst + dst_at * item, (const char *)src + src_at * item, axes, 1, 1, plan, 0};
    const int64_t inner = plan[3 * (axes - 1)];
    int64_t rows = 1;
    for (int64_t k = 0; k < axes - 1; k++) rows *= plan[3 * k];
    c.stream = rows * inner * item >= STREAM_FROM && lines_aligned(&c, item);
    if (tiled) {
        const int64_t n = plan[3 * (axes - 2)];
        c.across = (inner + ALONG - 1) / ALONG;
        c.pieces = (n + DOWN - 1) / DOWN * c.across;
        const int64_t blocks = rows / n * c.pieces;
        const int64_t grain = MAX(1, CHUNK / (MIN(n, DOWN) * MIN(inner, ALONG)));
        parallel_for(item == 1 ? tiles_1 : item == 4 ? tiles_4 : tiles_8, &c, blocks, grain);
        return;
    }
    c.pieces = (inner + CHUNK - 1) / CHUNK;
    parallel_for(item == 1 ? rows_1 : item == 4 ? rows_4 : rows_8, &c, rows * c.pieces,
                 MAX(1, CHUNK / inner));
}

static void zero(void *dst, int64_t begin, int64_t end) {
    memset((char *)dst + begin, 0, (size_t)(end - begin));
}

void layout_zero(void *dst, int64_t bytes) { parallel_for(zero, dst, bytes, 1 << 16); }
