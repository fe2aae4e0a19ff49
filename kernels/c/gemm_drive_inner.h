/* How one product, or a batch, is cut into tasks; for one type, as in gemm_tile_inner.h.
 *
 *     by panels:  task = (product, NR columns, some strips):
 *                     for slices of K:  maybe pack the panel of B;  for strips: a tile
 *     by blocks:  for slices of K:  tasks pack A and B;  task = (strips of a block, NR columns)
 *
 * Packing pays where rows of B lie so far apart that they fall on the same places of the caches
 * (64 x 1024 x 1024: 175 GFLOP/s in place, 280 packed), where B comes from memory, and where it
 * is stored transposed. It does not where B stays in L2 (64 x 784 x 256: 365 in place, 310 packed):
 * a copy costs about a fifth of what five strips do with it. Meanwhile the next panel is fetched.
 */

/* C (m, n) = A B: element (i, k) of A is a[i * a_across + k * a_along], (k, j) of B is
 * b[j * b_across + k * b_along]; C is contiguous. Products of a batch lie a_next and
 * b_next apart. */
typedef struct {
    int64_t batch, m, n, k;
    const REAL *a, *b;
    REAL *c;
    int64_t a_across, a_along, a_next, b_across, b_along, b_next;
    Finish finish;
} F(Product);

INLINE double F(work)(const F(Product) * p) { return (double)p->batch * p->m * p->n * p->k; }

/* The way by panels, for products of which one side is short. */
typedef struct {
    F(Product) p;
    int64_t groups, group_rows, panels, slice;
    int64_t count;  /* of tasks */
    int copy_panel; /* B's panels are packed by the task that uses them */
    int failed;     /* for want of memory */
} F(Panels);

static void F(finish_part)(const F(Product) * p, int64_t row, int64_t column, int64_t m, int64_t n,
                           REAL *c) {
    Finish f = p->finish;
    if (!f.row_bias && !f.column_bias && !f.activation) return;
    if (f.row_bias) f.row_bias = (const REAL *)f.row_bias + row;
    if (f.column_bias) f.column_bias = (const REAL *)f.column_bias + column;
    F(gemm_finish)(&f, m, n, c, p->n);
}

/* Rows `row` ... of one panel of one product. `more`: the next panel is this thread's as well. */
static void F(one_panel)(F(Panels) * job, int64_t item, int64_t row, int64_t column, int more) {
    const F(Product) *p = &job->p;
    const int64_t m = MIN(job->group_rows, p->m - row), columns = MIN(F(WIDTH), p->n - column);
    const int copy = job->copy_panel || columns < F(WIDTH);
    const REAL *a = p->a + item * p->a_next + row * p->a_across;
    const REAL *b = p->b + item * p->b_next + column * p->b_across;
    REAL *c = p->c + (item * p->m + row) * p->n + column, *panel = NULL;
    Steps steps = {.across = p->a_across, .along = p->a_along, .ldb = p->b_along, .ldc = p->n};
    if (copy && !(panel = workspace(1, sizeof(REAL) * F(WIDTH) * job->slice))) {
        job->failed = 1;
        return;
    }
    for (int64_t k = 0; k < p->k; k += job->slice) {
        const REAL *part = b + k * p->b_along, *ahead = more ? part + F(WIDTH) * p->b_across : NULL;
        steps.k = MIN(job->slice, p->k - k);
        steps.accumulate = k > 0;
        steps.ahead_strip = p->b_along == 1 ? LINE * steps.k : LINE;
        steps.ahead_step = p->b_along == 1 ? LINE : p->b_along;
        if (copy) {
            steps.ldb = F(gemm_pack_narrow)(panel, part, p->b_across, p->b_along, columns, steps.k);
            part = panel;
        }
        F(gemm_panel)(&steps, m, columns, a + k * p->a_along, part, c, ahead);
    }
    F(finish_part)(p, row, column, m, columns, c);
}

