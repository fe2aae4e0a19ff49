/* The gradient of W: gW (gates, size) = sum over all rows r of gu[r]^T h[r - n], for one type.
 *
 *     for passes of rows whose h fits into scratch memory:
 *         pack h as strips                                  in parallel
 *         for each panel of gates:                          in parallel
 *             for slices of rows:  pack gu's panel;  gW^T[:, panel] += h^T gu
 *         at the end:  gW[panel, :] is its transpose
 *
 * gW^T rather than gW, because gates are four times as many as units: each number of gu is copied
 * once, next to its use in a dozen tiles, and no line of it is read twice.
 */

typedef struct {
    const F(Sequence) * p;
    int64_t begin, end, strips; /* rows of this pass */
    REAL *packed, *sums, *gw;
} F(WeightGrad);

/* How many rows follow r that lie one after the other in h, at most a slice: h0 comes first. */
INLINE int64_t F(slice)(const F(WeightGrad) * job, int64_t r) {
    return MIN(WEIGHT_SLICE, (r < job->p->n ? MIN(job->end, job->p->n) : job->end) - r);
}

static void F(pack_states)(void *context, int64_t begin, int64_t end) {
    const F(WeightGrad) *job = context;
    const F(Sequence) *p = job->p;
    const int64_t size = p->size, unit = begin * MR, units = MIN(end * MR, size) - unit;
    for (int64_t r = job->begin, k; r < job->end; r += k) {
        const REAL *h = r < p->n ? p->h0 + r * size : p->hs + (r - p->n) * size;
        REAL *packed = job->packed + (r - job->begin) * job->strips * MR;
        k = F(slice)(job, r);
        F(gemm_pack_a)(packed + unit * k, h + unit, 1, size, units, k);
    }
}

/* gW^T[:, panel] += h^T gu over one slice. Meanwhile the next slice's gu is fetched, of which
 * `ahead` are the first two lines. */
static void F(weight_slice)(const F(Sequence) * p, const REAL *strips, const REAL *panel, int64_t k,
                            int64_t columns, REAL *sums, int accumulate, const REAL *ahead) {
    const Steps steps = {.k = k, .across = 1, .along = MR, .ldb = F(WIDTH), .ldc = F(WIDTH),
                         .accumulate = accumulate, .ahead_step = p->gates};
    for (int64_t i = 0; i < p->size; i += MR, strips += MR * k) {
        F(gemm_panel)(&steps, MIN(MR, p->size - i), columns, strips, panel, sums + i * F(WIDTH),
                      i < 2 * MR ? ahead : NULL);
        ahead += LINE;
    }
}

static void F(weight_panel)(const F(WeightGrad) * job, int64_t panel, REAL *packed) {
    const F(Sequence) *p = job->p;
    const int64_t column = panel * F(WIDTH), columns = MIN(F(WIDTH), p->gates - column);
    const REAL *gu = p->gu + job->begin * p->gates + column, *strips = job->packed;
    REAL *sums = job->sums + panel * p->size * F(WIDTH);
    for (int64_t r = job->begin, k; r < job->end; r += k) {
        k = F(slice)(job, r);
        F(gemm_pack_b)(packed, gu, 1, p->gates, columns, k);
        gu += k * p->gates;
        F(weight_slice)(p, strips, packed, k, columns, sums, r > 0, gu);
        strips += k * job->strips * MR;
    }
    if (job->end < p->steps * p->n) return;
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < p->size; i++)
            job->gw[(column + j) * p->size + i] = sums[i * F(WIDTH) + j];
}

static void F(weight_panels)(void *context, int64_t begin, int64_t end) {
    F(WeightGrad) *job = context;
    REAL *packed = workspace(1, sizeof(REAL) * WEIGHT_SLICE * F(WIDTH));
    if (!packed) job->gw = NULL;
    for (int64_t panel = begin; packed && panel < end; panel++)
        F(weight_panel)(job, panel, packed);
}

static int F(weight_grad)(const F(Sequence) * p, REAL *gw) {
    const int64_t rows = p->steps * p->n, panels = (p->gates + F(WIDTH) - 1) / F(WIDTH);
    F(WeightGrad) job = {.p = p, .strips = (p->size + MR - 1) / MR, .gw = gw};
    const int64_t most = MAX(WEIGHT_SLICE, WEIGHT_PASS / (job.strips * MR * (int64_t)sizeof(REAL)));
    const int64_t height = MIN(rows, most);
    const int serial = (double)rows * p->size * p->gates < SERIAL_BELOW;
    job.packed = workspace(0, sizeof(REAL) * (height * job.strips * MR +
                                              panels * F(WIDTH) * p->size));
    if (!job.packed) return -1;
    job.sums = job.packed + height * job.strips * MR;
    for (; job.begin < rows && job.gw; job.begin = job.end) {
        job.end = MIN(rows, job.begin + height);
        parallel_for(F(pack_states), &job, job.strips, serial ? job.strips : 1);
        parallel_for(F(weight_panels), &job, panels, serial ? panels : 1);
    }
    return job.gw ? 0 : -1;
}
