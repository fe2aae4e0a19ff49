/* Numbers folded into one, for one type (types_inner.h). `op` is a constant wherever these are
 * called, so that nothing is left of the tests for it. A comparison with nan is false; it needs a
 * test of its own to win. */

INLINE T NAME(join)(int op, T a, T b) {
    if (op == SUM) return a + b;
    if (op == PROD) return a * b;
    return ((op == MOST ? a > b : a < b) || a != a) ? a : b;
}

INLINE V NAME(vjoin)(int op, V a, V b) {
    if (op == SUM) return a + b;
    if (op == PROD) return a * b;
    const VI mine = (VI)(op == MOST ? a > b : a < b) | (VI)(a != a);
    return (V)((mine & (VI)a) | (~mine & (VI)b));
}

INLINE WIDE NAME(wjoin)(int op, WIDE a, WIDE b) {
    if (op == SUM) return a + b;
    if (op == PROD) return a * b;
    return ((op == MOST ? a > b : a < b) || a != a) ? a : b;
}

INLINE V NAME(load)(const T *x) { return *(const VU *)x; }

/* The total of 8 * `groups` vectors, 1 or more. */
INLINE T NAME(block)(int op, const T *x, int64_t groups) {
    const int n = LANES;
    V t[8];
    for (int k = 0; k < 8; k++) t[k] = NAME(load)(x + k * n);
    for (int64_t i = 1; i < groups; i++)
        for (int k = 0; k < 8; k++) {
            const T *from = x + (8 * i + k) * n;
            __builtin_prefetch((const char *)from + AHEAD);
            t[k] = NAME(vjoin)(op, t[k], NAME(load)(from));
        }
    for (int step = 4; step; step /= 2)
        for (int k = 0; k < step; k++) t[k] = NAME(vjoin)(op, t[k], t[k + step]);
    T lane[LANES];
    *(VU *)lane = t[0];
    for (int step = n / 2; step; step /= 2)
        for (int k = 0; k < step; k++) lane[k] = NAME(join)(op, lane[k], lane[k + step]);
    return lane[0];
}

/* The total of n numbers, 1 or more, one after the other. */
INLINE WIDE NAME(run)(int op, const T *x, int64_t n) {
    const int64_t group = 8 * LANES;
    int64_t i = 1;
    WIDE total = x[0];
    if (n >= group) {
        const int64_t most = MIN(n, BLOCK) / group;
        total = NAME(block)(op, x, most);
        i = most * group;
        for (; i + BLOCK <= n; i += BLOCK)
            total = NAME(wjoin)(op, total, NAME(block)(op, x + i, BLOCK / group));
        const int64_t left = (n - i) / group;
        if (left) total = NAME(wjoin)(op, total, NAME(block)(op, x + i, left));
        i += left * group;
    }
    for (; i < n; i++) total = NAME(wjoin)(op, total, x[i]);
    return total;
}

/* total[k] = total[k] op (x[0, k] op ... op x[rows-1, k]), for 8 rows or 1, k below `width`. */
INLINE void NAME(add_rows)(int op, T *RESTRICT total, const T *RESTRICT x, int64_t b, int rows,
                           int64_t width, int first) {
    int64_t k = 0;
    for (; k + LANES <= width; k += LANES) {
        V t[8];
        for (int j = 0; j < rows; j++) t[j] = NAME(load)(x + j * b + k);
        for (int step = rows / 2; step; step /= 2)
            for (int j = 0; j < step; j++) t[j] = NAME(vjoin)(op, t[j], t[j + step]);
        *(VU *)(total + k) = first ? t[0] : NAME(vjoin)(op, NAME(load)(total + k), t[0]);
    }
    for (; k < width; k++) {
        T t[8];
        for (int j = 0; j < rows; j++) t[j] = x[j * b + k];
        for (int step = rows / 2; step; step /= 2)
            for (int j = 0; j < step; j++) t[j] = NAME(join)(op, t[j], t[j + step]);
        total[k] = first ? t[0] : NAME(join)(op, total[k], t[0]);
    }
}
