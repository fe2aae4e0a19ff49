/* An interpreter for chains of elementwise functions.
 *
 *     for each block of positions:                       (parallel)
 *         for each instruction:  row(to, a, b, c, count)     a row of elementwise_inner.h
 *
 * One call for each function sweeps memory for each. Here a block goes through all of them while it
 * is in the first cache: ten plain functions of 16M numbers take 8 ms instead of 45, of 4,096
 * numbers 1.9 us. Results are equal to the bit, as the rows are those of single functions. What it
 * costs is a call for each instruction and block, 4 ns (a hundred additions of ten numbers take
 * 0.6 us), and the way to the first cache and back: a loop compiled for the ten functions takes
 * two thirds as long on 64K numbers, three quarters on 16M, and 0.3 s to compile. Where a plan has
 * such code (backends/c_generate.py), it takes the place of a block's instructions.
 *
 * An input that is broadcast over many short rows would make blocks short. Those blocks hold many
 * rows, and the input is spread into a register first (TILED), once for all blocks if it is a row.
 * What depends on one number for the whole block is computed for that number alone.
 */
#include "expression.h"

#include "expression_inner.h"
#include "pool_inner.h"
#include "stream_inner.h"

Chain chain_of(const int64_t *plan, void *const *buffers) {
    const Header *h = (const Header *)plan;
    Chain z = {.h = h, .sizes = (const int64_t *)(h + 1), .out = buffers};
    z.in = buffers + h->results;
    z.inputs = (const Input *)(z.sizes + h->axes);
    z.strides = (const int64_t *)(z.inputs + h->inputs);
    z.code = (const Instruction *)(z.strides + h->inputs * h->axes);
    z.results = (const Result *)(z.code + h->steps);
    z.constants = (const int64_t *)(z.results + h->results);
    for (int64_t k = 0; k < h->results; k++)
        for (int64_t j = 0; j < h->inputs; j++) z.aliased |= z.out[k] == z.in[j];
    return z;
}

/* The addresses that stay the same for all blocks. */
void chain_begin(const Chain *z, Place *place, char *registers) {
    const Header *h = z->h;
    char **at = place->at;
    place->tiled = -1;
    for (int64_t k = 0; k < h->inputs; k++) at[k] = z->in[k];
    at += h->inputs;
    for (int64_t k = 0; k < h->constants; k++) at[k] = (char *)(z->constants + k);
    at += h->constants;
    for (int64_t k = 0; k < h->registers; k++) at[k] = registers + k * h->register_bytes;
}

/* Where a row of an input begins, in numbers. */
INLINE int64_t offset_of(const Chain *z, const int64_t *strides, int64_t row) {
    int64_t offset = 0;
    for (int64_t axis = z->h->axes - 1; axis > 0; row /= z->sizes[axis--])
        offset += row % z->sizes[axis] * strides[axis];
    return z->h->axes ? offset + row * strides[0] : 0;
}

/* Spread an input over `count` positions from column `first` of `row` on. */
static void spread(const Chain *z, int64_t k, char *tile, int64_t row, int64_t first,
                   int64_t count) {
    const Input x = z->inputs[k];
    for (int64_t done = 0; done < count; row++, first = 0) {
        const int64_t m = MIN(z->h->n - first, count - done);
        const int64_t offset = offset_of(z, z->strides + k * z->h->axes, row);
        const char *from = (const char *)z->in[k] + (offset + x.step * first) * x.size;
        if (x.step) memcpy(tile + done * x.size, from, (size_t)(m * x.size));
        else fill_row(x.size)(tile + done * x.size, from, NULL, NULL, m, 0);
        done += m;
    }
}

/* Whether an input lies along rows alone, so that its tile serves all blocks. */
static int same_in_rows(const Chain *z, int64_t k) {
    for (int64_t axis = 0; axis < z->h->axes; axis++)
        if (z->strides[k * z->h->axes + axis]) return 0;
    return 1;
}

static void stand_inputs(const Chain *z, Place *place, int64_t p, int64_t count) {
    const Header *h = z->h;
    const int64_t row = p / h->n, first = p % h->n;
    const int held = place->tiled == first && place->tile_count >= count;
    for (int64_t k = 0; k < h->inputs; k++) {
        const Input x = z->inputs[k];
        char *in = z->in[k];
        if (x.way == WHOLE) {
            place->at[k] = in + p * x.size;
        } else if (x.way == IN_ROW) {
            const int64_t offset = offset_of(z, z->strides + k * h->axes, row);
            place->at[k] = in + (offset + x.step * first) * x.size;
        } else if (x.way == TILED) {
            place->at[k] = place->at[x.tile];
            if (!held || !same_in_rows(z, k)) spread(z, k, place->at[k], row, first, count);
        }
    }
    if (!held) {
        place->tiled = first;
        place->tile_count = count;
    }
}

/* Positions p ... p + count - 1; what is to be reduced goes to `folded`. */
void chain_block(const Chain *z, Place *place, int64_t p, int64_t count, char *folded) {
    const Header *h = z->h;
    char **at = place->at;
    stand_inputs(z, place, p, count);
    for (int64_t k = 0; k < h->results; k++) {
        const Result r = z->results[k];
        if (r.way == DIRECT) at[r.slot] = (char *)z->out[k] + p * r.size;
        if (r.way == FOLDED) at[r.slot] = folded;
    }
    if (h->made) ((Made *)h->made)(at, count);
    for (const Instruction *i = z->code, *end = i + h->steps; i < end; i++)
        ((Row *)i->row)(at[i->to], at[i->a], at[i->b], at[i->c], i->alone ? 1 : count,
                        (int)i->steps);
    for (int64_t k = 0; k < h->results; k++) {
        const Result r = z->results[k];
        char *out = (char *)z->out[k] + p * r.size;
        const size_t bytes = (size_t)(count * r.size);
        if (r.way == AROUND && !z->aliased) stream_copy(out, at[r.slot], bytes);
        else if (r.way == COPIED || r.way == AROUND) memcpy(out, at[r.slot], bytes);
        if (r.way == SPREAD) fill_row(r.size)(out, at[r.slot], NULL, NULL, count, 0);
    }
}

/* Units are blocks: of rows that are as long as one, else of all positions. */
static void run_units(void *context, int64_t begin, int64_t end) {
    const Chain *z = context;
    const Header *h = z->h;
    const int64_t line = h->block <= h->n ? h->n : h->size, pieces = (line - 1) / h->block + 1;
    PLACE(z);
    for (int64_t u = begin; u < end; u++) {
        const int64_t first = u % pieces * h->block;
        chain_block(z, &place, u / pieces * line + first, MIN(h->block, line - first), NULL);
    }
    stream_end();
}

int expression_run(const int64_t *plan, void *const *buffers) {
    Chain z = chain_of(plan, buffers);
    const Header *h = z.h;
    if (h->op >= 0) return chain_fold(&z);
    const int64_t line = h->block <= h->n ? h->n : h->size;
    const int64_t units = h->size / line * ((line - 1) / h->block + 1);
    parallel_for(run_units, &z, units, MAX(1, h->chunk / h->block));
    return 0;
}

/* The address of a row, for plans: kinds 1 and 2 are functions of so many operands by their code, 3
 * is selection of numbers of `code` bytes, 4 conversion. */
int64_t expression_row(int kind, int code) {
    Row *row = kind == 1   ? UNARY[code / TYPES].rows[code % TYPES]
               : kind == 2 ? BINARY[code / TYPES].rows[code % TYPES]
               : kind == 3 ? where_row(code)
                           : CASTS[code];
    return (int64_t)(intptr_t)row;
}
