/* The lines of softmax.c for one type: T, its vector V of N lanes, IN_VECTORS(f) f on vectors.
 *
 * A line is contiguous, taken a vector at a time, the lanes combined in the end; or with `across`
 * N lines (or `width` of them) beside each other are taken together, `stride` apart from one
 * element to the next, and no lanes are combined.
 */
#define LOAD IN_VECTORS(load_part)
#define STORE IN_VECTORS(store_part)
#define SPLAT IN_VECTORS(splat)
#define LEFT (across ? width : length - k * N)
#define EACH for (int64_t k = 0, at = 0; k < count; k++, at += step)

INLINE V NAME(max_of_line)(const T *x, int64_t length) {
    V m[4] = {SPLAT(-INFINITY), SPLAT(-INFINITY), SPLAT(-INFINITY), SPLAT(-INFINITY)};
    int64_t i = 0;
    for (; i + 4 * N <= length; i += 4 * N)
        for (int k = 0; k < 4; k++)
            m[k] = IN_VECTORS(max)(m[k], LOAD(x + i + k * N, N, -INFINITY));
    for (; i < length; i += N) m[0] = IN_VECTORS(max)(m[0], LOAD(x + i, length - i, -INFINITY));
    V all = IN_VECTORS(max)(IN_VECTORS(max)(m[0], m[1]), IN_VECTORS(max)(m[2], m[3]));
    T lane[N];
    memcpy(lane, &all, sizeof lane);
    for (int half = N / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] = MAX(lane[i], lane[i + half]);
    return SPLAT(lane[0]);
}

/* Softmax, or with `log` its logarithm. Gives back the maxima, and the sums of e^(x - maximum). A
 * nan that the maximum passed over comes back with the sum. */
INLINE void NAME(normalise)(T *out, const T *x, int64_t length, int64_t stride, int64_t width,
                            int across, int log, V *maximum, V *sum) {
    const int64_t count = across ? length : (length + N - 1) / N, step = across ? stride : N;
    V m = SPLAT(-INFINITY), s = {0};
    if (across) EACH m = IN_VECTORS(max)(m, LOAD(x + at, width, -INFINITY));
    else m = NAME(max_of_line)(x, length);
    EACH {
        const V e = IN_VECTORS(exp)(LOAD(x + at, LEFT, -INFINITY) - m);
        if (!log) STORE(out + at, e, LEFT);
        s += e;
    }
    if (!across) s = SPLAT(IN_VECTORS(sum_lanes)(s));
    *maximum = m;
    *sum = s;
    if (log) {
        const V shift = IN_VECTORS(log)(s);
        EACH STORE(out + at, LOAD(x + at, LEFT, 0) - m - shift, LEFT);
    } else {
        const V over = 1 / s;
        EACH STORE(out + at, LOAD(out + at, LEFT, 0) * over, LEFT);
    }
}

/* gx = y (g - sum(g y)), or with `log` gx = g - e^y sum(g). */
INLINE void NAME(normalise_grad)(T *out, const T *g, const T *y, int64_t length, int64_t stride,
                                 int64_t width, int across, int log) {
    const int64_t count = across ? length : (length + N - 1) / N, step = across ? stride : N;
    V s = {0};
    EACH s += LOAD(g + at, LEFT, 0) * (log ? SPLAT(1) : LOAD(y + at, LEFT, 0));
    if (!across) s = SPLAT(IN_VECTORS(sum_lanes)(s));
    EACH {
        const V a = LOAD(g + at, LEFT, 0), b = LOAD(y + at, LEFT, 0);
        if (log) STORE(out + at, a - IN_VECTORS(exp)(b) * s, LEFT);
        else STORE(out + at, b * (a - s), LEFT);
    }
}

typedef struct {
    int what;
    T *out;
    const T *a, *b;
    int64_t length, inner, blocks; /* blocks of N lines beside each other */
} NAME(Lines);

