/* sort.c for one type: numbers T with keys K. */

typedef struct {
    int64_t place;
    K key;
} NAME(Pair);

static void NAME(insertion)(NAME(Pair) *p, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const NAME(Pair) one = p[i];
        int64_t j = i;
        for (; j > 0 && p[j - 1].key > one.key; j--) p[j] = p[j - 1];
        p[j] = one;
    }
}

/* Sorts p, with `other` of the same size; the result is in the one that is returned. */
static NAME(Pair) *NAME(radix)(NAME(Pair) *p, NAME(Pair) *other, int64_t n) {
    int64_t counts[sizeof(K)][DIGITS];
    memset(counts, 0, sizeof counts);
    for (int64_t i = 0; i < n; i++)
        for (size_t d = 0; d < sizeof(K); d++) counts[d][p[i].key >> 8 * d & (DIGITS - 1)]++;
    for (size_t d = 0; d < sizeof(K); d++) {
        int64_t next[DIGITS], total = 0;
        if (counts[d][p[0].key >> 8 * d & (DIGITS - 1)] == n) continue;
        for (int v = 0; v < DIGITS; v++) {
            next[v] = total;
            total += counts[d][v];
        }
        for (int64_t i = 0; i < n; i++) other[next[p[i].key >> 8 * d & (DIGITS - 1)]++] = p[i];
        NAME(Pair) *swap = p;
        p = other;
        other = swap;
    }
    return p;
}

static void NAME(sort_rows)(void *context, int64_t begin, int64_t end) {
    Sort *z = context;
    const int64_t n = z->length;
    NAME(Pair) *pairs = workspace(0, 2 * (size_t)n * sizeof *pairs);
    if (!pairs) {
        __atomic_store_n(&z->failed, -1, __ATOMIC_RELAXED);
        return;
    }
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)z->x + row * n;
        const K flip = z->descending ? (K)~(K)0 : 0;
        for (int64_t i = 0; i < n; i++) pairs[i] = (NAME(Pair)){i, (K)(NAME(key)(x[i]) ^ flip)};
        const NAME(Pair) *sorted = pairs;
        if (n <= SHORT)
            NAME(insertion)(pairs, n);
        else
            sorted = NAME(radix)(pairs, pairs + n, n);
        for (int64_t i = 0; i < n; i++) z->out[row * n + i] = sorted[i].place;
    }
}

int NAME(argsort)(int descending, int64_t *out, const T *x, int64_t rows, int64_t length) {
    Sort z = {out, x, length, descending, 0};
    parallel_for(NAME(sort_rows), &z, rows, MAX(1, GRAIN / length));
    return z.failed;
}

#undef T
#undef K
#undef NAME
