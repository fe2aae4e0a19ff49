/* scatter_add and range_first_bad of index.c for one type T. */

/* 0, or 1 + the place of the first value for which low <= value < high does not hold. */
int64_t NAME(range_first_bad)(const T *x, int64_t count, double low, double high) {
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= !((double)x[i] >= low) | !((double)x[i] < high);
    if (!bad) return 0;
    int64_t i = 0;
    while ((double)x[i] >= low && (double)x[i] < high) i++;
    return i + 1;
}

static void NAME(scatter_part)(void *context, int64_t begin, int64_t end) {
    const Rows *z = context;
    const int64_t strips = (z->length + z->strip - 1) / z->strip;
    for (int64_t at = begin; at < end; at++) {
        const int64_t from = at % strips * z->strip, width = MIN(z->strip, z->length - from);
        const int64_t low = at / strips * z->range, rows = MIN(z->range, z->rows - low);
        T *out = (T *)z->out + from;
        const T *x = (const T *)z->x + from;
        if (width == z->length) {
            memset(out + low * width, 0, (size_t)(rows * width) * sizeof(T));
        } else {
            for (int64_t r = low; r < low + rows; r++)
                memset(out + r * z->length, 0, (size_t)width * sizeof(T));
        }
        for (int64_t i = 0; i < z->count; i++) {
            const int64_t row = place(z->indices, i, z->rows);
            if (row < low || row >= low + rows) continue;
            T *RESTRICT to = out + row * z->length;
            const T *RESTRICT more = x + i * z->length;
            for (int64_t k = 0; k < width; k++) to[k] = JOIN(to[k], more[k]);
        }
    }
}

void NAME(scatter_add)(T *out, const T *x, const int64_t *indices, int64_t count, int64_t rows,
                       int64_t length) {
    Rows z = {out, x, indices, count, rows, length, length, rows};
    if (count * length > GRAIN) {
        if (length >= 2 * STRIP)
            z.strip = MAX(STRIP, (length / RANGES + STRIP - 1) / STRIP * STRIP);
        else
            z.range = (rows + RANGES - 1) / RANGES;
    }
    const int64_t strips = (length + z.strip - 1) / z.strip;
    parallel_for(NAME(scatter_part), &z, strips * ((rows + z.range - 1) / z.range), 1);
}

#undef T
#undef NAME
#undef JOIN