INLINE void NAME(one)(const NAME(Lines) *w, int64_t at, int64_t width, int across) {
    T *out = w->out + at;
    const T *a = w->a + at;
    V m, s;
    const int log = w->what == LOG_SOFTMAX || w->what == LOG_SOFTMAX_GRAD;
    if (w->what == SOFTMAX || w->what == LOG_SOFTMAX)
        NAME(normalise)(out, a, w->length, w->inner, width, across, log, &m, &s);
    else
        NAME(normalise_grad)(out, a, w->b + at, w->length, w->inner, width, across, log);
}

/* Rows x (rows, length) as the lanes of vectors: block (length, N), 0 where there is no row. */
INLINE void NAME(into_lanes)(T *block, const T *x, int64_t rows, int64_t length) {
    if (rows < N) memset(block, 0, (size_t)(length * N) * sizeof(T));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < length; k++) block[k * N + i] = x[i * length + k];
}

INLINE void NAME(from_lanes)(T *x, const T *block, int64_t rows, int64_t length) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < length; k++) x[i * length + k] = block[k * N + i];
}

static void NAME(short_lines)(const NAME(Lines) *w, int64_t first, int64_t rows) {
    T out[SHORT * N], a[SHORT * N], b[SHORT * N];
    NAME(Lines) lanes = *w;
    lanes.out = out, lanes.a = a, lanes.b = b, lanes.inner = N;
    NAME(into_lanes)(a, w->a + first * w->length, rows, w->length);
    if (w->b) NAME(into_lanes)(b, w->b + first * w->length, rows, w->length);
    NAME(one)(&lanes, 0, N, 1);
    NAME(from_lanes)(w->out + first * w->length, out, rows, w->length);
}

static void NAME(some_lines)(void *context, int64_t begin, int64_t end) {
    const NAME(Lines) *w = context;
    if (w->inner == 1 && w->length <= SHORT) {
        for (int64_t i = begin; i < end; i += N) NAME(short_lines)(w, i, MIN(N, end - i));
        return;
    }
    if (w->inner == 1) {
        for (int64_t i = begin; i < end; i++) NAME(one)(w, i * w->length, N, 0);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i % w->blocks * N;
        NAME(one)(w, i / w->blocks * w->length * w->inner + first, MIN(N, w->inner - first), 1);
    }
}

static void NAME(all_lines)(NAME(Lines) w, int64_t outer) {
    w.blocks = w.inner == 1 ? 1 : (w.inner + N - 1) / N;
    const int64_t lines = outer * w.blocks, length = w.length * (w.inner == 1 ? 1 : N);
    parallel_for(NAME(some_lines), &w, lines, lines_per_chunk(lines, length));
}

void NAME(softmax)(T *out, const T *x, int64_t outer, int64_t length, int64_t inner) {
    NAME(all_lines)((NAME(Lines)){SOFTMAX, out, x, NULL, length, inner, 0}, outer);
}

void NAME(log_softmax)(T *out, const T *x, int64_t outer, int64_t length, int64_t inner) {
    NAME(all_lines)((NAME(Lines)){LOG_SOFTMAX, out, x, NULL, length, inner, 0}, outer);
}

void NAME(softmax_grad)(T *out, const T *g, const T *y, int64_t outer, int64_t length,
                        int64_t inner) {
    NAME(all_lines)((NAME(Lines)){SOFTMAX_GRAD, out, g, y, length, inner, 0}, outer);
}

void NAME(log_softmax_grad)(T *out, const T *g, const T *y, int64_t outer, int64_t length,
                            int64_t inner) {
    NAME(all_lines)((NAME(Lines)){LOG_SOFTMAX_GRAD, out, g, y, length, inner, 0}, outer);
}

