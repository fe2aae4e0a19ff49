/* Depthwise convolution (conv_depthwise.c) for one type T with vectors V. */

typedef struct {
    const ConvShape *s;
    Copy copy;
    int64_t elements, taps, turned;
    int32_t offset[MOST_TAPS];
    T *y;
    const T *x, *w, *b;
    int activation, failed;
} NAME(Depthwise);

/* One vector of four rows of results. */
INLINE void NAME(four_rows)(V acc[ROWS], const T *RESTRICT x, const T *RESTRICT w, T bias,
                            const int32_t *RESTRICT offset, int64_t taps, int64_t width) {
    for (int r = 0; r < ROWS; r++) acc[r] = bias - (V){0};
    for (int64_t t = 0; t < taps; t++) {
        V a = w[t] - (V){0};
        for (int r = 0; r < ROWS; r++) acc[r] += a * LOAD(x + offset[t] + r * width);
    }
}

static void NAME(depthwise_plane)(T *y, const T *copy, const T *w, T bias,
                                  const NAME(Depthwise) * d) {
    int64_t ow = d->s->ow, width = d->copy.width;
    for (int64_t i = 0; i < d->s->oh; i += ROWS) {
        int64_t rows = MIN(ROWS, d->s->oh - i);
        for (int64_t j = 0; j < ow; j += LANES) {
            if (j + LANES > ow && ow >= LANES) j = ow - LANES; /* some a second time */
            V acc[ROWS];
            NAME(four_rows)(acc, copy + i * width + j, w, bias, d->offset, d->taps, width);
            for (int64_t r = 0; r < rows; r++) {
                T *to = y + (i + r) * ow + j;
                if (ow >= LANES)
                    STORE(to, acc[r]);
                else
                    memcpy(to, &acc[r], ow * sizeof(T));
            }
        }
    }
}

static void NAME(depthwise_planes)(void *context, int64_t begin, int64_t end) {
    NAME(Depthwise) *d = context;
    const ConvShape *s = d->s;
    int64_t each = s->o / s->groups, size = s->h * s->w;
    T *copy = workspace(0, d->elements * sizeof(T)), turned[MOST_TAPS];
    if (!copy) {
        d->failed = -1;
        return;
    }
    for (int64_t plane = begin; plane < end; plane++) {
        NAME(copy_image)(copy, d->x + plane * size, d->x + s->n * s->c * size, &d->copy);
        for (int64_t m = 0; m < each; m++) {
            int64_t output = plane % s->c * each + m;
            const T *w = d->w + output * d->taps;
            for (int64_t t = 0; d->turned && t < d->taps; t++) turned[t] = w[d->taps - 1 - t];
            T *y = d->y + (plane * each + m) * s->oh * s->ow;
            NAME(depthwise_plane)(y, copy, d->turned ? turned : w, d->b ? d->b[output] : 0, d);
            Finish finish = {.activation = d->activation};
            if (finish.activation) NAME(gemm_finish)(&finish, 1, s->oh * s->ow, y, s->oh * s->ow);
        }
    }
}

static int NAME(run_depthwise)(NAME(Depthwise) * d) {
    const ConvShape *s = d->s;
    d->elements = plan_copy(&d->copy, s, sizeof(T));
    d->taps = place_depthwise_taps(d->offset, s, &d->copy);
    parallel_for(NAME(depthwise_planes), d, s->n * s->c, MAX(1, CHUNK / (s->oh * s->ow)));
    return d->failed;
}

int NAME(depthwise)(T *y, const T *x, const T *w, const T *b, int activation, const ConvShape *s) {
    NAME(Depthwise) d = {.s = s, .y = y, .x = x, .w = w, .b = b, .activation = activation};
    return NAME(run_depthwise)(&d);
}

/* For stride 1 and as many outputs as channels: the same with the windows turned. */
int NAME(depthwise_input_grad)(T *gx, const T *g, const T *w, const ConvShape *s) {
    ConvShape back = *s;
    back.h = s->oh, back.w = s->ow, back.oh = s->h, back.ow = s->w;
    back.top = (s->k - 1) * s->dy - s->top, back.left = (s->l - 1) * s->dx - s->left;
    NAME(Depthwise) d = {.s = &back, .y = gx, .x = g, .w = w, .turned = 1};
    return NAME(run_depthwise)(&d);
}

/* sums[t] += g . (x from tap t on), vector by vector; lanes beyond a row's end do not count. */
INLINE void NAME(add_rows)(V *sums, const T *RESTRICT g, const T *RESTRICT copy,
                           const NAME(Depthwise) * d, int64_t first_tap, const int taps) {
    const int32_t *RESTRICT offset = d->offset + first_tap;
    int64_t ow = d->s->ow, width = d->copy.width;
    V acc[9];
    BITS inside; /* the lanes of a row's last vector that belong to it */
    for (int64_t k = 0; k < LANES; k++) inside[k] = k < ow % LANES ? -1 : 0;
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) acc[t] = sums[t];
    for (int64_t i = 0; i < d->s->oh; i++, g += ow, copy += width) {
        int64_t j = 0;
        for (; j + LANES <= ow; j += LANES) {
            V line = LOAD(g + j);
#pragma GCC unroll 9
            for (int t = 0; t < taps; t++) acc[t] += line * LOAD(copy + offset[t] + j);
        }
        if (j == ow) continue;
        T rest[LANES] = {0};
        memcpy(rest, g + j, (ow - j) * sizeof(T));
        V line = LOAD(rest);
#pragma GCC unroll 9
        for (int t = 0; t < taps; t++)
            acc[t] += (V)((BITS)(line * LOAD(copy + offset[t] + j)) & inside);
    }
#pragma GCC unroll 9
    for (int t = 0; t < taps; t++) sums[t] = acc[t];
}

static void NAME(depthwise_weights)(void *context, int64_t begin, int64_t end) {
    NAME(Depthwise) *d = context;
    const ConvShape *s = d->s;
    int64_t each = s->o / s->groups, size = s->h * s->w;
    T *copy = workspace(0, d->elements * sizeof(T));
    if (!copy) {
        d->failed = -1;
        return;
    }
    for (int64_t output = begin; output < end; output++) {
        V sums[MOST_TAPS] = {0};
        for (int64_t n = 0; n < s->n; n++) {
            const T *x = d->x + (n * s->c + output / each) * size;
            const T *g = d->b + (n * s->o + output) * s->oh * s->ow;
            NAME(copy_image)(copy, x, d->x + s->n * s->c * size, &d->copy);
            int64_t t = 0;
            for (; t + 9 <= d->taps; t += 9) NAME(add_rows)(sums + t, g, copy, d, t, 9);
            for (; t + 3 <= d->taps; t += 3) NAME(add_rows)(sums + t, g, copy, d, t, 3);
            for (; t < d->taps; t++) NAME(add_rows)(sums + t, g, copy, d, t, 1);
        }
        for (int64_t t = 0; t < d->taps; t++) {
            T total = 0;
            for (int k = 0; k < LANES; k++) total += sums[t][k];
            d->y[output * d->taps + t] = total;
        }
    }
}

int NAME(depthwise_weight_grad)(T *gw, const T *x, const T *g, const ConvShape *s) {
    NAME(Depthwise) d = {.s = s, .y = gw, .x = x, .b = g};
    d.elements = plan_copy(&d.copy, s, sizeof(T));
    d.taps = place_depthwise_taps(d.offset, s, &d.copy);
    parallel_for(NAME(depthwise_weights), &d, s->o, MAX(1, CHUNK / (s->n * s->oh * s->ow)));
    return d.failed;
}
