/* The cells, one row of `size` units at a time, for one type.
 *
 * The gates of a unit lie `size` apart in a row. A gate is a + u + b: the product of the input, the
 * product of the state, and its bias; b may be NULL, and u where a is the sum.
 */
#include "vector_type_inner.h"

#ifndef UNITS
/* All units of a row: whole vectors, whose width the compiler then knows, and what is left. */
#define UNITS(size, call)                                             \
    do {                                                              \
        int64_t j = 0, left = LANES;                                  \
        for (; j + LANES <= (size); j += LANES) call;                 \
        if ((left = (size) - j)) call;                                \
    } while (0)
#endif

typedef struct {
    const REAL *a, *u, *b;
} F(Gates);

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

INLINE VEC F(take_u)(const F(Gates) * gates, int64_t at, int64_t left) {
    VEC u = F(take)(gates->u + at, left);
    if (gates->b) u += F(take)(gates->b + at, left);
    return u;
}

INLINE VEC F(take_gate)(const F(Gates) * gates, int64_t at, int64_t left) {
    VEC a = F(take)(gates->a + at, left);
    if (gates->u) a += F(take_u)(gates, at, left);
    return a;
}

INLINE VEC F(through_sigmoid)(VEC g, VEC y) { return g * y * (1 - y); }
INLINE VEC F(through_tanh)(VEC g, VEC y) { return g * (1 - y * y); }

/* h' = tanh or relu of the gate. */
INLINE void F(rnn_units)(int64_t j, int64_t left, const F(Gates) * gates, int relu, REAL *h2) {
    VEC x = F(take_gate)(gates, j, left);
    x = relu ? (VEC)(~(x <= 0) & (VEC_INT)x) : F(vector_tanh)(x); /* nan stays */
    F(give)(h2 + j, x, left);
}

/* The gate gets gh + carried, through the function. */
INLINE void F(rnn_grad_units)(int64_t j, int64_t left, const REAL *g, const REAL *carried,
                              const REAL *h2, int relu, REAL *ga) {
    const VEC x = F(take)(g + j, left) + F(take)(carried + j, left), y = F(take)(h2 + j, left);
    F(give)(ga + j, relu ? (VEC)((y > 0) & (VEC_INT)x) : F(through_tanh)(x, y), left);
}

/* i, f, o = sigmoid, g = tanh;  c' = f c + i g. */
INLINE void F(lstm_units)(int64_t size, int64_t j, int64_t left, const F(Gates) * gates,
                          const REAL *c, REAL *c2, REAL *act) {
    const VEC i = F(vector_sigmoid)(F(take_gate)(gates, j, left));
    const VEC f = F(vector_sigmoid)(F(take_gate)(gates, size + j, left));
    const VEC g = F(vector_tanh)(F(take_gate)(gates, 2 * size + j, left));
    const VEC o = F(vector_sigmoid)(F(take_gate)(gates, 3 * size + j, left));
    F(give)(c2 + j, f * F(take)(c + j, left) + i * g, left);
    F(give)(act + j, i, left);
    F(give)(act + size + j, f, left);
    F(give)(act + 2 * size + j, g, left);
    F(give)(act + 3 * size + j, o, left);
}

/* h' = o tanh(c'), in a loop of its own: behind the gates it would be one long chain of
 * instructions, of which the processor has too few in sight to work on two units at a time. */
INLINE void F(lstm_out)(int64_t j, int64_t left, const REAL *o, const REAL *c2, REAL *h2) {
    F(give)(h2 + j, F(take)(o + j, left) * F(vector_tanh)(F(take)(c2 + j, left)), left);
}

/* With e = gc' + gh o (1 - tanh(c')^2): gc = e f; gates get e g, e c, e i, gh tanh(c'). */
INLINE void F(lstm_grad_units)(int64_t size, int64_t j, int64_t left, VEC gh, const REAL *gc2,
                               const REAL *act, const REAL *c, const REAL *c2, REAL *gates,
                               REAL *gc) {
    const VEC i = F(take)(act + j, left), f = F(take)(act + size + j, left);
    const VEC g = F(take)(act + 2 * size + j, left), o = F(take)(act + 3 * size + j, left);
    const VEC t = F(vector_tanh)(F(take)(c2 + j, left));
    const VEC e = F(take)(gc2 + j, left) + F(through_tanh)(gh * o, t);
    F(give)(gates + j, F(through_sigmoid)(e * g, i), left);
    F(give)(gates + size + j, F(through_sigmoid)(e * F(take)(c + j, left), f), left);
    F(give)(gates + 2 * size + j, F(through_tanh)(e * i, g), left);
    F(give)(gates + 3 * size + j, F(through_sigmoid)(gh * t, o), left);
    F(give)(gc + j, e * f, left);
}

/* r, z = sigmoid(a + u);  n = tanh(a_n + r u_n);  h' = n + z (h - n). */
INLINE void F(gru_units)(int64_t size, int64_t j, int64_t left, const F(Gates) * gates,
                         const REAL *h, REAL *h2, REAL *act) {
    const VEC r = F(vector_sigmoid)(F(take_gate)(gates, j, left));
    const VEC z = F(vector_sigmoid)(F(take_gate)(gates, size + j, left));
    const VEC u_n = F(take_u)(gates, 2 * size + j, left);
    const VEC n = F(vector_tanh)(F(take)(gates->a + 2 * size + j, left) + r * u_n);
    F(give)(h2 + j, n + z * (F(take)(h + j, left) - n), left);
    F(give)(act + j, r, left);
    F(give)(act + size + j, z, left);
    F(give)(act + 2 * size + j, n, left);
    F(give)(act + 3 * size + j, u_n, left);
}

/* h gets g z by itself; n gets g (1 - z), z gets g (h - n), and r what n gets, times u_n. */
INLINE void F(gru_grad_units)(int64_t size, int64_t j, int64_t left, VEC g, const REAL *act,
                              const REAL *h, REAL *ga, REAL *gu, REAL *gh) {
    const VEC r = F(take)(act + j, left), z = F(take)(act + size + j, left);
    const VEC n = F(take)(act + 2 * size + j, left), u_n = F(take)(act + 3 * size + j, left);
    const VEC keep = g * z, gn = F(through_tanh)(g - keep, n);
    const VEC gz = F(through_sigmoid)(g * (F(take)(h + j, left) - n), z);
    const VEC gr = F(through_sigmoid)(gn * u_n, r);
    F(give)(ga + j, gr, left);
    F(give)(ga + size + j, gz, left);
    F(give)(ga + 2 * size + j, gn, left);
    F(give)(gu + j, gr, left);
    F(give)(gu + size + j, gz, left);
    F(give)(gu + 2 * size + j, gn * r, left);
    F(give)(gh + j, keep, left);
}
