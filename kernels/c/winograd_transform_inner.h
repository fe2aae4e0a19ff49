/* The transforms of winograd.c on 16 tiles or outputs at a time, one in each lane. */
#pragma once

#include "winograd_points_inner.h"

/* columns[j], j < 6: element j of the rows of 16 tiles; each row is read to its eighth element. */
INLINE void load_columns(Lanes columns[8], const float *planes, const int64_t *at) {
#if VBYTES == 64
    typedef float Half __attribute__((vector_size(32), may_alias, aligned(4)));
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        Half low = *(const Half *)(planes + at[i]), high = *(const Half *)(planes + at[i + 8]);
        columns[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                             13, 14, 15);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 2) SWAP_LANES(columns[i], columns[i + 1], LOW_1, HIGH_1);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        if (!(i & 2)) SWAP_LANES(columns[i], columns[i + 2], LOW_2, HIGH_2);
#pragma GCC unroll 8
    for (int i = 0; i < 4; i++) SWAP_LANES(columns[i], columns[i + 4], LOW_4, HIGH_4);
#else
    for (int j = 0; j < 6; j++)
        for (int t = 0; t < GROUP; t++) columns[j][t] = planes[at[t] + j];
#endif
}

/* v[point] = B' x B of 16 tiles, `step` apart; the tiles' corners are at `at` in the planes. */
static void transform_input(float *v, int64_t step, const float *planes, const int64_t *at,
                            int64_t width) {
    Lanes rows[6][8], down[6], points[6][6];
    for (int i = 0; i < 6; i++) load_columns(rows[i], planes + i * width, at);
    for (int j = 0; j < 6; j++) {
        transform_six(down, rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]);
        for (int i = 0; i < 6; i++) points[i][j] = down[i];
    }
    for (int i = 0; i < 6; i++) {
        Lanes *p = points[i], across[6];
        transform_six(across, p[0], p[1], p[2], p[3], p[4], p[5]);
        for (int j = 0; j < 6; j++) *(Lanes *)(v + (i * 6 + j) * step) = across[j];
    }
}

/* taps[9 c + k][o]: the weights of 16 outputs from `first` on, zero beyond the last. */
static void gather_taps(const Winograd *d, float taps[][GROUP], int64_t first, int64_t channel,
                        int64_t channels) {
    int64_t outputs = MIN(GROUP, d->outputs - first);
    const float *from = d->weights + first * d->w_output + channel * d->w_channel;
    if (outputs == GROUP && channels == GROUP && !d->turned) {
        for (int64_t k = 0; k < 9; k++)
            transpose_16(taps[16 * k], GROUP, from + 16 * k, d->w_output);
        return;
    }
    const float *limit = d->weights + d->outputs * d->channels * 9;
    if (outputs == GROUP && d->turned) /* outputs lie 9 apart, and rows are read to 16 */
        for (; channels && from + 9 * GROUP + GROUP <= limit; channels--, from += d->w_channel) {
            float rows[GROUP][GROUP];
            transpose_16(rows[0], GROUP, from, 9);
            for (int64_t k = 0; k < 9; k++) memcpy(*taps++, rows[8 - k], sizeof rows[0]);
        }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t k = 0; k < 9; k++) {
            const float *tap = from + c * d->w_channel + (d->turned ? 8 - k : k);
            for (int64_t o = 0; o < outputs; o++) taps[9 * c + k][o] = tap[o * d->w_output];
            for (int64_t o = MAX(0, outputs); o < GROUP; o++) taps[9 * c + k][o] = 0;
        }
}

/* u[panel][point] = G w G' of 16 outputs and one channel; points are `step` apart. */
static void transform_weight(float *u, int64_t step, int64_t outputs, float taps[9][GROUP]) {
    Lanes down[6], points[6][3], across[6];
    for (int l = 0; l < 3; l++) {
        transform_three(down, *(LanesAnywhere *)taps[l], *(LanesAnywhere *)taps[3 + l],
                        *(LanesAnywhere *)taps[6 + l]);
        for (int i = 0; i < 6; i++) points[i][l] = down[i];
    }
    for (int i = 0; i < 6; i++) {
        transform_three(across, points[i][0], points[i][1], points[i][2]);
        for (int j = 0; j < 6; j++)
            for (int64_t o = 0; o < outputs; o += PANEL)
                memcpy(u + (o / PANEL * POINTS + i * 6 + j) * step, (float *)&across[j] + o,
                       PANEL * sizeof(float));
    }
}

/* Results of one tile, at most 4 x 4 of them. */
INLINE void put_tile(const Winograd *d, const float *results, int64_t tile, int64_t output) {
    int64_t row = tile / d->across, image = row / d->down;
    int64_t y = row % d->down * 4, x = tile % d->across * 4;
    int64_t rows = MIN(4, d->oh - y), columns = MIN(4, d->ow - x);
    float *to = d->y + ((image * d->outputs + output) * d->oh + y) * d->ow + x;
    if (columns == 4)
        for (int64_t i = 0; i < rows; i++) memcpy(to + i * d->ow, results + 4 * i, 16);
    else
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) to[i * d->ow + j] = results[4 * i + j];
}

/* y = f(A' m A + b) of 16 tiles from `first` on, for one output. Returns whether one of A' m A is
   not finite. */
static int put_tiles(const Winograd *d, const float *m, int64_t step, int64_t output,
                     int64_t first) {
    Lanes points[6][4], r[4], results[16];
    float tiles[GROUP][16] __attribute__((aligned(64)));
    float bias = d->b ? d->b[output] : 0;
    for (int i = 0; i < 6; i++) {
        const float *p = m + i * 6 * step;
#define POINT(j) *(const Lanes *)(p + (j) * step)
        transform_back(r, POINT(0), POINT(1), POINT(2), POINT(3), POINT(4), POINT(5));
#undef POINT
        for (int j = 0; j < 4; j++) points[i][j] = r[j];
    }
    Lanes strange = {0};
    for (int j = 0; j < 4; j++) {
        transform_back(r, points[0][j], points[1][j], points[2][j], points[3][j], points[4][j],
                       points[5][j]);
        for (int i = 0; i < 4; i++) {
            results[4 * i + j] = r[i] + bias;
            strange += r[i] * 0;
        }
    }
    Finish finish = {.activation = d->activation};
    if (finish.activation) gemm_finish_f32(&finish, 1, 256, (float *)results, 256);
    transpose_16(tiles[0], 16, (const float *)results, 16);
    int64_t count = MIN(GROUP, d->tiles - first);
    for (int64_t t = 0; t < count; t++) put_tile(d, tiles[t], first + t, output);
    float total = 0;
    for (int t = 0; t < GROUP; t++) total += strange[t];
    return total != 0;
}
