/* relu(x + b) for one type T, rows begin ... end-1; rows and `out` are multiples of VBYTES. */

static void NAME(bias_relu)(void *context, int64_t begin, int64_t end) {
    const Rows *w = context;
    const T *x = (const T *)w->x + begin * w->n, *b = w->b;
    T *out = (T *)w->out + begin * w->n;
    for (int64_t r = begin; r < end; r++, x += w->n, out += w->n)
        for (int64_t i = 0; i < w->n; i += LANES) {
            V s = LOAD(x + i) + LOAD(b + i);
            stream_i(out + i, (vi)((I)s & ~(I)(s <= 0)));
        }
    stream_end();
}
