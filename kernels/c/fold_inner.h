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

/* total op x[0] op x[1] ..., one after the other. */
INLINE WIDE NAME(few)(int op, WIDE total, const T *x, int64_t n) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; i++) total = NAME(wjoin)(op, total, x[i]);
    return total;
}

/* The total of n numbers, 1 or more. */
INLINE WIDE NAME(run)(int op, const T *x, int64_t n) {
    const int64_t group = 8 * LANES;
    if (n < group) return NAME(few)(op, x[0], x + 1, n - 1);
    int64_t groups = MIN(n, BLOCK) / group, i = groups * group;
    WIDE total = NAME(block)(op, x, groups);
    for (; n - i >= group; i += groups * group) {
        groups = MIN(n - i, BLOCK) / group;
        total = NAME(wjoin)(op, total, NAME(block)(op, x + i, groups));
    }
    return NAME(few)(op, total, x + i, n - i);
}

/* wide[k] = the total of `rows` rows from x on, k below `width`; `more`: of wide[k] as well.
 * reduce.c */
void NAME(fold_down)(int op, WIDE *wide, const T *x, int64_t b, int64_t rows, int64_t width,
                     int more);
