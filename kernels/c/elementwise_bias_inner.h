/* relu(x + b) for one type T, stored past the cache straight from registers.
 *
 * Other functions fill a block in the first cache, which is copied out; while it is filled, memory
 * rests. For the one chain that every layer ends with, that is a fifth of the time (4096 x 1024
 * floats: 690 us by blocks, 575 so). The processor fetches ahead within a page only, hence AHEAD.
 */

/* `out` is a multiple of VBYTES. */
static void NAME(bias_relu) ROW_ARGUMENTS {
    T *out = out_;
    const T *x = a_, *b = b_;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __builtin_prefetch(x + i + AHEAD / sizeof(T));
        V s = LOAD(x + i) + LOAD(b + i);
        stream_i(out + i, (vi)((I)s & ~(I)(s <= 0)));
    }
    for (; i < n; i++) out[i] = x[i] + b[i] <= 0 ? 0 : x[i] + b[i];
}
