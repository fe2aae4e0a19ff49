/* One step of an LSTM and of a GRU after their matrix products: n rows of `size` units; and layers
 * over `steps` of them, which return -1 where there is no scratch memory. */
#pragma once
#include <stdint.h>
void lstm_cell_f32(int64_t n, int64_t size, const float *gates, const float *c, float *h2,
                   float *c2, float *act);
void lstm_cell_grad_f32(int64_t n, int64_t size, const float *gh, const float *gc2,
                        const float *act, const float *c, const float *c2, float *ggates,
                        float *gc);
void gru_cell_f32(int64_t n, int64_t size, const float *gi, const float *gh, const float *h,
                  float *h2, float *act);
void gru_cell_grad_f32(int64_t n, int64_t size, const float *g, const float *act, const float *h,
                       float *ggi, float *ggh, float *gh_before);
int rnn_f32(int64_t steps, int64_t n, int64_t size, const float *a, const float *w, const float *h0,
            int relu, float *h);
int rnn_grad_f32(int64_t steps, int64_t n, int64_t size, const float *g, const float *h,
                 const float *w, const float *h0, int relu, float *ga, float *gw, float *gh0);
int lstm_f32(int64_t steps, int64_t n, int64_t size, const float *a, const float *w,
             const float *h0, const float *c0, float *h, float *last, float *c, float *act);
int lstm_grad_f32(int64_t steps, int64_t n, int64_t size, const float *g, const float *gc,
                  const float *h, const float *c, const float *act, const float *w,
                  const float *h0, const float *c0, float *ga, float *gw, float *gh0, float *gc0);
int gru_f32(int64_t steps, int64_t n, int64_t size, const float *a, const float *w, const float *b,
            const float *h0, float *h, float *act);
int gru_grad_f32(int64_t steps, int64_t n, int64_t size, const float *g, const float *h,
                 const float *act, const float *w, const float *h0, float *ga, float *gu,
                 float *gw, float *gh0);
void lstm_cell_f64(int64_t n, int64_t size, const double *gates, const double *c, double *h2,
                   double *c2, double *act);
void lstm_cell_grad_f64(int64_t n, int64_t size, const double *gh, const double *gc2,
                        const double *act, const double *c, const double *c2, double *ggates,
                        double *gc);
void gru_cell_f64(int64_t n, int64_t size, const double *gi, const double *gh, const double *h,
                  double *h2, double *act);
void gru_cell_grad_f64(int64_t n, int64_t size, const double *g, const double *act, const double *h,
                       double *ggi, double *ggh, double *gh_before);
int rnn_f64(int64_t steps, int64_t n, int64_t size, const double *a, const double *w,
            const double *h0, int relu, double *h);
int rnn_grad_f64(int64_t steps, int64_t n, int64_t size, const double *g, const double *h,
                 const double *w, const double *h0, int relu, double *ga, double *gw, double *gh0);
int lstm_f64(int64_t steps, int64_t n, int64_t size, const double *a, const double *w,
             const double *h0, const double *c0, double *h, double *last, double *c, double *act);
int lstm_grad_f64(int64_t steps, int64_t n, int64_t size, const double *g, const double *gc,
                  const double *h, const double *c, const double *act, const double *w,
                  const double *h0, const double *c0, double *ga, double *gw, double *gh0,
                  double *gc0);
int gru_f64(int64_t steps, int64_t n, int64_t size, const double *a, const double *w,
            const double *b, const double *h0, double *h, double *act);
int gru_grad_f64(int64_t steps, int64_t n, int64_t size, const double *g, const double *h,
                 const double *act, const double *w, const double *h0, double *ga, double *gu,
                 double *gw, double *gh0);