static void F(panel_task)(void *context, int64_t begin, int64_t end) {
    F(Panels) *job = context;
    for (int64_t t = begin; t < end; t++) {
        const int64_t panel = t / job->groups % job->panels, item = t / job->groups / job->panels;
        const int more = t + 1 < end && panel + 1 < job->panels && job->groups == 1;
        F(one_panel)(job, item, t % job->groups * job->group_rows, panel * F(WIDTH), more);
    }
}

static F(Panels) F(cut_panels)(const F(Product) * p) {
    F(Panels) job = {.p = *p, .panels = (p->n + F(WIDTH) - 1) / F(WIDTH)};
    const int64_t strips = (p->m + MR - 1) / MR, step = p->b_along * (int64_t)sizeof(REAL);
    const int64_t slices = (p->k + PANEL_SLICE - 1) / PANEL_SLICE;
    job.copy_panel = p->b_across != 1 || p->k * step > FAR_APART ||
                     (p->k > 256 && step % HALF_PAGE == 0);
    job.slice = (p->k + slices - 1) / MAX(1, slices);
    job.groups = (strips + 3) / 4;
    if (job.copy_panel) job.groups = (strips + 11) / 12;
    job.group_rows = (p->m + job.groups - 1) / job.groups;
    job.count = p->batch * job.panels * job.groups;
    return job;
}

static int F(by_panels)(const F(Product) * p) {
    F(Panels) job = F(cut_panels)(p);
    if (F(work)(p) < SERIAL_BELOW)
        F(panel_task)(&job, 0, job.count);
    else
        parallel_for(F(panel_task), &job, job.count, MAX(1, job.count / 64));
    return job.failed ? -1 : 0;
}

/* The way by rows, for A stored transposed: task = some rows, of which it copies a slice for itself
 * and uses it for all panels of B. No copy wanders from core to core, and B stays as it lies. */
static void F(row_task)(void *context, int64_t begin, int64_t end) {
    F(Panels) *job = context;
    const F(Product) *p = &job->p;
    REAL *copy = workspace(0, sizeof(REAL) * (job->group_rows * job->slice + F(WIDTH)));
    REAL *panel = workspace(1, sizeof(REAL) * F(WIDTH) * job->slice);
    if (!copy || !panel) job->failed = 1;
    for (int64_t t = begin; t < end && !job->failed; t++) {
        const int64_t row = t * job->group_rows, m = MIN(job->group_rows, p->m - row);
        REAL *c = p->c + row * p->n;
        for (int64_t k = 0; k < p->k; k += job->slice) {
            Steps steps = {.k = MIN(job->slice, p->k - k), .across = 1, .along = m, .ldc = p->n,
                           .accumulate = k > 0};
            for (int64_t i = 0; i < steps.k; i++)
                memcpy(copy + i * m, p->a + (k + i) * p->a_along + row, m * sizeof(REAL));
            for (int64_t j = 0; j < p->n; j += F(WIDTH)) {
                const int64_t columns = MIN(F(WIDTH), p->n - j);
                const REAL *b = p->b + k * p->b_along + j;
                steps.ldb = p->b_along;
                if (columns < F(WIDTH)) {
                    steps.ldb = F(gemm_pack_narrow)(panel, b, 1, p->b_along, columns, steps.k);
                    b = panel;
                }
                F(gemm_panel)(&steps, m, columns, copy, b, c + j, NULL);
            }
        }
        F(finish_part)(p, row, 0, m, p->n, c);
    }
}

static int F(by_rows)(const F(Product) * p, int64_t item) {
    F(Panels) job = {.p = *p, .groups = (p->m + ROWS - 1) / ROWS, .slice = ROW_SLICE};
    job.p.a += item * p->a_next;
    job.p.b += item * p->b_next;
    job.p.c += item * p->m * p->n;
    job.group_rows = (p->m + job.groups - 1) / job.groups;
    parallel_for(F(row_task), &job, (p->m + job.group_rows - 1) / job.group_rows, 1);
    return job.failed ? -1 : 0;
}

