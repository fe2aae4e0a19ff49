/* Sums over a run of at most BLOCK numbers for one type: T, vectors V (VU: anywhere in memory).
 *
 * Four vectors of totals hide the latency of additions; the chains are so short that float32 loses
 * nothing that matters, and what they give is carried on in double precision.
 */

INLINE V NAME(load)(const T *x) { return *(const VU *)x; }

INLINE double NAME(lanes)(V t) {
    T lane[LANES];
    *(VU *)lane = t;
    for (int step = LANES / 2; step; step /= 2)
        for (int k = 0; k < step; k++) lane[k] += lane[k + step];
    return (double)lane[0];
}

INLINE double NAME(four)(const V *t) { return NAME(lanes)((t[0] + t[1]) + (t[2] + t[3])); }

static double NAME(sum)(const T *x, int64_t n) {
    V t[4] = {{0}, {0}, {0}, {0}};
    int64_t i = 0;
    double rest = 0.0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) t[k] += NAME(load)(x + i + k * LANES);
    for (; i + LANES <= n; i += LANES) t[0] += NAME(load)(x + i);
    for (; i < n; i++) rest += (double)x[i];
    return NAME(four)(t) + rest;
}

/* The sums of d = x - shift and of d * d. */
static void NAME(sums_around)(const T *x, int64_t n, T shift, double *sum, double *squares) {
    V t[4] = {{0}, {0}, {0}, {0}}, q[4] = {{0}, {0}, {0}, {0}};
    int64_t i = 0;
    double rest = 0.0, rest_squares = 0.0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            const V d = NAME(load)(x + i + k * LANES) - shift;
            t[k] += d;
            q[k] += d * d;
        }
    for (; i + LANES <= n; i += LANES) {
        const V d = NAME(load)(x + i) - shift;
        t[0] += d;
        q[0] += d * d;
    }
    for (; i < n; i++) {
        const T d = x[i] - shift;
        rest += (double)d;
        rest_squares += (double)d * (double)d;
    }
    *sum = NAME(four)(t) + rest;
    *squares = NAME(four)(q) + rest_squares;
}
