/* The rules of optim.c for one type T. */

static void NAME(sgd)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    (void)unit;
    T *p = at[0], *v = at[2];
    const T *g = at[1], lr = (T)s->lr, momentum = (T)s->momentum, share = (T)(1 - s->dampening);
    const T decay = (T)s->decay;
    const int nesterov = s->nesterov;
    INDEPENDENT for (int64_t i = 0; i < n; i++) {
        T step = decay != 0 ? g[i] + decay * p[i] : g[i];
        if (v) {
            const T velocity = momentum * v[i] + share * step;
            v[i] = velocity;
            step = nesterov ? step + momentum * velocity : velocity;
        }
        p[i] -= lr * step;
    }
}

static void NAME(adam)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    (void)unit;
    T *p = at[0], *m = at[2], *v = at[3];
    const T *gs = at[1], decay = (T)s->decay, shrink = (T)s->shrink, eps = (T)s->eps;
    const T keep1 = (T)s->beta1, keep2 = (T)s->beta2, rate = (T)s->rate;
    const T take1 = (T)(1 - s->beta1), take2 = (T)(1 - s->beta2), over = (T)(1 / s->root);
    INDEPENDENT for (int64_t i = 0; i < n; i++) {
        const T g = decay != 0 ? gs[i] + decay * p[i] : gs[i];
        const T mean = keep1 * m[i] + take1 * g, square = keep2 * v[i] + take2 * (g * g);
        m[i] = mean;
        v[i] = square;
        p[i] = shrink * p[i] - rate * (mean / (ROOT(square) * over + eps));
    }
}

static void NAME(rmsprop)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    (void)unit;
    T *p = at[0], *squares = at[2], *means = at[3], *v = at[4];
    const T *gs = at[1], decay = (T)s->decay, lr = (T)s->lr, eps = (T)s->eps;
    const T keep = (T)s->alpha, take = (T)(1 - s->alpha), momentum = (T)s->momentum;
    INDEPENDENT for (int64_t i = 0; i < n; i++) {
        const T g = decay != 0 ? gs[i] + decay * p[i] : gs[i];
        T spread = keep * squares[i] + take * (g * g);
        squares[i] = spread;
        if (means) {
            const T mean = keep * means[i] + take * g;
            means[i] = mean;
            spread -= mean * mean;
        }
        T step = g / (ROOT(spread) + eps);
        if (v) v[i] = step = momentum * v[i] + step;
        p[i] -= lr * step;
    }
}

static void NAME(adagrad)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    (void)unit;
    T *p = at[0], *totals = at[2];
    const T *gs = at[1], decay = (T)s->decay, lr = (T)s->lr, eps = (T)s->eps;
    INDEPENDENT for (int64_t i = 0; i < n; i++) {
        const T g = decay != 0 ? gs[i] + decay * p[i] : gs[i];
        const T total = totals[i] + g * g;
        totals[i] = total;
        p[i] -= lr * (g / (ROOT(total) + eps));
    }
}

static void NAME(scaled)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    (void)unit;
    T *out = at[0];
    const T *x = at[1], scale = *(const T *)s->scale;
    INDEPENDENT for (int64_t i = 0; i < n; i++) out[i] = x[i] * scale;
}

/* SUMS sums side by side, which the compiler keeps in vectors, then one of them all. */
static void NAME(squares)(const Steps *s, void *const at[MOST_BUFFERS], int64_t n, int64_t unit) {
    enum { SUMS = 64 };
    const T *x = at[0];
    T sums[SUMS] = {0};
    int64_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int k = 0; k < SUMS; k++) sums[k] += x[i + k] * x[i + k];
    for (int k = 0; i < n; i++, k++) sums[k] += x[i] * x[i];
    double total = 0;
    for (int k = 0; k < SUMS; k++) total += sums[k];
    s->sums[unit] = total;
}

static Steps NAME(sgd_rule)(double lr, double momentum, double dampening, double decay,
                            int nesterov) {
    return (Steps){.rule = NAME(sgd), .buffers_each = 3, .bytes_each = sizeof(T), .lr = lr,
                   .momentum = momentum, .dampening = dampening, .decay = decay,
                   .nesterov = nesterov};
}

