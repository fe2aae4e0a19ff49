/* What the files of convolution share: the padded copy of an image, and how work is cut. */
#pragma once

#include "common.h"
#include "conv.h"
#include "gemm_inner.h"

/* Images as the kernels read them: with their padding, rows split by the stride.
 *
 *     copy[c][py][p][i][j] = image[c][row + i sy + py][column + p gap + j sx], zero outside
 *
 * Plane p holds every sx-th column. With gap 1 and p < sx these are the phases of the stride: each
 * column once, and the taps of a row of windows lie side by side. With one plane for each tap of a
 * row (gap = dilation), columns are stored several times, and in return rows are as wide as rows of
 * results, so that no lane of a vector falls between two rows.
 */
typedef struct {
    int64_t channels, h, w;       /* of the image */
    int64_t sy, sx, planes, gap;  /* row phases; columns */
    int64_t row, column;          /* image position of the copy's first element */
    int64_t rows, width;          /* of a plane of the copy */
    int64_t plane, channel;       /* elements from one to the next */
} Copy;

enum { PAGE = 4096, SLACK = 256, LARGEST_VECTOR = 16 };

/* Set the distances of a copy; returns its elements, with room for vectors that run over. */
static inline int64_t copy_size(Copy *c, int64_t itemsize) {
    c->plane = c->rows * c->width + LARGEST_VECTOR;
    c->channel = (c->plane * c->sy * c->planes + 15) / 16 * 16;
    if (c->channel * itemsize % PAGE == 0) c->channel += 16; /* else channels share cache sets */
    return c->channels * c->channel + c->width + c->planes * c->gap + SLACK;
}

/* Make it; `limit`: the end of memory that may be read. conv_copy.c */
void copy_image_f32(float *to, const float *image, const float *limit, const Copy *c);
void copy_image_f64(double *to, const double *image, const double *limit, const Copy *c);

/* One plane of every sy-th row: its columns begin ... end-1 lie inside the image. */
void copy_plane_f32(float *to, const float *channel, const float *limit, const Copy *c, int64_t row,
                    int64_t column);
void copy_plane_f64(double *to, const double *channel, const double *limit, const Copy *c,
                    int64_t row, int64_t column);

/* The j with 0 <= first + j step < size, from *begin to before *end, of 0 ... count-1. */
static inline void steps_inside(int64_t first, int64_t step, int64_t size, int64_t count,
                                int64_t *begin, int64_t *end) {
    *begin = first >= 0 ? 0 : MIN(count, (-first + step - 1) / step);
    *end = first >= size ? 0 : MIN(count, (size - 1 - first) / step + 1);
    *end = MAX(*begin, *end);
}

/* The place that a tap of a result meets, on one axis, in x or, `back`, in the gradient of the
   results; -1 if none. */
static inline int64_t meets(int64_t result, int64_t tap, int64_t step, int64_t gap, int64_t before,
                            int64_t size, int back) {
    int64_t at = back ? result + before - tap * gap : result * step - before + tap * gap;
    if (at < 0 || (back && step > 1 && at % step)) return -1;
    if (back && step > 1) at /= step;
    return at < size ? at : -1;
}

int conv_weight_grad_direct_f32(float *gw, const float *x, const float *g, const ConvShape *s);
int conv_weight_grad_direct_f64(double *gw, const double *x, const double *g, const ConvShape *s);

/* Few channels and outputs (conv_weight_few.c): 1 if the shape is for another way. */
int conv_weight_grad_few_f32(float *gw, const float *x, const float *g, const ConvShape *s);
int conv_weight_grad_few_f64(double *gw, const double *x, const double *g, const ConvShape *s);

/* 0, -1 without memory, 1 if the direct way has to be taken: a result is not finite. */
int winograd(float *y, const float *x, const float *w, const float *b, int activation,
             const ConvShape *s);
int winograd_input_grad(float *gx, const float *g, const float *w, const ConvShape *s);
int winograd_weight_grad(float *gw, const float *x, const float *g, const ConvShape *s);

/* Groups of one channel (conv_depthwise.c). */
int depthwise_fits(const ConvShape *s);
int depthwise_f32(float *y, const float *x, const float *w, const float *b, int activation,
                  const ConvShape *s);
int depthwise_f64(double *y, const double *x, const double *w, const double *b, int activation,
                  const ConvShape *s);
int depthwise_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s);
int depthwise_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s);
int depthwise_weight_grad_f32(float *gw, const float *x, const float *g, const ConvShape *s);
int depthwise_weight_grad_f64(double *gw, const double *x, const double *g, const ConvShape *s);

/* Small images, the batch in the lanes (conv_batch.c); 1 as of winograd. */
int conv_batch_fits(const ConvShape *s);
int conv_batch_f32(float *y, const float *x, const float *w, const float *b, int activation,
                   const ConvShape *s);
int conv_batch_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s);
int conv_batch_weight_grad_f32(float *gw, const float *x, const float *g, const ConvShape *s);
int conv_batch_f64(double *y, const double *x, const double *w, const double *b, int activation,
                   const ConvShape *s);
int conv_batch_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s);
int conv_batch_weight_grad_f64(double *gw, const double *x, const double *g, const ConvShape *s);

/* Windows of one element (conv_pointwise.c). */
int conv_pointwise_fits(const ConvShape *s);
int conv_pointwise_f32(float *y, const float *x, const float *w, const float *b, int activation,
                       const ConvShape *s);
int conv_pointwise_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s);
int conv_pointwise_f64(double *y, const double *x, const double *w, const double *b, int activation,
                       const ConvShape *s);
int conv_pointwise_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s);

/* Few channels, images in the lanes (conv_lanes.c); 1 as of winograd. */
int conv_lanes_fits(const ConvShape *s, int64_t in, int64_t out, int64_t sources);
int conv_lanes_f32(float *y, const float *x, const float *w, const float *b, int activation,
                   const ConvShape *s);
int conv_lanes_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s);
int conv_lanes_f64(double *y, const double *x, const double *w, const double *b, int activation,
                   const ConvShape *s);
int conv_lanes_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s);
