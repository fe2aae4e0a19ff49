/* Which way a product goes, by its sizes alone; and what Python calls. For one type. */

/* Whether both operands are packed: each number is used often enough, by as many panels. Where A is
 * stored transposed, its strips lie in pieces of a line, far apart, and a few panels suffice:
 * 512x128x1600 goes from 1420 to 920 us. */
static int F(pays_to_pack)(const F(Product) * p) {
    const int64_t numbers = p->m * p->k + p->k * p->n, panels = (p->n + F(WIDTH) - 1) / F(WIDTH);
    return p->m > 10 * MR && panels > (p->a_along == 1 ? 8 : 2) &&
           numbers * (int64_t)sizeof(REAL) > IN_PLACE;
}

static int F(product)(F(Product) p) {
    if (p.n == 1) { /* C^T = B^T A^T has one row */
        F(Product) t = {.batch = p.batch, .m = 1, .n = p.m, .k = p.k, .a = p.b, .b = p.a, .c = p.c,
                        .a_across = p.b_across, .a_along = p.b_along, .a_next = p.b_next,
                        .b_across = p.a_across, .b_along = p.a_along, .b_next = p.a_next,
                        .finish = {p.finish.column_bias, p.finish.row_bias, p.finish.activation}};
        p = t;
    }
    if (p.m <= SKINNY_ROWS && p.n * p.k >= SKINNY_FROM) {
        for (int64_t item = 0; item < p.batch; item++)
            if (F(skinny)(&p, item)) return -1;
        return 0;
    }
    if (F(pays_to_pack)(&p)) {
        const int few_panels = p.n <= FEW_PANELS * F(WIDTH) && p.b_across == 1;
        for (int64_t item = 0; item < p.batch; item++)
            if (few_panels ? F(by_rows)(&p, item) : F(by_blocks)(&p, item)) return -1;
        return 0;
    }
    return F(by_panels)(&p);
}

static F(Product) F(product_of)(int64_t m, int64_t n, int64_t k, const REAL *a, int transpose_a,
                                const REAL *b, int transpose_b, REAL *c) {
    F(Product) p = {.batch = 1, .m = m, .n = n, .k = k, .a = a, .b = b, .c = c};
    p.a_across = transpose_a ? 1 : k;
    p.a_along = transpose_a ? m : 1;
    p.b_across = transpose_b ? k : 1;
    p.b_along = transpose_b ? 1 : n;
    return p;
}

int F(matmul)(int64_t batch, int64_t m, int64_t n, int64_t k, const REAL *a, int64_t a_next,
              int transpose_a, const REAL *b, int64_t b_next, int transpose_b, REAL *c) {
    F(Product) p = F(product_of)(m, n, k, a, transpose_a, b, transpose_b, c);
    p.batch = batch;
    p.a_next = a_next;
    p.b_next = b_next;
    return F(product)(p);
}

int F(linear)(int64_t m, int64_t n, int64_t k, const REAL *x, const REAL *w, const REAL *bias,
              int activation, REAL *y) {
    F(Product) p = F(product_of)(m, n, k, x, 0, w, 1, y);
    p.finish = (Finish){.column_bias = bias, .activation = activation};
    return F(product)(p);
}

/* The gradients of a layer: tasks of gx = g w, then those of gw = g^T x, then columns of g. */
typedef struct {
    F(Panels) gx, gw;
    int64_t m, n;
    const REAL *g;
    REAL *gb;
} F(LinearGrad);

static void F(add_rows)(const REAL *g, int64_t m, int64_t n, int64_t begin, int64_t end, REAL *gb) {
    for (int64_t j = begin; j < end; j++) gb[j] = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = begin; j < end; j++) gb[j] += g[i * n + j];
}

static void F(linear_grad_task)(void *context, int64_t begin, int64_t end) {
    F(LinearGrad) *job = context;
    const int64_t first = job->gx.count, second = first + job->gw.count;
    for (int64_t t = begin; t < end; t++) {
        const int64_t column = (t - second) * BIAS_COLUMNS;
        if (t < first)
            F(panel_task)(&job->gx, t, t + 1);
        else if (t < second)
            F(panel_task)(&job->gw, t - first, t - first + 1);
        else
            F(add_rows)(job->g, job->m, job->n, column, MIN(job->n, column + BIAS_COLUMNS),
                        job->gb);
    }
}

