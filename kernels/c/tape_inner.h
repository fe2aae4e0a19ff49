/* What a tape is made of: words, and for each kernel a function that takes its arguments from them.
 *
 * extensions.py writes these functions from the prototypes, one line each:
 *     static int64_t call_conv_f32(const Word *w) {
 *         return conv_f32(w[0].p, w[1].p, w[2].p, w[3].p, w[4].p);
 *     }
 */
#pragma once

#include <stdint.h>

typedef union {
    void *p;
    int64_t i;
    double d;
} Word;

typedef int64_t Call(const Word *arguments); /* 0, or what a kernel says that refuses */

extern Call *const TAPE_CALLS[];
extern const char TAPE_SIGNATURES[];
