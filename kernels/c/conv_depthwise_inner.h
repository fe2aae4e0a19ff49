/* Depthwise convolution (conv_depthwise.c) for one type, named as in vector_type_inner.h. */

typedef struct {
    const ConvShape *s;
    Copy copy;
    int64_t elements, taps, turned;
    int32_t offset[MOST_TAPS];
    REAL *y;
    const REAL *x, *w, *b;
    int activation, failed;
} F(Depthwise);

/* One vector of four rows of results. */
INLINE void F(four_rows)(VEC acc[ROWS], const REAL *RESTRICT x, const REAL *RESTRICT w, REAL bias,
                         const int32_t *RESTRICT offset, int64_t taps, int64_t width) {
    for (int r = 0; r < ROWS; r++) acc[r] = bias - (VEC){0};
    for (int64_t t = 0; t < taps; t++) {
        VEC a = w[t] - (VEC){0};
        for (int r = 0; r < ROWS; r++) acc[r] += a * LOAD(x + offset[t] + r * width);
    }
}

static void F(depthwise_plane)(REAL *y, const REAL *copy, const REAL *w, REAL bias,
                               const F(Depthwise) * d) {
    int64_t ow = d->s->ow, width = d->copy.width;
    for (int64_t i = 0; i < d->s->oh; i += ROWS) {
        int64_t rows = MIN(ROWS, d->s->oh - i);
        for (int64_t j = 0; j < ow; j += LANES) {
            if (j + LANES > ow && ow >= LANES) j = ow - LANES; /* some a second time */
            VEC acc[ROWS];
            F(four_rows)(acc, copy + i * width + j, w, bias, d->offset, d->taps, width);
            for (int64_t r = 0; r < rows; r++) {
                REAL *to = y + (i + r) * ow + j;
                if (ow >= LANES)
                    STORE(to, acc[r]);
                else
                    memcpy(to, &acc[r], ow * sizeof(REAL));
            }
        }
    }
}

static void F(depthwise_planes)(void *context, int64_t begin, int64_t end) {
    F(Depthwise) *d = context;
    const ConvShape *s = d->s;
    int64_t each = s->o / s->groups, size = s->h * s->w;
    REAL *copy = workspace(0, d->elements * sizeof(REAL)), turned[MOST_TAPS];
    if (!copy) {
        d->failed = -1;
        return;
    }
    for (int64_t plane = begin; plane < end; plane++) {
        F(copy_image)(copy, d->x + plane * size, d->x + s->n * s->c * size, &d->copy);
        for (int64_t m = 0; m < each; m++) {
            int64_t output = plane % s->c * each + m;
            const REAL *w = d->w + output * d->taps;
            for (int64_t t = 0; d->turned && t < d->taps; t++) turned[t] = w[d->taps - 1 - t];
            REAL *y = d->y + (plane * each + m) * s->oh * s->ow;
            F(depthwise_plane)(y, copy, d->turned ? turned : w, d->b ? d->b[output] : 0, d);
            Finish finish = {.activation = d->activation};
            if (finish.activation) F(gemm_finish)(&finish, 1, s->oh * s->ow, y, s->oh * s->ow);
        }
    }
}

static int F(run_depthwise)(F(Depthwise) * d) {
    const ConvShape *s = d->s;
    d->elements = plan_copy(&d->copy, s, sizeof(REAL));
    d->taps = place_depthwise_taps(d->offset, s, &d->copy);
    parallel_for(F(depthwise_planes), d, s->n * s->c, MAX(1, CHUNK / (s->oh * s->ow)));
    return d->failed;
}

int F(depthwise)(REAL *y, const REAL *x, const REAL *w, const REAL *b, int activation,
                 const ConvShape *s) {
    F(Depthwise) d = {.s = s, .y = y, .x = x, .w = w, .b = b, .activation = activation};
    return F(run_depthwise)(&d);
}

