/* A reduction behind a chain of elementwise functions: what is to be added up is never in memory.
 *
 *     for each unit of x (a, r, b):                           (parallel)
 *         for each part of it that fits the first cache:
 *             tile = the chain's last result there             expression.c
 *             total = total op (what the tile folds into)      as in reduce.c
 *
 * Units are cut by sizes alone and their totals meet in order, so that the bits do not depend on
 * the number of threads. Rows (b = 1) are cut into pieces, or taken many at once if they are short;
 * columns into bands of WIDTH, and r into pieces where the bands are too few for all threads.
 */
#include "expression_inner.h"
#include "fold_types_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { TILE = 2048, WIDTH = 256, LONG = 1 << 14, ENOUGH = 32, DEEP = 1 << 15 };

typedef struct {
    int64_t size, wide; /* bytes of a number, of a total */
    void (*line)(int op, void *total, const void *x, int64_t n, int more);
    void (*band)(int op, void *total, const void *x, int64_t rows, int64_t width, int more);
    void (*join)(int op, void *total, const void *partial, int64_t n);
    void (*finish)(void *out, const void *total, int64_t n);
} Folding;

#define BODY "fold_inner.h"
#include "types_inner.h"

#define BODY "expression_fold_inner.h"
#include "types_inner.h"

static const Folding *const FOLDINGS[TYPES] = {&folding_f32, &folding_f64, &folding_i32,
                                               &folding_i64, &folding_u8};

typedef struct {
    const Chain *z;
    const Folding *by;
    char *out, *partial;
    int64_t pieces, length, bands, group; /* length: of a piece of r; group: rows in a tile */
    int op;
} Fold;

/* count positions from p on, as many at once as a register holds. */
static void fill_tile(const Chain *z, Place *place, char *tile, int64_t size, int64_t p,
                      int64_t count) {
    const Header *h = z->h;
    for (int64_t done = 0, m; done < count; done += m) {
        m = MIN(h->block, count - done);
        if (h->block <= h->n) m = MIN(m, h->n - (p + done) % h->n);
        chain_block(z, place, p + done, m, tile + done * size);
    }
}

/* Units: groups of whole rows. */
static void fold_groups(void *context, int64_t begin, int64_t end) {
    const Fold *f = context;
    const int64_t r = f->z->h->r, size = f->by->size;
    char tile[TILE * 8] __attribute__((aligned(64))), total[8];
    PLACE(f->z);
    for (int64_t unit = begin; unit < end; unit++) {
        const int64_t row = unit * f->group, rows = MIN(f->group, f->z->h->a - row);
        fill_tile(f->z, &place, tile, size, row * r, rows * r);
        for (int64_t i = 0; i < rows; i++) {
            f->by->line(f->op, total, tile + i * r * size, r, 0);
            f->by->finish(f->out + (row + i) * size, total, 1);
        }
    }
}

/* Units: rows, or pieces of them. */
static void fold_rows(void *context, int64_t begin, int64_t end) {
    const Fold *f = context;
    const int64_t r = f->z->h->r, size = f->by->size;
    char tile[TILE * 8] __attribute__((aligned(64))), total[8];
    PLACE(f->z);
    for (int64_t unit = begin; unit < end; unit++) {
        const int64_t from = unit % f->pieces * f->length, count = MIN(f->length, r - from);
        for (int64_t done = 0; done < count; done += TILE) {
            const int64_t m = MIN(TILE, count - done);
            fill_tile(f->z, &place, tile, size, unit / f->pieces * r + from + done, m);
            f->by->line(f->op, total, tile, m, done > 0);
        }
        if (f->pieces > 1) memcpy(f->partial + unit * f->by->wide, total, (size_t)f->by->wide);
        else f->by->finish(f->out + unit * size, total, 1);
    }
}

/* Units: bands of columns, of a piece of r. */
static void fold_columns(void *context, int64_t begin, int64_t end) {
    const Fold *f = context;
    const int64_t r = f->z->h->r, b = f->z->h->b, size = f->by->size;
    char tile[TILE * 8] __attribute__((aligned(64))), total[WIDTH * 8];
    PLACE(f->z);
    for (int64_t unit = begin; unit < end; unit++) {
        const int64_t k = unit % f->bands * WIDTH, width = MIN(WIDTH, b - k);
        const int64_t piece = unit / f->bands % f->pieces, i = unit / f->bands / f->pieces;
        const int64_t from = piece * f->length, rows = MIN(f->length, r - from);
        const int64_t deep = TILE / width / 8 * 8;
        for (int64_t j = 0; j < rows; j += deep) {
            const int64_t m = MIN(deep, rows - j), p = (i * r + from + j) * b + k;
            if (width == b) fill_tile(f->z, &place, tile, size, p, m * b);
            else
                for (int64_t n = 0; n < m; n++)
                    fill_tile(f->z, &place, tile + n * width * size, size, p + n * b, width);
            f->by->band(f->op, total, tile, m, width, j > 0);
        }
        const int64_t at = (i * f->pieces + piece) * b + k, wide = f->by->wide;
        if (f->pieces > 1) memcpy(f->partial + at * wide, total, (size_t)(width * wide));
        else f->by->finish(f->out + at * size, total, width);
    }
}

/* out[i, k] = the total of partial[i, :, k]. */
static void fold_pieces(void *context, int64_t begin, int64_t end) {
    const Fold *f = context;
    const int64_t b = f->z->h->b, line = b * f->by->wide;
    for (int64_t i = begin; i < end; i++) {
        char *total = f->partial + i * f->pieces * line;
        for (int64_t n = 1; n < f->pieces; n++) f->by->join(f->op, total, total + n * line, b);
        f->by->finish(f->out + i * b * f->by->size, total, b);
    }
}

int chain_fold(const Chain *z) {
    const Header *h = z->h;
    Fold f = {.z = z, .by = FOLDINGS[h->type], .out = z->out[h->results - 1], .pieces = 1,
              .length = h->r, .bands = (h->b - 1) / WIDTH + 1, .group = TILE / h->r,
              .op = (int)h->op};
    if (h->b == 1 && f.group < 2) f.length = MIN(h->r, LONG);
    if (h->b > 1 && h->a * f.bands < ENOUGH) f.length = (DEEP / MIN(h->b, WIDTH) + 7) / 8 * 8;
    f.pieces = (h->r - 1) / f.length + 1;
    if (f.pieces > 1) {
        f.partial = workspace(0, (size_t)(h->a * f.pieces * h->b * f.by->wide));
        if (!f.partial) return -1;
    }
    const int64_t each = MIN(f.length, h->r) * MIN(h->b, WIDTH), grain = MAX(1, h->chunk / each);
    if (h->b > 1) parallel_for(fold_columns, &f, h->a * f.pieces * f.bands, grain);
    else if (f.group < 2) parallel_for(fold_rows, &f, h->a * f.pieces, grain);
    else parallel_for(fold_groups, &f, (h->a - 1) / f.group + 1, MAX(1, grain / f.group));
    if (f.pieces > 1) parallel_for(fold_pieces, &f, h->a, MAX(1, LONG / (f.pieces * h->b)));
    return 0;
}
