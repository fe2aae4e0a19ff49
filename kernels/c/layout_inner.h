/* The loops of layout.c for one size of number, T; TILE is a vector of them, where there is one. */

INLINE void NAME(row)(T *RESTRICT dst, const T *RESTRICT src, int64_t n, int64_t d, int64_t s,
                      int stream) {
    if (d == 1 && s == 1) {
        if (stream)
            stream_copy((char *)dst, (const char *)src, (size_t)n * sizeof(T));
        else
            memcpy(dst, src, (size_t)n * sizeof(T));
    } else if (d == 1 && s == 0) {
        const T value = *src;
        for (int64_t i = 0; i < n; i++) dst[i] = value;
    } else if (d == 1 && s == -1) {
        for (int64_t i = 0; i < n; i++) dst[i] = src[-i];
    } else {
        for (int64_t i = 0; i < n; i++) dst[i * d] = src[i * s];
    }
}

static void NAME(rows)(void *context, int64_t begin, int64_t end) {
    const Copy *c = context;
    const int64_t outer = c->axes - 1, *last = c->plan + 3 * outer;
    const int64_t n = last[0], d = last[1], s = last[2];
    Walk w;
    walk_to(&w, c->plan, outer, begin / c->pieces);
    for (int64_t at = begin; at < end; at++) {
        const int64_t piece = at % c->pieces, from = piece * CHUNK, length = MIN(n - from, CHUNK);
        NAME(row)((T *)c->dst + w.d + from * d, (const T *)c->src + w.s + from * s, length, d, s,
                  c->stream);
        if (piece == c->pieces - 1) walk_on(&w, c->plan, outer);
    }
    if (c->stream) stream_end();
}

/* dst[j*d + i] = src[i*s + j] for m rows j of n numbers i. */
INLINE void NAME(scalar_block)(T *RESTRICT dst, int64_t d, const T *RESTRICT src, int64_t s,
                               int64_t m, int64_t n) {
    for (int64_t j = 0; j < m; j++)
        for (int64_t i = 0; i < n; i++) dst[j * d + i] = src[i * s + j];
}

static void NAME(block)(T *RESTRICT dst, int64_t d, const T *RESTRICT src, int64_t s, int64_t m,
                        int64_t n, int stream) {
#ifdef TILE
    enum { LANES = VBYTES / sizeof(T) };
    const int64_t whole_m = m - m % LANES, whole_n = n - n % LANES;
    for (int64_t j = 0; j < whole_m; j += LANES)
        for (int64_t i = 0; i < whole_n; i += LANES) {
            TILE t[LANES];
            for (int k = 0; k < LANES; k++) memcpy(t + k, src + (i + k) * s + j, VBYTES);
            TRANSPOSE(t);
            for (int k = 0; k < LANES; k++) {
                T *to = dst + (j + k) * d + i;
                if (stream) {
                    stream_i(to, (vi)t[k]);
                } else {
                    memcpy(to, t + k, VBYTES);
                }
            }
        }
    NAME(scalar_block)(dst + whole_n, d, src + whole_n * s, s, whole_m, n - whole_n);
    NAME(scalar_block)(dst + whole_m * d, d, src + whole_m, s, m - whole_m, n);
#else
    (void)stream;
    NAME(scalar_block)(dst, d, src, s, m, n);
#endif
}

static void NAME(tiles)(void *context, int64_t begin, int64_t end) {
    const Copy *c = context;
    const int64_t outer = c->axes - 2, *down = c->plan + 3 * outer, *along = down + 3;
    Walk w;
    walk_to(&w, c->plan, outer, begin / c->pieces);
    for (int64_t at = begin; at < end; at++) {
        const int64_t piece = at % c->pieces;
        const int64_t j = piece / c->across * DOWN, i = piece % c->across * ALONG;
        NAME(block)((T *)c->dst + w.d + j * down[1] + i, down[1],
                    (const T *)c->src + w.s + i * along[2] + j, along[2],
                    MIN(DOWN, down[0] - j), MIN(ALONG, along[0] - i), c->stream);
        if (piece == c->pieces - 1) walk_on(&w, c->plan, outer);
    }
    if (c->stream) stream_end();
}
