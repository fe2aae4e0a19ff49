/* The cells of recurrent.c for one type. */
#include "vector_type_inner.h"

typedef struct {
    int64_t size;
    const REAL *in[5];
    REAL *out[3];
} F(Cell);

/* `count` numbers, at most LANES, as a vector; the rest is 0. */
INLINE VEC F(take)(const REAL *p, int64_t count) {
    if (count >= LANES) return *(const VECU *)p;
    VEC x = {0};
    memcpy(&x, p, sizeof(REAL) * count);
    return x;
}

INLINE void F(give)(REAL *p, VEC x, int64_t count) {
    if (count >= LANES)
        *(VECU *)p = x;
    else
        memcpy(p, &x, sizeof(REAL) * count);
}

INLINE VEC F(through_sigmoid)(VEC g, VEC y) { return g * y * (1 - y); }
INLINE VEC F(through_tanh)(VEC g, VEC y) { return g * (1 - y * y); }

/* i, f, o = sigmoid, g = tanh;  c' = f c + i g;  h' = o tanh(c'). */
INLINE void F(lstm_units)(const F(Cell) * p, int64_t row, int64_t j, int64_t left) {
    const int64_t h = p->size, wide = 4 * row * h + j, narrow = row * h + j;
    const REAL *gates = p->in[0] + wide;
    REAL *act = p->out[2] + wide;
    const VEC i = F(vector_sigmoid)(F(take)(gates, left));
    const VEC f = F(vector_sigmoid)(F(take)(gates + h, left));
    const VEC g = F(vector_tanh)(F(take)(gates + 2 * h, left));
    const VEC o = F(vector_sigmoid)(F(take)(gates + 3 * h, left));
    const VEC c2 = f * F(take)(p->in[1] + narrow, left) + i * g;
    F(give)(p->out[0] + narrow, o * F(vector_tanh)(c2), left);
    F(give)(p->out[1] + narrow, c2, left);
    F(give)(act, i, left);
    F(give)(act + h, f, left);
    F(give)(act + 2 * h, g, left);
    F(give)(act + 3 * h, o, left);
}

/* With e = gc' + gh o (1 - tanh(c')^2): gc = e f; gates get e g, e c, e i, gh tanh(c'). */
INLINE void F(lstm_grad_units)(const F(Cell) * p, int64_t row, int64_t j, int64_t left) {
    const int64_t h = p->size, wide = 4 * row * h + j, narrow = row * h + j;
    const REAL *act = p->in[2] + wide;
    REAL *gates = p->out[0] + wide;
    const VEC i = F(take)(act, left), f = F(take)(act + h, left);
    const VEC g = F(take)(act + 2 * h, left), o = F(take)(act + 3 * h, left);
    const VEC gh = F(take)(p->in[0] + narrow, left), c = F(take)(p->in[3] + narrow, left);
    const VEC t = F(vector_tanh)(F(take)(p->in[4] + narrow, left));
    const VEC e = F(take)(p->in[1] + narrow, left) + F(through_tanh)(gh * o, t);
    F(give)(gates, F(through_sigmoid)(e * g, i), left);
    F(give)(gates + h, F(through_sigmoid)(e * c, f), left);
    F(give)(gates + 2 * h, F(through_tanh)(e * i, g), left);
    F(give)(gates + 3 * h, F(through_sigmoid)(gh * t, o), left);
    F(give)(p->out[1] + narrow, e * f, left);
}

/* r, z = sigmoid(a + u);  n = tanh(a_n + r u_n);  h' = n + z (h - n). */
INLINE void F(gru_units)(const F(Cell) * p, int64_t row, int64_t j, int64_t left) {
    const int64_t h = p->size, wide = 3 * row * h + j, narrow = row * h + j;
    const REAL *a = p->in[0] + wide, *u = p->in[1] + wide;
    REAL *act = p->out[1] + 4 * row * h + j;
    const VEC r = F(vector_sigmoid)(F(take)(a, left) + F(take)(u, left));
    const VEC z = F(vector_sigmoid)(F(take)(a + h, left) + F(take)(u + h, left));
    const VEC u_n = F(take)(u + 2 * h, left);
    const VEC n = F(vector_tanh)(F(take)(a + 2 * h, left) + r * u_n);
    F(give)(p->out[0] + narrow, n + z * (F(take)(p->in[2] + narrow, left) - n), left);
    F(give)(act, r, left);
    F(give)(act + h, z, left);
    F(give)(act + 2 * h, n, left);
    F(give)(act + 3 * h, u_n, left);
}

/* h gets g z by itself; n gets g (1 - z), z gets g (h - n), and r what n gets, times u_n. */
INLINE void F(gru_grad_units)(const F(Cell) * p, int64_t row, int64_t j, int64_t left) {
    const int64_t h = p->size, wide = 3 * row * h + j, narrow = row * h + j;
    const REAL *act = p->in[1] + 4 * row * h + j;
    REAL *ga = p->out[0] + wide, *gu = p->out[1] + wide;
    const VEC r = F(take)(act, left), z = F(take)(act + h, left);
    const VEC n = F(take)(act + 2 * h, left), u_n = F(take)(act + 3 * h, left);
    const VEC g = F(take)(p->in[0] + narrow, left), keep = g * z;
    const VEC gn = F(through_tanh)(g - keep, n);
    const VEC gz = F(through_sigmoid)(g * (F(take)(p->in[2] + narrow, left) - n), z);
    const VEC gr = F(through_sigmoid)(gn * u_n, r);
    F(give)(ga, gr, left);
    F(give)(ga + h, gz, left);
    F(give)(ga + 2 * h, gn, left);
    F(give)(gu, gr, left);
    F(give)(gu + h, gz, left);
    F(give)(gu + 2 * h, gn * r, left);
    F(give)(p->out[2] + narrow, keep, left);
}

#define ROWS(units)                                                                          \
    static void F(units##_rows)(void *context, int64_t begin, int64_t end) {                 \
        const F(Cell) *p = context;                                                          \
        for (int64_t row = begin; row < end; row++)                                          \
            for (int64_t j = 0; j < p->size; j += LANES) F(units)(p, row, j, p->size - j);   \
    }
ROWS(lstm_units)
ROWS(lstm_grad_units)
ROWS(gru_units)
ROWS(gru_grad_units)
#undef ROWS

void F(lstm_cell)(int64_t n, int64_t size, const REAL *gates, const REAL *c, REAL *h2, REAL *c2,
                  REAL *act) {
    F(Cell) p = {size, {gates, c}, {h2, c2, act}};
    parallel_for(F(lstm_units_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(lstm_cell_grad)(int64_t n, int64_t size, const REAL *gh, const REAL *gc2, const REAL *act,
                       const REAL *c, const REAL *c2, REAL *ggates, REAL *gc) {
    F(Cell) p = {size, {gh, gc2, act, c, c2}, {ggates, gc}};
    parallel_for(F(lstm_grad_units_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(gru_cell)(int64_t n, int64_t size, const REAL *gi, const REAL *gh, const REAL *h, REAL *h2,
                 REAL *act) {
    F(Cell) p = {size, {gi, gh, h}, {h2, act}};
    parallel_for(F(gru_units_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(gru_cell_grad)(int64_t n, int64_t size, const REAL *g, const REAL *act, const REAL *h,
                      REAL *ggi, REAL *ggh, REAL *gh_before) {
    F(Cell) p = {size, {g, act, h}, {ggi, ggh, gh_before}};
    parallel_for(F(gru_grad_units_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}
