/* The weight gradient of few channels and outputs (conv_weight_few.c) for one type T. */

/* sums[o][l] += g[o][at ...] x[at + l ...], only in the lanes of `keep` if `part`. */
INLINE void NAME(few_step)(V sums[OUTPUTS][5], const T *x, const T *g, int64_t plane, BITS keep,
                           const int part, const int window) {
    V line[OUTPUTS];
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++) {
        line[o] = LOAD(g + o * plane);
        if (part) line[o] = (V)((BITS)line[o] & keep);
    }
#pragma GCC unroll 8
    for (int l = 0; l < window; l++) {
        V a = *(const volatile VU *)(x + l); /* once, not again for each product */
        if (part) a = (V)((BITS)a & keep);
#pragma GCC unroll 4
        for (int o = 0; o < OUTPUTS; o++) sums[o][l] += line[o] * a;
    }
}

/* Adds some rows' products to the sums of one row of the window, a vector for each sum. */
INLINE void NAME(few_rows)(T *sums, const T *x, const T *g, const Few *s, int64_t rows,
                           const int window) {
    const int64_t columns = s->shape->ow, plane = s->shape->oh * columns, width = s->copy.width;
    const int64_t whole = columns / LANES * LANES, last = columns - LANES;
    V acc[OUTPUTS][5];
    BIT lanes[LANES];
    BITS keep;
    for (int i = 0; i < LANES; i++) lanes[i] = last + i >= whole ? -1 : 0;
    memcpy(&keep, lanes, sizeof keep);
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++)
#pragma GCC unroll 8
        for (int l = 0; l < window; l++) acc[o][l] = LOAD(sums + (o * window + l) * LANES);
    for (int64_t i = 0; i < rows; i++, x += width, g += columns) {
        for (int64_t j = 0; j < whole; j += LANES)
            NAME(few_step)(acc, x + j, g + j, plane, keep, 0, window);
        if (whole < columns) NAME(few_step)(acc, x + last, g + last, plane, keep, 1, window);
    }
#pragma GCC unroll 4
    for (int o = 0; o < OUTPUTS; o++)
#pragma GCC unroll 8
        for (int l = 0; l < window; l++) STORE(sums + (o * window + l) * LANES, acc[o][l]);
}

static void NAME(few_rows_3)(T *sums, const T *x, const T *g, const Few *s, int64_t rows) {
    NAME(few_rows)(sums, x, g, s, rows, 3);
}

static void NAME(few_rows_5)(T *sums, const T *x, const T *g, const Few *s, int64_t rows) {
    NAME(few_rows)(sums, x, g, s, rows, 5);
}

/* One image's products; sums[c][k][block] are OUTPUTS x l vectors. */
static void NAME(few_image)(T *sums, const T *x, const T *g, const Few *s) {
    const ConvShape *c = s->shape;
    const int64_t tile = OUTPUTS * c->l * LANES;
    for (int64_t first = 0; first < c->oh; first += s->rows) {
        int64_t rows = MIN(s->rows, c->oh - first);
        T *to = sums;
        for (int64_t channel = 0; channel < c->c; channel++)
            for (int64_t k = 0; k < c->k; k++)
                for (int64_t block = 0; block < s->blocks; block++, to += tile) {
                    const T *from = x + channel * s->copy.channel + (first + k) * s->copy.width;
                    const T *by = g + (first_output(s, block) * c->oh + first) * c->ow;
                    (c->l == 3 ? NAME(few_rows_3) : NAME(few_rows_5))(to, from, by, s, rows);
                }
    }
}

/* The sum of each vector's lanes, to its weight's place. */
static void NAME(few_lanes)(T *gw, const T *sums, const Few *s) {
    const ConvShape *c = s->shape;
    for (int64_t line = 0; line < c->c * c->k; line++)
        for (int64_t block = 0; block < s->blocks; block++)
            for (int64_t o = 0; o < OUTPUTS; o++)
                for (int64_t l = 0; l < c->l; l++, sums += LANES) {
                    T total = 0;
                    for (int i = 0; i < LANES; i++) total += sums[i];
                    gw[((first_output(s, block) + o) * c->c * c->k + line) * c->l + l] = total;
                }
}

typedef struct {
    const Few *s;
    const T *x, *g;
    T *partial;
    int failed;
} NAME(FewGrad);

static void NAME(few_chunks)(void *context, int64_t begin, int64_t end) {
    NAME(FewGrad) *d = context;
    const Few *s = d->s;
    const ConvShape *c = s->shape;
    int64_t image = c->c * c->h * c->w, weights = c->o * c->c * c->k * c->l;
    int64_t bytes = s->blocks * OUTPUTS * c->c * c->k * c->l * sizeof(V);
    T *copy = workspace(0, s->copy_elements * sizeof(T)), *sums = workspace(1, bytes);
    if (!copy || !sums) {
        d->failed = -1;
        return;
    }
    for (int64_t chunk = begin; chunk < end; chunk++) {
        memset(sums, 0, bytes);
        for (int64_t n = chunk * s->images; n < MIN(c->n, (chunk + 1) * s->images); n++) {
            const T *x = d->x + n * image, *limit = d->x + c->n * image;
            if (!s->as_is) NAME(copy_image)(copy, x, limit, &s->copy);
            NAME(few_image)(sums, s->as_is ? x : copy, d->g + n * c->o * c->oh * c->ow, s);
        }
        NAME(few_lanes)(d->partial + chunk * weights, sums, s);
    }
}

/* 1 if the shape is for another way. */
int NAME(conv_weight_grad_few)(T *gw, const T *x, const T *g, const ConvShape *c) {
    if (!few_fit(c)) return 1;
    Few plan;
    plan_few(&plan, c, sizeof(T));
    int64_t weights = c->o * c->c * c->k * c->l;
    NAME(FewGrad) d = {.s = &plan, .x = x, .g = g};
    d.partial = workspace(2, plan.chunks * weights * sizeof(T));
    if (!d.partial) return -1;
    parallel_for(NAME(few_chunks), &d, plan.chunks, 1);
    if (d.failed) return d.failed;
    memcpy(gw, d.partial, weights * sizeof(T));
    for (int64_t chunk = 1; chunk < plan.chunks; chunk++)
        for (int64_t i = 0; i < weights; i++) gw[i] += d.partial[chunk * weights + i];
    return 0;
}
