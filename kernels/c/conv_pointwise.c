/* Convolution with windows of one element: a matrix product, with the images side by side.
 *
 *     y[n] = w x[n]           (outputs x channels) (channels x places), for each image n
 *     gx[n] = w' g[n]
 *
 * The weights are packed once. A task is a panel of columns: it packs what the panel has of x, and
 * takes it through all strips of weights, so that x is read once, and from then on without gaps
 * (in place, its rows lie 784 bytes apart at 14x14: no load on a line of its own, a page for five
 * rows). Panels do not end with an image: 196 columns are six panels and an eighth, eight images
 * 49 panels. One that holds the end of an image is stored by way of a small buffer. 256 to 1024
 * channels at 14x14: 280 GFLOP/s forward and back, where the way of conv.c reached 253 and 223.
 */
#include "common.h"
#include "conv_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { LONGEST = 2048, FEWEST_OUTPUTS = 32, FEWEST_PLACES = 256 };

/* Whether a window is one element, and a panel is used by enough strips. */
int conv_pointwise_fits(const ConvShape *s) {
    return s->groups == 1 && s->k * s->l == 1 && s->sy * s->sx == 1 && s->oh == s->h &&
           s->ow == s->w && !s->top && !s->left && MAX(s->c, s->o) <= LONGEST &&
           MIN(s->c, s->o) >= FEWEST_OUTPUTS && s->n * s->h * s->w >= FEWEST_PLACES;
}

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_pointwise_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_pointwise_inner.h"
