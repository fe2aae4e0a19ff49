/* One step of an LSTM and of a GRU after their matrix products: n rows of `size` units. */
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
void lstm_cell_f64(int64_t n, int64_t size, const double *gates, const double *c, double *h2,
                   double *c2, double *act);
void lstm_cell_grad_f64(int64_t n, int64_t size, const double *gh, const double *gc2,
                        const double *act, const double *c, const double *c2, double *ggates,
                        double *gc);
void gru_cell_f64(int64_t n, int64_t size, const double *gi, const double *gh, const double *h,
                  double *h2, double *act);
void gru_cell_grad_f64(int64_t n, int64_t size, const double *g, const double *act,
                       const double *h, double *ggi, double *ggh, double *gh_before);
