/* Constant padding.
 *
 *     for each row of the result (all axes but the last):
 *         if the row lies in the margin of some axis:  fill it
 *         else:  fill the margin before, copy the row of src, fill the margin after
 *
 * Every number of the result is written once and in order; to fill it all first and copy src over
 * it would write most of it twice. The caller has joined axes without padding to the next one.
 */
#include "common.h"
#include "layout.h"
#include "pool_inner.h"

static const int64_t CHUNK = 1 << 16; /* bytes */

typedef struct {
    char *dst;
    const char *src;
    uint64_t value;
    int64_t item, axes;
    const int64_t *plan; /* size in src, margin before, margin after: of each axis */
} Pad;

static void fill(char *dst, uint64_t value, int64_t item, int64_t count) {
    if (item == 1) {
        memset(dst, (int)value, (size_t)count);
    } else if (item == 4) {
        for (int64_t i = 0; i < count; i++) ((uint32_t *)dst)[i] = (uint32_t)value;
    } else {
        for (int64_t i = 0; i < count; i++) ((uint64_t *)dst)[i] = value;
    }
}

/* The number of the row of src that belongs to a row of dst, or -1 in the margin. */
static int64_t source_row(const Pad *p, int64_t row) {
    int64_t number = 0, step = 1;
    for (int64_t k = p->axes - 2; k >= 0; k--) {
        const int64_t n = p->plan[3 * k], lo = p->plan[3 * k + 1];
        const int64_t size = n + lo + p->plan[3 * k + 2], i = row % size - lo;
        if (i < 0 || i >= n) return -1;
        row /= size;
        number += i * step;
        step *= n;
    }
    return number;
}

static void pad_rows(void *context, int64_t begin, int64_t end) {
    const Pad *p = context;
    const int64_t *last = p->plan + 3 * (p->axes - 1), item = p->item;
    const int64_t n = last[0], lo = last[1], hi = last[2], size = n + lo + hi;
    for (int64_t row = begin; row < end; row++) {
        char *to = p->dst + row * size * item;
        const int64_t from = source_row(p, row);
        if (from < 0) {
            fill(to, p->value, item, size);
            continue;
        }
        fill(to, p->value, item, lo);
        memcpy(to + lo * item, p->src + from * n * item, (size_t)(n * item));
        fill(to + (lo + n) * item, p->value, item, hi);
    }
}

void layout_pad(void *dst, const void *src, const void *value, int64_t item, int64_t axes,
                const int64_t *plan) {
    Pad p = {dst, src, 0, item, axes, plan};
    int64_t rows = 1, size = 0;
    p.value = item == 1   ? *(const uint8_t *)value
              : item == 4 ? *(const uint32_t *)value
                          : *(const uint64_t *)value;
    for (int64_t k = 0; k < axes; k++) {
        size = plan[3 * k] + plan[3 * k + 1] + plan[3 * k + 2];
        if (k < axes - 1) rows *= size;
    }
    if (size) parallel_for(pad_rows, &p, rows, MAX(1, CHUNK / (size * item)));
}
