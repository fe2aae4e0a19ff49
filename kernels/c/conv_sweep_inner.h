/* What one pass of the direct convolution does, in numbers: where taps lie, how work is cut. */
#pragma once

#include "conv_inner.h"
#include "workspace_inner.h"

#if VBYTES == 64 || defined(__aarch64__) /* 32 vector registers */
#define MOST_OUTPUTS 14
#define FEWER_OUTPUTS 8 /* with more vectors */
#define MOST_VECTORS 12
static const int TILE_VECTORS[][3] = {{0},       {1, 6, 12}, {1, 4, 10}, {1, 3, 7}, {1, 3, 6},
                                      {1, 2, 4}, {1, 2, 4},  {1, 2, 3},  {1, 2, 3},
                                      {1, 1, 2}, {1, 1, 2},  {1, 1, 2},  {1, 1, 2},
                                      {1, 1, 2}, {1, 1, 2}};
#else
#define MOST_OUTPUTS 4
#define FEWER_OUTPUTS 4
#define MOST_VECTORS 6
static const int TILE_VECTORS[][3] = {{0}, {1, 3, 6}, {1, 2, 5}, {1, 2, 3}, {1, 2, 3}};
#endif

enum { CHUNKS = 16, MOST_IMAGES = 16, PACK_GRAIN = 1 << 15, SPLIT_SHARE = 32 };
enum { STRIP_BYTES = 36 << 10, OUT_BYTES = 128 << 10 };
enum { COPY_BYTES = 512 << 10, PANEL_BYTES = 512 << 10 };

/* Results that share their taps: all of them, or one phase of an input gradient. */
typedef struct {
    int64_t taps;      /* for one channel */
    int64_t start;     /* taps of the families before, for all channels */
    int64_t y, x;      /* place of the first result */
    int32_t *offset;   /* of each tap of each channel in the copy */
    int64_t *position; /* of each tap in the window */
} Family;

typedef struct {
    int64_t n, groups, outputs;      /* outputs of a group */
    Copy copy;                       /* copy.channels: of a group */
    int64_t k, l;                    /* the window */
    int64_t units, columns, halo;    /* rows and columns of windows; rows the last one needs more */
    int64_t out_h, out_w, out_sy, out_sx;
    int64_t w_group, w_output, w_channel; /* steps in the weights */
    int64_t sy, sx, top, left, dy, dx, side, back; /* back: this is an input gradient */
    int64_t mr, panels, block, rows, row_blocks, images, copy_elements;
    int64_t split; /* each column tap has a plane of the copy */
    int64_t as_is; /* the copy would be the image */
    int64_t family_count, straight; /* straight: a row of windows is a row of results */
    Family *families;
} Sweep;

#define GEOMETRY                                                                                 \
    .sy = s->sy, .sx = s->sx, .top = s->top, .left = s->left, .dy = s->dy, .dx = s->dx, .side = side

/* y = the windows of x: result row i takes copy rows i ... i + halo. */
static inline Sweep forward_sweep(const ConvShape *s) {
    int64_t channels = s->c / s->groups, outputs = s->o / s->groups, window = s->k * s->l;
    int64_t halo = (s->k - 1) * s->dy / s->sy, side = (s->l - 1) * s->dx / s->sx;
    return (Sweep){
        .n = s->n, .groups = s->groups, .outputs = outputs, .k = s->k, .l = s->l,
        .copy = {.channels = channels, .h = s->h, .w = s->w, .sy = s->sy, .sx = s->sx,
                 .planes = s->sx, .gap = 1, .row = -s->top, .column = -s->left,
                 .width = s->ow + side},
        .units = s->oh, .columns = s->ow, .halo = halo, .out_h = s->oh, .out_w = s->ow,
        .out_sy = 1, .out_sx = 1, .w_group = outputs * channels * window,
        .w_output = channels * window, .w_channel = window, GEOMETRY,
        .family_count = 1};
}

/* gx = windows of g: gx at y = u sy + r - top is met by the taps k with k dy = m sy + r, which
   take row u - m of g. Each phase r of the stride has taps of its own: a family. */
static inline Sweep input_grad_sweep(const ConvShape *s) {
    int64_t channels = s->c / s->groups, outputs = s->o / s->groups, window = s->k * s->l;
    int64_t halo = (s->k - 1) * s->dy / s->sy, side = (s->l - 1) * s->dx / s->sx;
    int64_t u = s->top / s->sy, v = s->left / s->sx;
    int64_t columns = (s->w - 1 + s->left) / s->sx + 1 - v;
    return (Sweep){
        .n = s->n, .groups = s->groups, .outputs = channels, .k = s->k, .l = s->l,
        .copy = {.channels = outputs, .h = s->oh, .w = s->ow, .sy = 1, .sx = 1,
                 .planes = 1, .gap = 1,
                 .row = u - halo, .column = v - side, .width = columns + side},
        .units = (s->h - 1 + s->top) / s->sy + 1 - u, .columns = columns, .halo = halo,
        .out_h = s->h, .out_w = s->w, .out_sy = s->sy, .out_sx = s->sx,
        .w_group = outputs * channels * window, .w_output = window,
        .w_channel = channels * window, GEOMETRY, .back = 1,
        .family_count = s->sy * s->sx};
}

