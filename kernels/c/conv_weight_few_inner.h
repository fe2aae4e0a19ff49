/* The weight gradient of few channels and outputs (conv_weight_few.c) for one type, named as in
   vector_type_inner.h. */

/* sums[o][l] += g[o][at ...] x[at + l ...], only in the lanes of `keep` if `part`. */
INLINE void F(few_step)(VEC sums[OUTPUTS][5], const REAL *x, const REAL *g, int64_t plane,
                        VEC_INT keep, const int part, const int window) {
    VEC line[OUTPUTS];
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++) {
        line[o] = LOAD(g + o * plane);
        if (part) line[o] = (VEC)((VEC_INT)line[o] & keep);
    }
#pragma GCC unroll 8
    for (int l = 0; l < window; l++) {
        VEC a = *(const volatile VECU *)(x + l); /* once, not again for each product */
        if (part) a = (VEC)((VEC_INT)a & keep);
#pragma GCC unroll 4
        for (int o = 0; o < OUTPUTS; o++) sums[o][l] += line[o] * a;
    }
}

/* Adds some rows' products to the sums of one row of the window, a vector for each sum. */
INLINE void F(few_rows)(REAL *sums, const REAL *x, const REAL *g, const Few *s, int64_t rows,
                        const int window) {
    const int64_t columns = s->shape->ow, plane = s->shape->oh * columns, width = s->copy.width;
    const int64_t whole = columns / LANES * LANES, last = columns - LANES;
    VEC acc[OUTPUTS][5];
    INT lanes[LANES];
    VEC_INT keep;
    for (int i = 0; i < LANES; i++) lanes[i] = last + i >= whole ? -1 : 0;
    memcpy(&keep, lanes, sizeof keep);
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++)
#pragma GCC unroll 8
        for (int l = 0; l < window; l++) acc[o][l] = LOAD(sums + (o * window + l) * LANES);
    for (int64_t i = 0; i < rows; i++, x += width, g += columns) {
        for (int64_t j = 0; j < whole; j += LANES)
            F(few_step)(acc, x + j, g + j, plane, keep, 0, window);
        if (whole < columns) F(few_step)(acc, x + last, g + last, plane, keep, 1, window);
    }
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++)
#pragma GCC unroll 8
        for (int l = 0; l < window; l++) STORE(sums + (o * window + l) * LANES, acc[o][l]);
}

static void F(few_rows_3)(REAL *sums, const REAL *x, const REAL *g, const Few *s, int64_t rows) {
    F(few_rows)(sums, x, g, s, rows, 3);
}

static void F(few_rows_5)(REAL *sums, const REAL *x, const REAL *g, const Few *s, int64_t rows) {
    F(few_rows)(sums, x, g, s, rows, 5);
}

/* One image's products; sums[c][k][block] are OUTPUTS x l vectors. */
static void F(few_image)(REAL *sums, const REAL *x, const REAL *g, const Few *s) {
    const ConvShape *c = s->shape;
    const int64_t tile = OUTPUTS * c->l * LANES;
    for (int64_t first = 0; first < c->oh; first += s->rows) {
        int64_t rows = MIN(s->rows, c->oh - first);
        REAL *to = sums;
        for (int64_t channel = 0; channel < c->c; channel++)
            for (int64_t k = 0; k < c->k; k++)
                for (int64_t block = 0; block < s->blocks; block++, to += tile) {
                    const REAL *from = x + channel * s->copy.channel + (first + k) * s->copy.width;
                    const REAL *by = g + (first_output(s, block) * c->oh + first) * c->ow;
                    (c->l == 3 ? F(few_rows_3) : F(few_rows_5))(to, from, by, s, rows);
                }
    }
}

/* The sum of each vector's lanes, to its weight's place. */
static void F(few_lanes)(REAL *gw, const REAL *sums, const Few *s) {
    const ConvShape *c = s->shape;
    for (int64_t line = 0; line < c->c * c->k; line++)
        for (int64_t block = 0; block < s->blocks; block++)
            for (int64_t o = 0; o < OUTPUTS; o++)
                for (int64_t l = 0; l < c->l; l++, sums += LANES) {
                    REAL total = 0;
                    for (int i = 0; i < LANES; i++) total += sums[i];
                    gw[((first_output(s, block) + o) * c->c * c->k + line) * c->l + l] = total;
                }
}

typedef struct {
    const Few *s;
    const REAL *x, *g;
    REAL *partial;
    int failed;
} F(FewGrad);

static void F(few_chunks)(void *context, int64_t begin, int64_t end) {
    F(FewGrad) *d = context;
    const Few *s = d->s;
    const ConvShape *c = s->shape;
    int64_t image = c->c * c->h * c->w, weights = c->o * c->c * c->k * c->l;
    int64_t bytes = s->blocks * OUTPUTS * c->c * c->k * c->l * sizeof(VEC);
    REAL *copy = workspace(0, s->copy_elements * sizeof(REAL)), *sums = workspace(1, bytes);
    if (!copy || !sums) {
        d->failed = -1;
        return;
    }
    for (int64_t chunk = begin; chunk < end; chunk++) {
        memset(sums, 0, bytes);
        for (int64_t n = chunk * s->images; n < MIN(c->n, (chunk + 1) * s->images); n++) {
            const REAL *x = d->x + n * image, *limit = d->x + c->n * image;
            if (!s->as_is) F(copy_image)(copy, x, limit, &s->copy);
            F(few_image)(sums, s->as_is ? x : copy, d->g + n * c->o * c->oh * c->ow, s);
        }
        F(few_lanes)(d->partial + chunk * weights, sums, s);
    }
}

/* 1 if the shape is for another way. */
int F(conv_weight_grad_few)(REAL *gw, const REAL *x, const REAL *g, const ConvShape *c) {
    if (!few_fit(c)) return 1;
    Few plan;
    plan_few(&plan, c, sizeof(REAL));
    int64_t weights = c->o * c->c * c->k * c->l;
    F(FewGrad) d = {.s = &plan, .x = x, .g = g};
    d.partial = workspace(2, plan.chunks * weights * sizeof(REAL));
    if (!d.partial) return -1;
    parallel_for(F(few_chunks), &d, plan.chunks, 1);
    if (d.failed) return d.failed;
    memcpy(gw, d.partial, weights * sizeof(REAL));
    for (int64_t chunk = 1; chunk < plan.chunks; chunk++)
        for (int64_t i = 0; i < weights; i++) gw[i] += d.partial[chunk * weights + i];
    return 0;
}
