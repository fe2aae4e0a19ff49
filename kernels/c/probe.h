/* The machine's ceilings: loops that do nothing but multiply and add, or nothing but move. */
#pragma once
#include <stdint.h>
double etude_fma_flops(int64_t rounds);
double etude_triad(float *a, const float *b, const float *c, int64_t n);