/* Cross-entropy of rows. What the functions give back is n, or the place of a wrong label. */
typedef struct {
    T *losses, *out;
    const T *x, *g, *count; /* x: logits or, for the gradient, softmax; g: one, if `count`, or all */
    const int64_t *labels;
    int64_t classes, ignore;
} NAME(Entropy);

static void NAME(short_losses)(const NAME(Entropy) *w, int64_t first, int64_t rows) {
    T out[SHORT * N], x[SHORT * N];
    V m, s;
    NAME(into_lanes)(x, w->x + first * w->classes, rows, w->classes);
    NAME(normalise)(out, x, w->classes, N, N, 1, 0, &m, &s);
    NAME(from_lanes)(w->out + first * w->classes, out, rows, w->classes);
    const V log_sum = IN_VECTORS(log)(s);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t label = w->labels[first + i];
        w->losses[first + i] = label == w->ignore ? 0 : log_sum[i] - (x[label * N + i] - m[i]);
    }
}

static void NAME(some_losses)(void *context, int64_t begin, int64_t end) {
    const NAME(Entropy) *w = context;
    if (w->classes <= SHORT) {
        for (int64_t i = begin; i < end; i += N) NAME(short_losses)(w, i, MIN(N, end - i));
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        const int64_t label = w->labels[i];
        const T *x = w->x + i * w->classes;
        V m, s;
        NAME(normalise)(w->out + i * w->classes, x, w->classes, 1, N, 0, 0, &m, &s);
        w->losses[i] = label == w->ignore ? 0 : (T)log(s[0]) - (x[label] - m[0]);
    }
}

int64_t NAME(cross_entropy)(T *losses, T *p, const T *x, const int64_t *labels, int64_t n,
                            int64_t classes, int64_t ignore) {
    const int64_t bad = bad_label(labels, n, classes, ignore);
    if (bad) return bad;
    NAME(Entropy) w = {losses, p, x, NULL, NULL, labels, classes, ignore};
    parallel_for(NAME(some_losses), &w, n, lines_per_chunk(n, classes));
    return 0;
}

int64_t NAME(cross_entropy_mean)(T *mean, T *count, T *p, const T *x, const int64_t *labels,
                                 int64_t n, int64_t classes, int64_t ignore) {
    T *losses = workspace(0, (size_t)n * sizeof(T));
    if (!losses) return -1;
    const int64_t bad = NAME(cross_entropy)(losses, p, x, labels, n, classes, ignore);
    if (bad) return bad;
    double total = 0;
    int64_t counting = 0;
    for (int64_t i = 0; i < n; i++) {
        total += losses[i];
        counting += labels[i] != ignore;
    }
    *mean = (T)(total / (double)counting);
    *count = (T)counting;
    return 0;
}

static void NAME(some_entropy_grads)(void *context, int64_t begin, int64_t end) {
    const NAME(Entropy) *w = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t label = w->labels[i];
        const T *p = w->x + i * w->classes;
        T *out = w->out + i * w->classes;
        const T g = label == w->ignore ? 0 : w->count ? *w->g / *w->count : w->g[i];
        for (int64_t k = 0; k < w->classes; k += N) {
            const V hit = IN_VECTORS(alone)(g, label - k);
            STORE(out + k, LOAD(p + k, w->classes - k, 0) * g - hit, w->classes - k);
        }
    }
}

/* g (p - onehot): g for each row, or with `count` g / count for all. */
int64_t NAME(cross_entropy_grad)(T *out, const T *g, const T *count, const T *p,
                                 const int64_t *labels, int64_t n, int64_t classes,
                                 int64_t ignore) {
    const int64_t bad = bad_label(labels, n, classes, ignore);
    if (bad) return bad;
    NAME(Entropy) w = {NULL, out, p, g, count, labels, classes, ignore};
    parallel_for(NAME(some_entropy_grads), &w, n, lines_per_chunk(n, classes));
    return 0;
}

#undef LOAD
#undef STORE
#undef SPLAT
#undef LEFT
#undef EACH
