/* How the steps of a sequence go, for one type: what is common to RNN, LSTM and GRU. */

typedef struct F(Sequence) F(Sequence);

/* The cell, or its gradient, on one row of step t; u is the row's product. */
typedef void (*F(Line))(const F(Sequence) * p, int64_t t, int64_t row, const REAL *u);

/* The product of step t is (n, depth) by (depth, width): h[t-1] W^T, or gu[t] W. */
struct F(Sequence) {
    int64_t steps, n, size, gates; /* gates: numbers in a row of them */
    const REAL *a, *w, *b, *h0, *c0, *g, *act, *hs, *cs; /* given */
    REAL *h, *c, *acts, *ga, *gu, *carried, *gc;         /* results */
    int backward, relu, add; /* add: the product is added to what is carried */
    F(Line) line;
    int64_t depth, width;
    REAL *packed, *u;
    int failed; /* for want of memory */
};

static void F(pack_weight)(void *context, int64_t begin, int64_t end) {
    const F(Sequence) *p = context;
    const int64_t across = p->backward ? 1 : p->size, along = p->backward ? p->size : 1;
    const int64_t column = begin * F(WIDTH), columns = MIN(p->width, end * F(WIDTH)) - column;
    F(gemm_pack_b)(p->packed + column * p->depth, p->w + column * across, across, along, columns,
                   p->depth);
}

/* What the cell will touch next, a list that ends with 0 numbers: fetched while the product runs,
 * which computes; the cell would wait for it. */
typedef struct {
    const REAL *from;
    int64_t numbers;
} F(Ahead);

static void F(list_ahead)(const F(Sequence) * p, int64_t t, int64_t row, int64_t m,
                          F(Ahead) * list) {
    const int64_t next = p->n * p->size, at = (t * p->n + row) * p->size, some = m * p->size;
    const int64_t wide = p->gates / p->size;
    if (p->backward && t > 0) {
        const int64_t then = at - next;
        *list++ = (F(Ahead)){p->gu + wide * then, wide * some};
        if (p->act) *list++ = (F(Ahead)){p->act + 4 * then, 4 * some};
        *list++ = (F(Ahead)){p->g + then, some};
    }
    if (!p->backward) {
        if (t + 1 < p->steps) *list++ = (F(Ahead)){p->a + wide * (at + next), wide * some};
        if (p->acts) *list++ = (F(Ahead)){p->acts + 4 * at, 4 * some};
        *list++ = (F(Ahead)){p->h + at, some};
    }
    *list = (F(Ahead)){NULL, 0};
}

/* Take from the list what one panel can fetch, a line with each of its steps; NULL at the end. */
static const REAL *F(fetch)(F(Ahead) * *list, Steps *steps) {
    F(Ahead) *head = *list;
    const int64_t numbers = MIN(head->numbers, LINE * steps->k);
    const REAL *from = head->from;
    if (!numbers) return NULL;
    steps->ahead_step = (numbers + steps->k - 1) / steps->k;
    head->from += numbers;
    head->numbers -= numbers;
    if (!head->numbers) ++*list;
    return from;
}

/* Panels first ... last - 1 of the product of rows row ... row + m - 1. */
static void F(step_product)(const F(Sequence) * p, int64_t t, int64_t row, int64_t m, int64_t first,
                            int64_t last, REAL *u) {
    const REAL *x = t ? p->h + ((t - 1) * p->n + row) * p->size : p->h0 + row * p->size;
    if (p->backward) x = p->gu + (t * p->n + row) * p->gates;
    Steps steps = {.k = p->depth, .across = p->depth, .along = 1, .ldb = F(WIDTH),
                   .ldc = p->width, .accumulate = p->add};
    F(Ahead) list[4], *ahead = list;
    F(list_ahead)(p, t, row, m, list);
    for (int64_t panel = first; panel < last; panel++) {
        const int64_t column = panel * F(WIDTH);
        const REAL *next = F(fetch)(&ahead, &steps);
        F(gemm_panel)(&steps, m, MIN(F(WIDTH), p->width - column), x,
                      p->packed + column * p->depth, u + column, next);
    }
}

INLINE int64_t F(panels)(const F(Sequence) * p) { return (p->width + F(WIDTH) - 1) / F(WIDTH); }

/* Some rows of the batch, from the first step to the last. */
static void F(all_steps)(void *context, int64_t begin, int64_t end) {
    F(Sequence) *p = context;
    const int64_t m = end - begin;
    REAL *u = p->carried + begin * p->size;
    if (!p->backward) u = workspace(1, sizeof(REAL) * m * p->gates);
    if (!u) {
        p->failed = 1;
        return;
    }
    for (int64_t s = 0; s < p->steps; s++) {
        const int64_t t = p->backward ? p->steps - 1 - s : s;
        if (!p->backward) F(step_product)(p, t, begin, m, 0, F(panels)(p), u);
        for (int64_t i = 0; i < m; i++) p->line(p, t, begin + i, u + i * p->width);
        if (p->backward) F(step_product)(p, t, begin, m, 0, F(panels)(p), u);
    }
}

/* One step of all rows, shared by the threads. */
typedef struct {
    F(Sequence) * p;
    int64_t t;
} F(SharedStep);

static void F(shared_product)(void *context, int64_t begin, int64_t end) {
    const F(SharedStep) *step = context;
    F(step_product)(step->p, step->t, 0, step->p->n, begin, end, step->p->u);
}

static void F(shared_lines)(void *context, int64_t begin, int64_t end) {
    const F(SharedStep) *step = context;
    const F(Sequence) *p = step->p;
    for (int64_t i = begin; i < end; i++) p->line(p, step->t, i, p->u + i * p->width);
}

static void F(step_by_step)(F(Sequence) * p) {
    const double work = (double)p->n * p->depth * p->width;
    const int64_t panels = F(panels)(p), grain = work < SERIAL_BELOW ? panels : 1;
    const int64_t rows = work < SERIAL_BELOW ? p->n : ROWS_PER_TASK;
    for (int64_t s = 0; s < p->steps; s++) {
        F(SharedStep) step = {p, p->backward ? p->steps - 1 - s : s};
        if (!p->backward) parallel_for(F(shared_product), &step, panels, grain);
        parallel_for(F(shared_lines), &step, p->n, rows);
        if (p->backward) parallel_for(F(shared_product), &step, panels, grain);
    }
}

/* Run all steps. Rows are cut into an even number of tasks, each of which is at most one tile
 * high. */
static int F(run)(F(Sequence) p) {
    p.depth = p.backward ? p.gates : p.size;
    p.width = p.backward ? p.size : p.gates;
    const int64_t panels = F(panels)(&p), numbers = panels * F(WIDTH) * p.depth;
    const int64_t shared = p.backward ? 0 : p.n * p.gates;
    const int by_rows = p.n >= FEWEST_ROWS && p.gates * p.size * (int64_t)sizeof(REAL) <= LARGEST_W;
    p.packed = workspace(0, sizeof(REAL) * (numbers + (by_rows ? 0 : shared)));
    if (!p.packed) return -1;
    p.u = p.backward ? p.carried : p.packed + numbers;
    parallel_for(F(pack_weight), &p, panels, numbers < SERIAL_BELOW / 16 ? panels : 1);
    if (by_rows) {
        const int64_t tasks = ((p.n + MR - 1) / MR + 1) / 2 * 2;
        parallel_for(F(all_steps), &p, p.n, (p.n + tasks - 1) / tasks);
    } else {
        F(step_by_step)(&p);
    }
    return p.failed ? -1 : 0;
}
