/* Convolution directly on the image, forward and input gradient. */
#include "conv.h"

#include "common.h"
#include "conv_inner.h"
#include "conv_sweep_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_tile_inner.h"
#include "conv_direct_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_tile_inner.h"
#include "conv_direct_inner.h"

/* Whether Winograd's algorithm is faster: enough channels, few tiles over the border. */
static int winograd_pays(const ConvShape *s, int64_t channels, int64_t outputs, int64_t oh,
                         int64_t ow) {
    int plain = s->k == 3 && s->l == 3 && s->sy == 1 && s->sx == 1 && s->dy == 1 && s->dx == 1;
    int64_t tiles = (oh + 3) / 4 * ((ow + 3) / 4);
    return plain && s->groups == 1 && MIN(channels, outputs) >= 16 && s->n * tiles >= 32 &&
           10 * oh * ow > 7 * 16 * tiles;
}

static int winograd_weight_pays(const ConvShape *s) {
    return winograd_pays(s, s->c, s->o, s->oh, s->ow);
}

/* Whether the input gradient is a depthwise convolution, too. */
static int turns(const ConvShape *s) {
    return depthwise_fits(s) && s->o == s->c && s->sy == 1 && s->sx == 1;
}

int conv_f32(float *y, const float *x, const float *w, const float *b, int activation,
             const ConvShape *s) {
    if (winograd_pays(s, s->c, s->o, s->oh, s->ow)) {
        int status = winograd(y, x, w, b, activation, s);
        if (status != 1) return status;
    }
    if (conv_batch_fits(s)) {
        int status = conv_batch_f32(y, x, w, b, activation, s);
        if (status != 1) return status;
    }
    if (conv_lanes_fits(s, s->c, s->o, s->h * s->w)) {
        int status = conv_lanes_f32(y, x, w, b, activation, s);
        if (status != 1) return status;
    }
    if (conv_pointwise_fits(s)) return conv_pointwise_f32(y, x, w, b, activation, s);
    if (depthwise_fits(s)) return depthwise_f32(y, x, w, b, activation, s);
    return conv_direct_f32(y, x, w, b, activation, s);
}

int conv_f64(double *y, const double *x, const double *w, const double *b, int activation,
             const ConvShape *s) {
    if (conv_batch_fits(s)) {
        int status = conv_batch_f64(y, x, w, b, activation, s);
        if (status != 1) return status;
    }
    if (conv_lanes_fits(s, s->c, s->o, s->h * s->w)) {
        int status = conv_lanes_f64(y, x, w, b, activation, s);
        if (status != 1) return status;
    }
    if (conv_pointwise_fits(s)) return conv_pointwise_f64(y, x, w, b, activation, s);
    if (depthwise_fits(s)) return depthwise_f64(y, x, w, b, activation, s);
    return conv_direct_f64(y, x, w, b, activation, s);
}

int conv_input_grad_f32(float *gx, const float *g, const float *w, const ConvShape *s) {
    if (winograd_pays(s, s->o, s->c, s->h, s->w) && s->top <= 2 && s->left <= 2) {
        int status = winograd_input_grad(gx, g, w, s);
        if (status != 1) return status;
    }
    if (conv_batch_fits(s)) return conv_batch_input_grad_f32(gx, g, w, s);
    if (conv_lanes_fits(s, s->o, s->c, s->oh * s->ow))
        return conv_lanes_input_grad_f32(gx, g, w, s);
    if (conv_pointwise_fits(s)) return conv_pointwise_input_grad_f32(gx, g, w, s);
    if (turns(s)) return depthwise_input_grad_f32(gx, g, w, s);
    return conv_input_grad_direct_f32(gx, g, w, s);
}

int conv_input_grad_f64(double *gx, const double *g, const double *w, const ConvShape *s) {
    if (conv_batch_fits(s)) return conv_batch_input_grad_f64(gx, g, w, s);
    if (conv_lanes_fits(s, s->o, s->c, s->oh * s->ow))
        return conv_lanes_input_grad_f64(gx, g, w, s);
    if (conv_pointwise_fits(s)) return conv_pointwise_input_grad_f64(gx, g, w, s);
    if (turns(s)) return depthwise_input_grad_f64(gx, g, w, s);
    return conv_input_grad_direct_f64(gx, g, w, s);
}

int conv_weight_grad_f32(float *gw, const float *x, const float *g, const ConvShape *s) {
    int status = conv_weight_grad_few_f32(gw, x, g, s);
    if (status == 1 && winograd_weight_pays(s)) status = winograd_weight_grad(gw, x, g, s);
    if (status == 1 && conv_batch_fits(s)) status = conv_batch_weight_grad_f32(gw, x, g, s);
    if (status != 1) return status;
    if (depthwise_fits(s)) return depthwise_weight_grad_f32(gw, x, g, s);
    return conv_weight_grad_direct_f32(gw, x, g, s);
}

int conv_weight_grad_f64(double *gw, const double *x, const double *g, const ConvShape *s) {
    int status = conv_weight_grad_few_f64(gw, x, g, s);
    if (status == 1 && conv_batch_fits(s)) status = conv_batch_weight_grad_f64(gw, x, g, s);
    if (status != 1) return status;
    if (depthwise_fits(s)) return depthwise_weight_grad_f64(gw, x, g, s);
    return conv_weight_grad_direct_f64(gw, x, g, s);
}