/* Cut the work by shapes alone: copies that stay in the second-level cache, enough chunks.
   Returns the elements of a copy, or -1 if it is too large to be counted in 32 bits. */
static inline int64_t cut_sweep(Sweep *s, int64_t itemsize) {
    int64_t narrow = s->outputs < 4 ? 4 : SPLIT_SHARE; /* few outputs: loads are the limit */
    if (s->copy.sx == 1 && s->copy.sy == 1 && s->side * narrow > s->columns) {
        s->copy.planes = s->back ? s->side + 1 : s->l;
        s->copy.gap = s->back ? 1 : s->dx;
        s->copy.width = s->columns;
        s->split = 1;
    }
    int64_t lines = s->copy.channels * s->k * (s->split ? s->l : 1) * 3;
    int64_t most = lines * 64 > STRIP_BYTES ? MOST_OUTPUTS : FEWER_OUTPUTS;
    int64_t panels = (s->outputs + most - 1) / most;
    s->mr = (s->outputs + panels - 1) / panels;
    s->panels = panels;
    int64_t row = s->copy.channels * s->copy.sy * s->copy.planes * s->copy.width * itemsize;
    int64_t blocks = MAX(1, CHUNKS / (s->n * s->groups));
    s->rows = MIN(MAX(1, COPY_BYTES / row - s->halo), (s->units + blocks - 1) / blocks);
    s->row_blocks = (s->units + s->rows - 1) / s->rows;
    s->rows = (s->units + s->row_blocks - 1) / s->row_blocks;
    s->row_blocks = (s->units + s->rows - 1) / s->rows;
    s->copy.rows = s->rows + s->halo;
    int64_t elements = copy_size(&s->copy, itemsize);
    s->as_is = s->copy.sy * s->copy.sx * s->copy.planes == 1 && s->copy.row == 0 &&
               s->copy.column == 0 && s->copy.width == s->copy.w && s->copy.rows == s->copy.h;
    if (s->as_is) s->copy.plane = s->copy.channel = s->copy.h * s->copy.w;
    s->straight = s->copy.width == s->columns && s->columns == s->out_w && s->units == s->out_h &&
                  s->family_count == 1;
    int64_t whole = s->row_blocks > 1 ? 1 : COPY_BYTES / (elements * itemsize);
    s->images = MAX(1, MIN(MIN(whole, MOST_IMAGES), s->n * s->groups / CHUNKS));
    int64_t out = s->straight ? 1 : s->mr * s->rows * s->copy.width * itemsize;
    int64_t panel = s->mr * s->copy.channels * s->k * s->l * itemsize;
    s->block = MAX(1, MIN(s->panels, MIN(OUT_BYTES / out, PANEL_BYTES / panel)));
    return elements < INT32_MAX ? elements : -1;
}

/* The last panel goes back over outputs of the one before, so that all panels are whole. */
static inline int64_t first_of_panel(const Sweep *s, int64_t panel) {
    return MIN(panel * s->mr, s->outputs - s->mr);
}

/* The taps of one family; returns how many. Forward, tap k of row i is row i + k dy / sy of phase
   k dy % sy; backward it is row i + halo - k dy / sy, and the phase is the result's. */
static inline int64_t place_family(Family *f, const Sweep *s, int64_t py, int64_t px) {
    int64_t taps = 0;
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t l = 0; l < s->l; l++) {
            int64_t row = k * s->dy / s->sy, column = l * s->dx / s->sx;
            int64_t ry = k * s->dy % s->sy, rx = l * s->dx % s->sx, at;
            if (s->back && (ry != py || rx != px)) continue;
            if (s->back) row = s->halo - row, column = s->side - column, ry = rx = 0;
            int64_t plane = ry * s->copy.planes + (s->split ? (s->back ? column : l) : rx);
            at = plane * s->copy.plane + row * s->copy.width + (s->split ? 0 : column);
            f->offset[taps] = (int32_t)at;
            f->position[taps++] = k * s->l + l;
        }
    return taps;
}

/* The families and their taps, in scratch memory. */
static inline int place_taps(Sweep *s) {
    int64_t taps = s->k * s->l, channels = s->copy.channels, done = 0;
    char *memory = workspace(3, s->family_count * sizeof(Family) + taps * (8 + channels * 4));
    if (!memory) return -1;
    s->families = (Family *)memory;
    int64_t *position = (int64_t *)(s->families + s->family_count);
    int32_t *offset = (int32_t *)(position + taps);
    for (int64_t r = 0; r < s->family_count; r++) {
        Family *f = s->families + r;
        int64_t py = s->back ? r / s->sx : 0, px = s->back ? r % s->sx : 0;
        f->start = done * channels;
        f->offset = offset + done * channels;
        f->position = position + done;
        f->y = s->back ? s->top / s->sy * s->sy + py - s->top : 0;
        f->x = s->back ? s->left / s->sx * s->sx + px - s->left : 0;
        f->taps = place_family(f, s, py, px);
        for (int64_t i = f->taps; i < channels * f->taps; i++)
            f->offset[i] = (int32_t)(f->offset[i - f->taps] + s->copy.channel);
        done += f->taps;
    }
    return 0;
}
