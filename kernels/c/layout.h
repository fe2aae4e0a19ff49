/* Copies between two ways of walking through memory (layout.c, layout_pad.c). */
#pragma once
#include <stdint.h>
void layout_copy(void *dst, int64_t dst_at, const void *src, int64_t src_at, int64_t item,
                 int64_t tiled, int64_t axes, const int64_t *plan);
void layout_pad(void *dst, const void *src, const void *value, int64_t item, int64_t axes,
                const int64_t *plan);
void layout_zero(void *dst, int64_t bytes);
