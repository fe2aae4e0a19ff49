/* How expression_fold.c adds up numbers of one type (types_inner.h). `more`: a total is there. */

#define EACH_OP(call)                             \
    switch (op) {                                 \
    case SUM: call(SUM); break;                   \
    case PROD: call(PROD); break;                 \
    case MOST: call(MOST); break;                 \
    default: call(LEAST);                         \
    }

/* total = the total of n numbers. */
static void NAME(line)(int op, void *total_, const void *x, int64_t n, int more) {
    WIDE *total = total_;
    WIDE part;
#define CALL(op)                                             \
    part = NAME(run)(op, x, n);                              \
    *total = more ? NAME(wjoin)(op, *total, part) : part
    EACH_OP(CALL)
#undef CALL
}

INLINE void NAME(band_of)(int op, WIDE *RESTRICT wide, const T *x, int64_t rows, int64_t width,
                          int more) {
    T total[WIDTH] __attribute__((aligned(64)));
    int64_t j = 0;
    for (; j + 8 <= rows; j += 8) NAME(add_rows)(op, total, x + j * width, width, 8, width, !j);
    for (; j < rows; j++) NAME(add_rows)(op, total, x + j * width, width, 1, width, !j);
    for (int64_t k = 0; k < width; k++)
        wide[k] = more ? NAME(wjoin)(op, wide[k], total[k]) : total[k];
}

/* total[k] = the total of x[j, k] over the rows j. */
static void NAME(band)(int op, void *total, const void *x, int64_t rows, int64_t width, int more) {
#define CALL(op) NAME(band_of)(op, total, x, rows, width, more)
    EACH_OP(CALL)
#undef CALL
}

/* total[k] = total[k] op partial[k]. */
static void NAME(join_all)(int op, void *total_, const void *partial_, int64_t n) {
    WIDE *RESTRICT total = total_;
    const WIDE *RESTRICT partial = partial_;
#define CALL(op) \
    for (int64_t k = 0; k < n; k++) total[k] = NAME(wjoin)(op, total[k], partial[k])
    EACH_OP(CALL)
#undef CALL
}

static void NAME(finish)(void *out, const void *total, int64_t n) {
    for (int64_t k = 0; k < n; k++) ((T *)out)[k] = (T)((const WIDE *)total)[k];
}

static const Folding NAME(folding) = {sizeof(T), sizeof(WIDE), NAME(line), NAME(band),
                                      NAME(join_all), NAME(finish)};
#undef EACH_OP
