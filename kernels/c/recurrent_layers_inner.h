/* RNN, LSTM and GRU over a sequence, for one type: what is done to a row of a step. */

static void F(rnn_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    const F(Gates) gates = {p->a + at, u, NULL};
    if (p->relu)
        UNITS(size, F(rnn_units)(j, left, &gates, 1, p->h + at));
    else
        UNITS(size, F(rnn_units)(j, left, &gates, 0, p->h + at));
}

static void F(rnn_grad_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    if (p->relu)
        UNITS(size, F(rnn_grad_units)(j, left, p->g + at, u, p->hs + at, 1, p->gu + at));
    else
        UNITS(size, F(rnn_grad_units)(j, left, p->g + at, u, p->hs + at, 0, p->gu + at));
}

static void F(lstm_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    const F(Gates) gates = {p->a + 4 * at, u, NULL};
    const REAL *c = t ? p->c + at - p->n * size : p->c0 + row * size;
    UNITS(size, F(lstm_units)(size, j, left, &gates, c, p->c + at, p->acts + 4 * at));
    UNITS(size, F(lstm_out)(j, left, p->acts + 4 * at + 3 * size, p->c + at, p->h + at));
}

static void F(lstm_grad_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    const REAL *c = t ? p->cs + at - p->n * size : p->c0 + row * size, *g = p->g + at;
    REAL *gc = p->gc + row * size;
    UNITS(size, F(lstm_grad_units)(size, j, left, F(take)(g + j, left) + F(take)(u + j, left), gc,
                                   p->act + 4 * at, c, p->cs + at, p->gu + 4 * at, gc));
}

static void F(gru_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    const F(Gates) gates = {p->a + 3 * at, u, p->b};
    const REAL *h = t ? p->h + at - p->n * size : p->h0 + row * size;
    UNITS(size, F(gru_units)(size, j, left, &gates, h, p->h + at, p->acts + 4 * at));
}

static void F(gru_grad_line)(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u) {
    const int64_t size = p->size, at = (t * p->n + row) * size;
    const REAL *h = t ? p->hs + at - p->n * size : p->h0 + row * size, *g = p->g + at;
    REAL *carried = p->carried + row * size;
    UNITS(size, F(gru_grad_units)(size, j, left, F(take)(g + j, left) + F(take)(u + j, left),
                                  p->act + 4 * at, h, p->ga + 3 * at, p->gu + 3 * at, carried));
}

int F(rnn)(int64_t steps, int64_t n, int64_t size, const REAL *a, const REAL *w, const REAL *h0,
           int relu, REAL *h) {
    return F(run)((F(Sequence)){.steps = steps, .n = n, .size = size, .gates = size, .a = a, .w = w,
                                .h0 = h0, .relu = relu, .h = h, .line = F(rnn_line)});
}

int F(lstm)(int64_t steps, int64_t n, int64_t size, const REAL *a, const REAL *w, const REAL *h0,
            const REAL *c0, REAL *h, REAL *last, REAL *c, REAL *act) {
    const int status = F(run)((F(Sequence)){
        .steps = steps, .n = n, .size = size, .gates = 4 * size, .a = a, .w = w, .h0 = h0, .c0 = c0,
        .h = h, .c = c, .acts = act, .line = F(lstm_line)});
    memcpy(last, c + (steps - 1) * n * size, sizeof(REAL) * n * size);
    return status;
}

int F(gru)(int64_t steps, int64_t n, int64_t size, const REAL *a, const REAL *w, const REAL *b,
           const REAL *h0, REAL *h, REAL *act) {
    return F(run)((F(Sequence)){.steps = steps, .n = n, .size = size, .gates = 3 * size, .a = a,
                                .w = w, .b = b, .h0 = h0, .h = h, .acts = act,
                                .line = F(gru_line)});
}

int F(rnn_grad)(int64_t steps, int64_t n, int64_t size, const REAL *g, const REAL *h, const REAL *w,
                const REAL *h0, int relu, REAL *ga, REAL *gw, REAL *gh0) {
    const F(Sequence) p = {.steps = steps, .n = n, .size = size, .gates = size, .g = g, .hs = h,
                           .w = w, .h0 = h0, .relu = relu, .gu = ga, .carried = gh0, .backward = 1,
                           .line = F(rnn_grad_line)};
    memset(gh0, 0, sizeof(REAL) * n * size);
    return F(run)(p) || F(weight_grad)(&p, gw) ? -1 : 0;
}

int F(lstm_grad)(int64_t steps, int64_t n, int64_t size, const REAL *g, const REAL *gc,
                 const REAL *h, const REAL *c, const REAL *act, const REAL *w, const REAL *h0,
                 const REAL *c0, REAL *ga, REAL *gw, REAL *gh0, REAL *gc0) {
    const F(Sequence) p = {.steps = steps, .n = n, .size = size, .gates = 4 * size, .g = g, .hs = h,
                           .cs = c, .act = act, .w = w, .h0 = h0, .c0 = c0, .gu = ga,
                           .carried = gh0, .gc = gc0, .backward = 1, .line = F(lstm_grad_line)};
    memset(gh0, 0, sizeof(REAL) * n * size);
    memcpy(gc0, gc, sizeof(REAL) * n * size);
    return F(run)(p) || F(weight_grad)(&p, gw) ? -1 : 0;
}

int F(gru_grad)(int64_t steps, int64_t n, int64_t size, const REAL *g, const REAL *h,
                const REAL *act, const REAL *w, const REAL *h0, REAL *ga, REAL *gu, REAL *gw,
                REAL *gh0) {
    const F(Sequence) p = {.steps = steps, .n = n, .size = size, .gates = 3 * size, .g = g, .hs = h,
                           .act = act, .w = w, .h0 = h0, .ga = ga, .gu = gu, .carried = gh0,
                           .backward = 1, .add = 1, .line = F(gru_grad_line)};
    memset(gh0, 0, sizeof(REAL) * n * size);
    return F(run)(p) || F(weight_grad)(&p, gw) ? -1 : 0;
}
