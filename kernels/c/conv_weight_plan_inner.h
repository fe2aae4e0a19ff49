/* How the weight gradient cuts its work: by shapes alone. */
#pragma once

#include "conv_inner.h"
#include "workspace_inner.h"

enum { TAP_CHOICES = 4, TASKS = 16, FEWEST_TAPS = 256, PLACE_BYTES = 24 << 10 };
#if VBYTES == 64 || defined(__aarch64__) /* 32 vector registers */
enum { MOST_TAPS = 14 };
#define MOST_WIDE 4
static const int TILE_TAPS[][TAP_CHOICES] = {
    {0}, {14, 13, 9, 5}, {12, 9, 6, 3}, {8, 6, 5, 3}, {6, 5, 4, 3}};
#else
#define MOST_WIDE 2
enum { MOST_TAPS = 10 };
static const int TILE_TAPS[][TAP_CHOICES] = {{0}, {10, 9, 5, 3}, {5, 4, 3, 2}};
#endif

typedef struct {
    int64_t n, groups, channels, outputs; /* of a group */
    int64_t k, l, oh, ow;
    Copy copy;                            /* of a block of channels */
    int64_t copy_elements, as_is;
    int64_t nv, nt, choice, depth;        /* the tile; outputs of a block */
    int64_t taps, padded_taps, rows, images;
    int64_t c_blocks, o_blocks;
    int32_t *offset;
} Weights;

/* Channels of a block; the last one goes back over channels of the one before. */
static int64_t first_channel(const Weights *s, int64_t block) {
    return MIN(block * s->copy.channels, s->channels - s->copy.channels);
}

/* The tile that wastes least on taps that are not there. */
static void choose_tile(Weights *s) {
    int64_t least = INT64_MAX;
    for (int choice = 0; choice < TAP_CHOICES; choice++) {
        int64_t nt = TILE_TAPS[s->nv][choice], tiles = (s->taps + nt - 1) / nt;
        int64_t cost = tiles * (nt * s->nv + s->nv + 2);
        if (cost < least) least = cost, s->choice = choice, s->nt = nt, s->padded_taps = tiles * nt;
    }
}

static int plan_weights(Weights *s, const ConvShape *c, int64_t lanes, int64_t itemsize) {
    int64_t window = c->k * c->l, side = (c->l - 1) * c->dx / c->sx;
    *s = (Weights){.n = c->n, .groups = c->groups, .channels = c->c / c->groups,
                   .outputs = c->o / c->groups, .k = c->k, .l = c->l, .oh = c->oh, .ow = c->ow};
    int64_t vectors = (s->outputs + lanes - 1) / lanes;
    s->o_blocks = (vectors + MOST_WIDE - 1) / MOST_WIDE;
    s->nv = (vectors + s->o_blocks - 1) / s->o_blocks;
    s->depth = s->nv * lanes;
    s->o_blocks = (vectors + s->nv - 1) / s->nv;
    int64_t wanted = MAX(1, TASKS / (s->groups * s->o_blocks));
    s->c_blocks = MAX(1, MIN(wanted, s->channels * window / FEWEST_TAPS));
    int64_t channels = (s->channels + s->c_blocks - 1) / s->c_blocks;
    s->c_blocks = (s->channels + channels - 1) / channels;
    int64_t chunks = MIN(s->n, MAX(1, TASKS / (s->groups * s->o_blocks * s->c_blocks)));
    s->images = (s->n + chunks - 1) / chunks;
    s->rows = MAX(1, PLACE_BYTES / (s->depth * itemsize * s->ow));
    s->copy = (Copy){.channels = channels, .h = c->h, .w = c->w, .sy = c->sy, .sx = c->sx,
                     .planes = c->sx, .gap = 1, .row = -c->top, .column = -c->left,
                     .rows = c->oh + (c->k - 1) * c->dy / c->sy, .width = c->ow + side};
    s->copy_elements = copy_size(&s->copy, itemsize);
    s->as_is = c->sy * c->sx == 1 && !c->top && !c->left && s->copy.width == c->w &&
               s->copy.rows == c->h;
    if (s->as_is) s->copy.plane = s->copy.channel = c->h * c->w;
    s->taps = channels * window;
    choose_tile(s);
    s->offset = workspace(3, s->padded_taps * sizeof(int32_t));
    if (!s->offset || s->copy_elements >= INT32_MAX) return -1;
    for (int64_t t = 0; t < s->padded_taps; t++) {
        int64_t channel = t / window, y = t % window / c->l * c->dy, x = t % c->l * c->dx;
        int64_t plane = y % c->sy * s->copy.planes + x % c->sx;
        int64_t at = channel * s->copy.channel + plane * s->copy.plane + y / c->sy * s->copy.width;
        s->offset[t] = t < s->taps ? (int32_t)(at + x / c->sx) : 0;
    }
    return 0;
}
