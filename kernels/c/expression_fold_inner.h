/* How expression_fold.c adds up numbers of one type (types_inner.h). `more`: a total is there. */

INLINE void NAME(line_of)(int op, WIDE *total, const T *x, int64_t n, int more) {
    const WIDE part = NAME(run)(op, x, n);
    *total = more ? NAME(wjoin)(op, *total, part) : part;
}

/* total = the total of n numbers. */
static void NAME(line)(int op, void *total, const void *x, int64_t n, int more) {
    EACH_OP(op, NAME(line_of), total, x, n, more);
}

/* total[k] = the total of x[j, k] over the rows j. */
static void NAME(band)(int op, void *total, const void *x, int64_t rows, int64_t width, int more) {
    NAME(fold_down)(op, total, x, width, rows, width, more);
}

INLINE void NAME(join_each)(int op, WIDE *RESTRICT total, const WIDE *RESTRICT partial,
                            int64_t n) {
    for (int64_t k = 0; k < n; k++) total[k] = NAME(wjoin)(op, total[k], partial[k]);
}

/* total[k] = total[k] op partial[k]. */
static void NAME(join_all)(int op, void *total, const void *partial, int64_t n) {
    EACH_OP(op, NAME(join_each), total, partial, n);
}

static void NAME(finish)(void *out, const void *total, int64_t n) {
    for (int64_t k = 0; k < n; k++) ((T *)out)[k] = (T)((const WIDE *)total)[k];
}

static const Folding NAME(folding) = {sizeof(T), sizeof(WIDE), NAME(line), NAME(band),
                                      NAME(join_all), NAME(finish)};