static Steps NAME(adam_rule)(int64_t step, double lr, double beta1, double beta2, double eps,
                             double decay, int decoupled) {
    return (Steps){.rule = NAME(adam), .buffers_each = 4, .bytes_each = sizeof(T),
                   .beta1 = beta1, .beta2 = beta2, .eps = eps, .decay = decoupled ? 0 : decay,
                   .shrink = decoupled ? 1 - lr * decay : 1,
                   .root = sqrt(1 - pow(beta2, (double)step)),
                   .rate = lr / (1 - pow(beta1, (double)step))};
}

int NAME(sgd_steps)(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                    double momentum, double dampening, double decay, int nesterov) {
    return step_all(NAME(sgd_rule)(lr, momentum, dampening, decay, nesterov), buffers, sizes,
                    count);
}

int NAME(adam_steps)(void *const *buffers, const int64_t *sizes, int64_t count, int64_t step,
                     double lr, double beta1, double beta2, double eps, double decay,
                     int decoupled) {
    return step_all(NAME(adam_rule)(step, lr, beta1, beta2, eps, decay, decoupled), buffers,
                    sizes, count);
}

int NAME(linear_grad_sgd)(int64_t m, int64_t n, int64_t k, const T *g, const T *x, T *w, T *v,
                          T *gx, T *gw, T *gb, double lr, double momentum, double dampening,
                          double decay, int nesterov) {
    void *const buffers[] = {w, gw, v};
    Steps s = NAME(sgd_rule)(lr, momentum, dampening, decay, nesterov);
    s.buffers = buffers;
    return NAME(linear_grad_then)(m, n, k, g, x, w, gx, gw, gb, step_part, &s);
}

int NAME(linear_grad_adam)(int64_t m, int64_t n, int64_t k, const T *g, const T *x, T *w, T *mean,
                           T *square, T *gx, T *gw, T *gb, int64_t step, double lr, double beta1,
                           double beta2, double eps, double decay, int decoupled) {
    void *const buffers[] = {w, gw, mean, square};
    Steps s = NAME(adam_rule)(step, lr, beta1, beta2, eps, decay, decoupled);
    s.buffers = buffers;
    return NAME(linear_grad_then)(m, n, k, g, x, w, gx, gw, gb, step_part, &s);
}

int NAME(rmsprop_steps)(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                        double alpha, double eps, double decay, double momentum) {
    const Steps s = {.rule = NAME(rmsprop), .buffers_each = 5, .bytes_each = sizeof(T), .lr = lr,
                     .alpha = alpha, .eps = eps, .decay = decay, .momentum = momentum};
    return step_all(s, buffers, sizes, count);
}

int NAME(adagrad_steps)(void *const *buffers, const int64_t *sizes, int64_t count, double lr,
                        double eps, double decay) {
    const Steps s = {.rule = NAME(adagrad), .buffers_each = 3, .bytes_each = sizeof(T), .lr = lr,
                     .eps = eps, .decay = decay};
    return step_all(s, buffers, sizes, count);
}

int NAME(scale_all)(void *const *buffers, const int64_t *sizes, int64_t count, const T *scale) {
    Steps s = {.rule = NAME(scaled), .buffers = buffers, .sizes = sizes, .count = count,
               .buffers_each = 2, .bytes_each = sizeof(T), .scale = scale};
    return run(&s, 0) < 0 ? -1 : 0;
}

int NAME(sum_squares)(T *out, void *const *buffers, const int64_t *sizes, int64_t count) {
    Steps s = {.rule = NAME(squares), .buffers = buffers, .sizes = sizes, .count = count,
               .buffers_each = 1, .bytes_each = sizeof(T)};
    const int64_t units = run(&s, 1);
    if (units < 0) return -1;
    double total = 0;
    for (int64_t unit = 0; unit < units; unit++) total += s.sums[unit];
    *out = (T)total;
    return 0;
}