/* The way by blocks: for each slice of K, pack all of A and B, then all blocks of C. */
typedef struct {
    const F(Product) *p;
    const REAL *a, *b; /* of the slice */
    REAL *c, *packed_a, *packed_b;
    int64_t k, strips, panels, block_rows, row_blocks, block_columns, column_blocks;
    int accumulate, last;
} F(Blocks);

enum { F(PACK_ROWS) = 8 * MR, F(PACK_COLUMNS) = 4 * F(WIDTH) };

static void F(pack_task)(void *context, int64_t begin, int64_t end) {
    const F(Blocks) *job = context;
    const F(Product) *p = job->p;
    const int64_t of_a = (p->m + F(PACK_ROWS) - 1) / F(PACK_ROWS);
    for (int64_t t = begin; t < end; t++) {
        if (t < of_a) {
            const int64_t row = t * F(PACK_ROWS);
            F(gemm_pack_a)(job->packed_a + row * job->k, job->a + row * p->a_across, p->a_across,
                           p->a_along, MIN(F(PACK_ROWS), p->m - row), job->k);
        } else {
            const int64_t column = (t - of_a) * F(PACK_COLUMNS);
            F(gemm_pack_b)(job->packed_b + column * job->k, job->b + column * p->b_across,
                           p->b_across, p->b_along, MIN(F(PACK_COLUMNS), p->n - column), job->k);
        }
    }
}

static void F(block_task)(void *context, int64_t begin, int64_t end) {
    const F(Blocks) *job = context;
    const F(Product) *p = job->p;
    for (int64_t t = begin; t < end; t++) {
        const int64_t row = t / job->column_blocks * job->block_rows;
        const int64_t column = t % job->column_blocks * job->block_columns;
        const int64_t m = MIN(job->block_rows, p->m - row);
        const int64_t n = MIN(job->block_columns, p->n - column);
        REAL *c = job->c + row * p->n + column;
        F(gemm_block)(m, n, job->k, job->packed_a + row * job->k, job->packed_b + column * job->k,
                      c, p->n, job->accumulate, NULL);
        if (job->last) F(finish_part)(p, row, column, m, n, c);
    }
}

static int F(by_blocks)(const F(Product) * p, int64_t item) {
    F(Blocks) job = {.p = p, .a = p->a + item * p->a_next, .b = p->b + item * p->b_next};
    const int64_t slices = (p->k + BLOCK_SLICE - 1) / BLOCK_SLICE;
    const int64_t slice = (p->k + slices - 1) / slices;
    job.c = p->c + item * p->m * p->n;
    job.strips = (p->m + MR - 1) / MR;
    job.panels = (p->n + F(WIDTH) - 1) / F(WIDTH);
    job.row_blocks = (job.strips + BLOCK_STRIPS - 1) / BLOCK_STRIPS;
    while (job.row_blocks * job.panels < FEWEST_BLOCKS && job.strips > 4 * job.row_blocks)
        job.row_blocks++;
    job.block_rows = (job.strips + job.row_blocks - 1) / job.row_blocks * MR;
    job.row_blocks = (p->m + job.block_rows - 1) / job.block_rows;
    job.block_columns = F(WIDTH);
    job.column_blocks = (p->n + job.block_columns - 1) / job.block_columns;
    const int64_t a_size = (job.strips * MR * slice + 15) / 16 * 16;
    job.packed_a = workspace(0, sizeof(REAL) * (a_size + job.panels * F(WIDTH) * slice));
    if (!job.packed_a) return -1;
    job.packed_b = job.packed_a + a_size;
    for (int64_t k = 0; k < p->k; k += slice) {
        job.k = MIN(slice, p->k - k);
        job.last = k + slice >= p->k;
        const int64_t packs = (p->m + F(PACK_ROWS) - 1) / F(PACK_ROWS) +
                              (p->n + F(PACK_COLUMNS) - 1) / F(PACK_COLUMNS);
        parallel_for(F(pack_task), &job, packs, 1);
        parallel_for(F(block_task), &job, job.row_blocks * job.column_blocks, 1);
        job.a += slice * p->a_along;
        job.b += slice * p->b_along;
        job.accumulate = 1;
    }
    return 0;
}

