/* relu(x + b) for one type, named as in vector_type_inner.h: rows begin ... end-1, which like `out`
   are multiples of VBYTES. */

static void F(bias_relu)(void *context, int64_t begin, int64_t end) {
    const Rows *w = context;
    const REAL *x = (const REAL *)w->x + begin * w->n, *b = w->b;
    REAL *out = (REAL *)w->out + begin * w->n;
    for (int64_t r = begin; r < end; r++, x += w->n, out += w->n)
        for (int64_t i = 0; i < w->n; i += LANES) {
            VEC s = LOAD(x + i) + LOAD(b + i);
            stream_i(out + i, (vi)((VEC_INT)s & ~(VEC_INT)(s <= 0)));
        }
    stream_end();
}
