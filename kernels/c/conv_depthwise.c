/* Depthwise convolution: every channel is a group of its own.
 *
 *     for each image, channel c, place (i, j):
 *         y[c, i, j] = b[c] + sum over k, l of
 *                             w[c, k, l] x[c, i sy - top + k dy, j sx - left + l dx]
 *
 * There is no sum over channels, so nothing to multiply as matrices: a plane is read, nine numbers
 * are applied, a plane is written, and all that is done for a plane beside that shows. Here a task
 * takes many planes; each is copied with its padding (conv_inner.h) into the first-level cache, and
 * four rows of results at a time stay in registers over all taps. With stride 1 the input gradient
 * is the same with the window turned. The weight gradient keeps one vector of sums for each tap.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { CHUNK = 1 << 15, ROWS = 4, MOST_TAPS = 64 };

static int64_t place_depthwise_taps(int32_t *offset, const ConvShape *s, const Copy *c) {
    int64_t taps = 0;
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t l = 0; l < s->l; l++) {
            int64_t y = k * s->dy, x = l * s->dx, phase = y % s->sy * c->planes + x % s->sx;
            offset[taps++] = (int32_t)(phase * c->plane + y / s->sy * c->width + x / s->sx);
        }
    return taps;
}

/* The copy of one channel; returns its elements. */
static int64_t plan_copy(Copy *c, const ConvShape *s, int64_t itemsize) {
    *c = (Copy){.channels = 1, .h = s->h, .w = s->w, .sy = s->sy, .sx = s->sx, .planes = s->sx,
                .gap = 1, .row = -s->top, .column = -s->left,
                .rows = s->oh + (s->k - 1) * s->dy / s->sy,
                .width = s->ow + (s->l - 1) * s->dx / s->sx};
    return copy_size(c, itemsize) + (ROWS + 1) * c->width; /* rows beyond the last are read */
}

int depthwise_fits(const ConvShape *s) { return s->groups == s->c && s->k * s->l <= MOST_TAPS; }

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_depthwise_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_depthwise_inner.h"
