/* The order that sorts each row of x (rows, length), equal numbers left as they stand.
 *
 *     key[i] = the bits of x[i] as a whole number that grows with x[i]
 *     for each digit of 8 bits, the lowest first:
 *         count how often each of its 256 values occurs; running sums say where each begins
 *         move every (key, place) to the next free place of its digit's value
 *
 * A radix sort: each pass is stable, so after the last one the whole key is sorted, in a time
 * proportional to the length; no comparison, no branch to mispredict. All digits are counted in one
 * sweep, and a pass over a digit that all keys share is left out (small integers take one or two).
 * Short rows are sorted by insertion, which needs no tables.
 *
 * The bits of positive floats already grow with the number; those of negative ones fall, so they
 * are inverted, and the sign bit is turned for all. -0 counts as 0, nan as the largest of all.
 * Descending is the same with keys inverted, which keeps equal ones in their order.
 */
#include "common.h"
#include "index.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { SHORT = 40, DIGITS = 256 };
static const int64_t GRAIN = 1 << 13; /* numbers */

typedef struct {
    int64_t *out;
    const void *x;
    int64_t length;
    int descending;
    int failed; /* a thread that found no memory says so here */
} Sort;

INLINE uint32_t key_f32(float x) {
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? UINT32_MAX : bits >> 31 ? ~bits : bits | (uint32_t)1 << 31;
}

INLINE uint64_t key_f64(double x) {
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? UINT64_MAX : bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

INLINE uint32_t key_i32(int32_t x) { return (uint32_t)x ^ (uint32_t)1 << 31; }
INLINE uint64_t key_i64(int64_t x) { return (uint64_t)x ^ (uint64_t)1 << 63; }
INLINE uint8_t key_u8(uint8_t x) { return x; }

#define T float
#define K uint32_t
#define NAME(f) f##_f32
#include "sort_inner.h"
#define T double
#define K uint64_t
#define NAME(f) f##_f64
#include "sort_inner.h"
#define T int32_t
#define K uint32_t
#define NAME(f) f##_i32
#include "sort_inner.h"
#define T int64_t
#define K uint64_t
#define NAME(f) f##_i64
#include "sort_inner.h"
#define T uint8_t
#define K uint8_t
#define NAME(f) f##_u8
#include "sort_inner.h"
