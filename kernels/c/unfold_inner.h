/* unfold.c for one type T. */

static void __attribute__((unused)) NAME(unfold)(void *context, int64_t begin, int64_t end) {
    const Windows *z = context;
    const int64_t *last = z->plan + (z->axes - 1) * FIELDS;
    const int64_t count = last[COUNT], stride = last[STRIDE];
    for (int64_t at = begin; at < end; at++) {
        const T *x = (const T *)z->x + at / z->kernel * z->size;
        T *out = (T *)z->out + at * z->positions;
        Row row;
        set_element(&row, z, at % z->kernel);
        for (int64_t o = 0; o < z->positions; o += count, out += count, next_row(&row, z)) {
            look_up(&row, z);
            for (int64_t i = 0; i < row.first; i++) out[i] = 0;
            if (stride == 1) {
                for (int64_t i = row.first; i < row.end; i++) out[i] = x[row.start + i];
            } else {
                for (int64_t i = row.first; i < row.end; i++) out[i] = x[row.start + i * stride];
            }
            for (int64_t i = row.end; i < count; i++) out[i] = 0;
        }
    }
}

static void NAME(fold_planes)(void *context, int64_t begin, int64_t end) {
    const Windows *z = context;
    const int64_t *last = z->plan + (z->axes - 1) * FIELDS;
    const int64_t count = last[COUNT], stride = last[STRIDE];
    for (int64_t plane = begin; plane < end; plane++) {
        T *out = (T *)z->out + plane * z->size;
        const T *x = (const T *)z->x + plane * z->kernel * z->positions;
        memset(out, 0, (size_t)z->size * sizeof(T));
        for (int64_t k = 0; k < z->kernel; k++) {
            Row row;
            set_element(&row, z, k);
            for (int64_t o = 0; o < z->positions; o += count, x += count, next_row(&row, z)) {
                look_up(&row, z);
                T *RESTRICT to = out + row.start;
                const T *RESTRICT more = x;
                if (stride == 1) {
                    for (int64_t i = row.first; i < row.end; i++) to[i] = JOIN(to[i], more[i]);
                } else {
                    for (int64_t i = row.first; i < row.end; i++)
                        to[i * stride] = JOIN(to[i * stride], more[i]);
                }
            }
        }
    }
}

#undef T
#undef NAME
#undef JOIN
