/* sigmoid, tanh and gelu on vectors of either type: own ones for float (vmath_inner.h); for double
 * the C library's, number by number. */
#pragma once

#include "scalar_inner.h"
#include "vmath_more_inner.h"

INLINE vf vector_sigmoid_f32(vf x) { return sigmoid_f(x); }
INLINE vf vector_tanh_f32(vf x) { return tanh_f(x); }
INLINE vf vector_gelu_f32(vf x) { return gelu_f(x); }

INLINE vd vector_sigmoid_f64(vd x) {
    for (int i = 0; i < ND; i++) x[i] = sigmoid(x[i]);
    return x;
}

INLINE vd vector_tanh_f64(vd x) {
    for (int i = 0; i < ND; i++) x[i] = tanh(x[i]);
    return x;
}

INLINE vd vector_gelu_f64(vd x) {
    for (int i = 0; i < ND; i++) x[i] = 0.5 * x[i] * (1 + erf(x[i] * M_SQRT1_2));
    return x;
}