int F(linear_grad)(int64_t m, int64_t n, int64_t k, const REAL *g, const REAL *x, const REAL *w,
                   REAL *gx, REAL *gw, REAL *gb) {
    F(LinearGrad) job = {.m = m, .n = n, .g = g, .gb = gb};
    const F(Product) by_w = F(product_of)(m, k, n, g, 0, w, 0, gx);
    const F(Product) by_x = F(product_of)(n, k, m, g, 1, x, 0, gw);
    const int small = (m + n) * k <= SMALL_LAYER && !F(pays_to_pack)(&by_w) &&
                      !F(pays_to_pack)(&by_x);
    if (gx && small) job.gx = F(cut_panels)(&by_w);
    if (gw && small) job.gw = F(cut_panels)(&by_x);
    if (gx && !small && F(product)(by_w)) return -1;
    if (gw && !small && F(product)(by_x)) return -1;
    const int64_t bias = gb ? (n + BIAS_COLUMNS - 1) / BIAS_COLUMNS : 0;
    const int64_t count = job.gx.count + job.gw.count + bias;
    if ((double)m * n * k < SERIAL_BELOW)
        F(linear_grad_task)(&job, 0, count);
    else
        parallel_for(F(linear_grad_task), &job, count, MAX(1, count / 128));
    return job.gx.failed || job.gw.failed ? -1 : 0;
}

/* The same where what is made of gw is used at once: a task makes some rows of it whole. Threads then
 * have halves of gw, and so of w and what the optimizer keeps, which stay theirs from step to step. */
typedef struct {
    F(Panels) gw;
    F(LinearGrad) bias;
    After *after;
    const void *context;
} F(LinearGradThen);

static void F(whole_rows_task)(void *context, int64_t begin, int64_t end) {
    F(LinearGradThen) *job = context;
    const F(Product) *p = &job->gw.p;
    for (int64_t t = begin; t < end; t++) {
        const int64_t row = t * job->gw.group_rows, m = MIN(job->gw.group_rows, p->m - row);
        if (t >= job->gw.groups) {
            F(linear_grad_task)(&job->bias, t - job->gw.groups, t - job->gw.groups + 1);
            continue;
        }
        for (int64_t j = 0; j < p->n; j += F(WIDTH))
            F(one_panel)(&job->gw, 0, row, j, j + F(WIDTH) < p->n);
        job->after(job->context, row * p->n, m * p->n);
    }
}

static void F(after_task)(void *context, int64_t begin, int64_t end) {
    const F(LinearGradThen) *job = context;
    job->after(job->context, begin, end - begin);
}

int F(linear_grad_then)(int64_t m, int64_t n, int64_t k, const REAL *g, const REAL *x,
                        const REAL *w, REAL *gx, REAL *gw, REAL *gb, After *after,
                        const void *context) {
    const F(Product) by_x = F(product_of)(n, k, m, g, 1, x, 0, gw);
    const int64_t strips = (n + MR - 1) / MR;
    F(LinearGradThen) job = {.gw = F(cut_panels)(&by_x), .after = after, .context = context};
    job.bias = (F(LinearGrad)){.m = m, .n = n, .g = g, .gb = gb};
    /* An even number of tasks, of one strip or two: two threads end at about the same time. */
    job.gw.groups = strips <= THIN_GROUPS ? (strips + 1) / 2 * 2 : (strips + 3) / 4 * 2;
    job.gw.group_rows = (n + job.gw.groups - 1) / job.gw.groups;
    job.gw.groups = (n + job.gw.group_rows - 1) / job.gw.group_rows;
    if (job.gw.groups < FEWEST_GROUPS || job.gw.copy_panel || k == 1 || F(pays_to_pack)(&by_x)) {
        if (F(linear_grad)(m, n, k, g, x, w, gx, gw, gb)) return -1;
        parallel_for(F(after_task), &job, n * k, AFTER_GRAIN);
        return 0;
    }
    if (gx && F(linear_grad)(m, n, k, g, x, w, gx, NULL, NULL)) return -1;
    const int64_t bias = gb ? (n + BIAS_COLUMNS - 1) / BIAS_COLUMNS : 0;
    parallel_for(F(whole_rows_task), &job, job.gw.groups + bias, 1);
    return job.gw.failed ? -1 : 0;
}