/* For stride 1 and as many outputs as channels: the same with the windows turned. */
int F(depthwise_input_grad)(REAL *gx, const REAL *g, const REAL *w, const ConvShape *s) {
    ConvShape back = *s;
    back.h = s->oh, back.w = s->ow, back.oh = s->h, back.ow = s->w;
    back.top = (s->k - 1) * s->dy - s->top, back.left = (s->l - 1) * s->dx - s->left;
    F(Depthwise) d = {.s = &back, .y = gx, .x = g, .w = w, .turned = 1};
    return F(run_depthwise)(&d);
}

/* sums[t] += g . (x from tap t on), vector by vector; lanes beyond a row's end do not count. */
INLINE void F(add_rows)(VEC *sums, const REAL *RESTRICT g, const REAL *RESTRICT copy,
                        const F(Depthwise) * d, int64_t first_tap, const int taps) {
    const int32_t *RESTRICT offset = d->offset + first_tap;
    int64_t ow = d->s->ow, width = d->copy.width;
    VEC acc[9];
    VEC_INT inside; /* the lanes of a row's last vector that belong to it */
    for (int64_t k = 0; k < LANES; k++) inside[k] = k < ow % LANES ? -1 : 0;
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) acc[t] = sums[t];
    for (int64_t i = 0; i < d->s->oh; i++, g += ow, copy += width) {
        int64_t j = 0;
        for (; j + LANES <= ow; j += LANES) {
            VEC line = LOAD(g + j);
#pragma GCC unroll 9
            for (int t = 0; t < taps; t++) acc[t] += line * LOAD(copy + offset[t] + j);
        }
        if (j == ow) continue;
        REAL rest[LANES] = {0};
        memcpy(rest, g + j, (ow - j) * sizeof(REAL));
        VEC line = LOAD(rest);
#pragma GCC unroll 9
        for (int t = 0; t < taps; t++)
            acc[t] += (VEC)((VEC_INT)(line * LOAD(copy + offset[t] + j)) & inside);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) sums[t] = acc[t];
}

static void F(depthwise_weights)(void *context, int64_t begin, int64_t end) {
    F(Depthwise) *d = context;
    const ConvShape *s = d->s;
    int64_t each = s->o / s->groups, size = s->h * s->w;
    REAL *copy = workspace(0, d->elements * sizeof(REAL));
    if (!copy) {
        d->failed = -1;
        return;
    }
    for (int64_t output = begin; output < end; output++) {
        VEC sums[MOST_TAPS] = {0};
        for (int64_t n = 0; n < s->n; n++) {
            const REAL *x = d->x + (n * s->c + output / each) * size;
            const REAL *g = d->b + (n * s->o + output) * s->oh * s->ow;
            F(copy_image)(copy, x, d->x + s->n * s->c * size, &d->copy);
            int64_t t = 0;
            for (; t + 9 <= d->taps; t += 9) F(add_rows)(sums + t, g, copy, d, t, 9);
            for (; t + 3 <= d->taps; t += 3) F(add_rows)(sums + t, g, copy, d, t, 3);
            for (; t < d->taps; t++) F(add_rows)(sums + t, g, copy, d, t, 1);
        }
        for (int64_t t = 0; t < d->taps; t++) {
            REAL total = 0;
            for (int k = 0; k < LANES; k++) total += sums[t][k];
            d->y[output * d->taps + t] = total;
        }
    }
}

int F(depthwise_weight_grad)(REAL *gw, const REAL *x, const REAL *g, const ConvShape *s) {
    F(Depthwise) d = {.s = s, .y = gw, .x = x, .b = g};
    d.elements = plan_copy(&d.copy, s, sizeof(REAL));
    d.taps = place_depthwise_taps(d.offset, s, &d.copy);
    parallel_for(F(depthwise_weights), &d, s->o, MAX(1, CHUNK / (s->n * s->oh * s->ow)));
    return d.failed;
}
