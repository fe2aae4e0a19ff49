/* The cells of recurrent.c for one type. */

typedef struct {
    int64_t size;
    const REAL *in[5];
    REAL *out[3];
} F(Cell);

static void F(lstm_rows)(void *context, int64_t begin, int64_t end) {
    const F(Cell) *p = context;
    const int64_t size = p->size;
    for (int64_t row = begin; row < end; row++) {
        const int64_t wide = 4 * row * size, narrow = row * size;
        const F(Gates) gates = {p->in[0] + wide, NULL, NULL};
        const REAL *o = p->out[2] + wide + 3 * size;
        UNITS(size, F(lstm_units)(size, j, left, &gates, p->in[1] + narrow, p->out[1] + narrow,
                                  p->out[2] + wide));
        UNITS(size, F(lstm_out)(j, left, o, p->out[1] + narrow, p->out[0] + narrow));
    }
}

static void F(lstm_grad_rows)(void *context, int64_t begin, int64_t end) {
    const F(Cell) *p = context;
    const int64_t size = p->size;
    for (int64_t row = begin; row < end; row++) {
        const int64_t wide = 4 * row * size, narrow = row * size;
        UNITS(size, F(lstm_grad_units)(size, j, left, F(take)(p->in[0] + narrow + j, left),
                                       p->in[1] + narrow, p->in[2] + wide, p->in[3] + narrow,
                                       p->in[4] + narrow, p->out[0] + wide, p->out[1] + narrow));
    }
}

static void F(gru_rows)(void *context, int64_t begin, int64_t end) {
    const F(Cell) *p = context;
    const int64_t size = p->size;
    for (int64_t row = begin; row < end; row++) {
        const int64_t wide = 3 * row * size, narrow = row * size;
        const F(Gates) gates = {p->in[0] + wide, p->in[1] + wide, NULL};
        UNITS(size, F(gru_units)(size, j, left, &gates, p->in[2] + narrow, p->out[0] + narrow,
                                 p->out[1] + 4 * row * size));
    }
}

static void F(gru_grad_rows)(void *context, int64_t begin, int64_t end) {
    const F(Cell) *p = context;
    const int64_t size = p->size;
    for (int64_t row = begin; row < end; row++) {
        const int64_t wide = 3 * row * size, narrow = row * size;
        UNITS(size, F(gru_grad_units)(size, j, left, F(take)(p->in[0] + narrow + j, left),
                                      p->in[1] + 4 * row * size, p->in[2] + narrow,
                                      p->out[0] + wide, p->out[1] + wide, p->out[2] + narrow));
    }
}

void F(lstm_cell)(int64_t n, int64_t size, const REAL *gates, const REAL *c, REAL *h2, REAL *c2,
                  REAL *act) {
    F(Cell) p = {size, {gates, c}, {h2, c2, act}};
    parallel_for(F(lstm_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(lstm_cell_grad)(int64_t n, int64_t size, const REAL *gh, const REAL *gc2, const REAL *act,
                       const REAL *c, const REAL *c2, REAL *ggates, REAL *gc) {
    F(Cell) p = {size, {gh, gc2, act, c, c2}, {ggates, gc}};
    parallel_for(F(lstm_grad_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(gru_cell)(int64_t n, int64_t size, const REAL *gi, const REAL *gh, const REAL *h, REAL *h2,
                 REAL *act) {
    F(Cell) p = {size, {gi, gh, h}, {h2, act}};
    parallel_for(F(gru_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}

void F(gru_cell_grad)(int64_t n, int64_t size, const REAL *g, const REAL *act, const REAL *h,
                      REAL *ggi, REAL *ggh, REAL *gh_before) {
    F(Cell) p = {size, {g, act, h}, {ggi, ggh, gh_before}};
    parallel_for(F(gru_grad_rows), &p, n, MAX(1, UNITS_PER_TASK / size));
}
