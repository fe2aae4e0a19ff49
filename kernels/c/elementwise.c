/* Elementwise functions of any shapes: rows, told where to run, on threads and past the cache.
 *
 *     for r in all positions of the outer axes, in pieces:        (parallel)
 *         row(out + n r, a + offset(a, r), b + offset(b, r), c + offset(c, r), n)
 *
 * Python merges axes that lie alike in all operands (c_elementwise.py), so that most calls have no
 * outer axis: they are one row, cut into pieces of PIECE numbers for the threads. Up to SERIAL
 * numbers a row is just called: waking a thread costs more.
 *
 * Results beyond STREAM_FROM bytes go around the cache. A plain store first reads the line that it
 * fills, and pushes others out: relu moves three bytes of memory for each byte of the result,
 * with streaming stores two. Rows know nothing of it: they fill BLOCK bytes in the first cache,
 * which are then copied out.
 */
#include "elementwise.h"
#include "elementwise_inner.h"
#include "memory.h"
#include "pool_inner.h"
#include "stream_inner.h"

enum { SERIAL = 16384, PIECE = 8192, BLOCK = 4096, OPERANDS = 3 };
static const int64_t STREAM_FROM = 8 << 20;

Row unary_relu_f32, unary_relu_f64;

/* `plan` counts numbers: the row's length n, its steps, how many outer axes there are; their sizes,
 * outermost first; and for each operand its stride along each of them, 0 where it is broadcast. */
typedef struct {
    Row *row, *then; /* `then`, if any, is a unary function of the row's result */
    char *out;
    const char *in[OPERANDS];
    int64_t out_size, in_size[OPERANDS], n, pieces, piece;
    const int64_t *plan;
    int steps, stream;
} Work;

/* n numbers of a row, from where the pointers stand. */
static void run_piece(const Work *w, char *out, const char *const in[OPERANDS], int64_t n) {
    if (!w->then && !w->stream) {
        w->row(out, in[0], in[1], in[2], n, w->steps);
        return;
    }
    char block[BLOCK] __attribute__((aligned(64)));
    const int64_t most = BLOCK / w->out_size;
    for (int64_t i = 0; i < n; i += most) {
        const char *at[OPERANDS];
        const int64_t m = MIN(most, n - i);
        char *end = out + i * w->out_size, *to = w->stream ? block : end;
        for (int k = 0; k < OPERANDS; k++)
            at[k] = in[k] + (w->steps >> k & 1) * i * w->in_size[k];
        w->row(to, at[0], at[1], at[2], m, w->steps);
        if (w->then) w->then(to, to, NULL, NULL, m, 1);
        if (w->stream) stream_copy(end, block, (size_t)(m * w->out_size));
    }
}

/* Units begin ... end-1: unit u is piece u % pieces of outer position u / pieces. */
static void run_units(void *context, int64_t begin, int64_t end) {
    const Work *w = context;
    const int64_t axes = w->plan ? w->plan[2] : 0, *sizes = w->plan + 3, *strides = sizes + axes;
    int64_t position[axes + 1], offset[OPERANDS] = {0};
    int64_t row = begin / w->pieces, piece = begin % w->pieces;
    for (int64_t axis = axes - 1, r = row; axis >= 0; r /= sizes[axis--]) {
        position[axis] = r % sizes[axis];
        for (int k = 0; k < OPERANDS; k++)
            if (w->in_size[k]) offset[k] += position[axis] * strides[k * axes + axis];
    }
    for (int64_t u = begin; u < end; u++) {
        const int64_t first = piece * w->piece, n = MIN(w->piece, w->n - first);
        const char *at[OPERANDS];
        for (int k = 0; k < OPERANDS; k++)
            at[k] = w->in[k] + (offset[k] + (w->steps >> k & 1) * first) * w->in_size[k];
        run_piece(w, w->out + (row * w->n + first) * w->out_size, at, n);
        if (++piece < w->pieces) continue;
        piece = 0;
        row++;
        for (int64_t axis = axes - 1; axis >= 0; axis--) {
            const int64_t back = ++position[axis] < sizes[axis] ? 0 : sizes[axis];
            for (int k = 0; k < OPERANDS; k++)
                if (w->in_size[k]) offset[k] += (1 - back) * strides[k * axes + axis];
            if (!back) break;
            position[axis] = 0;
        }
    }
    if (w->stream) stream_end();
}

/* Do the work: `rows` rows of w->n numbers. Returns out, made here if it is NULL; NULL: no memory. */
static void *run(Work *w, int64_t rows) {
    const int64_t bytes = rows * w->n * w->out_size;
    if (!w->out && !(w->out = buffer_new((size_t)bytes))) return NULL;
    w->stream = bytes >= STREAM_FROM && w->out != w->in[0] && w->out != w->in[1] &&
                w->out != w->in[2];
    w->pieces = (w->n - 1) / PIECE + 1;
    w->piece = MIN(w->n, PIECE);
    if (!w->n) return w->out;
    const int64_t units = rows * w->pieces, most = w->stream ? 8 * PIECE : PIECE;
    parallel_for(run_units, w, units, rows * w->n <= SERIAL ? units : MAX(1, most / w->piece));
    return w->out;
}

static int64_t result_size(const Function *f, int type) { return f->truth ? 1 : size_of_type(type); }

/* A plain number as one of a type. */
static void *number_of(int type, double real, int64_t whole, void *room) {
    if (type == F32) *(float *)room = (float)real;
    else if (type == F64) *(double *)room = real;
    else if (type == I32) *(int32_t *)room = (int32_t)whole;
    else if (type == I64) *(int64_t *)room = whole;
    else *(uint8_t *)room = whole != 0;
    return room;
}

void *elementwise_unary(int code, void *out, const void *x, int64_t n) {
    const Function *f = &UNARY[code / TYPES];
    const int type = code % TYPES;
    Work w = {.row = f->rows[type], .out = out, .in = {x}, .n = n, .steps = 1};
    w.out_size = result_size(f, type);
    w.in_size[0] = size_of_type(type);
    return run(&w, 1);
}

static void *binary(int code, void *out, const void *a, const void *b, int64_t n, int steps,
                    const int64_t *plan) {
    const Function *f = &BINARY[code / TYPES];
    const int type = code % TYPES;
    int64_t rows = 1;
    Work w = {.row = f->rows[type], .out = out, .in = {a, b}, .n = n, .plan = plan, .steps = steps};
    w.out_size = result_size(f, type);
    w.in_size[0] = w.in_size[1] = size_of_type(type);
    for (int64_t axis = 0; plan && axis < plan[2]; axis++) rows *= plan[3 + axis];
    return run(&w, rows);
}

/* One row of n numbers. */
void *elementwise_binary(int code, void *out, const void *a, const void *b, int64_t n, int steps) {
    return binary(code, out, a, b, n, steps, NULL);
}

/* x and a number, which is `real` for floats, `whole` for integers; operand `side` (1 or 2) is x. */
void *elementwise_number(int code, void *out, const void *x, double real, int64_t whole, int64_t n,
                         int side) {
    int64_t room;
    const void *number = number_of(code % TYPES, real, whole, &room);
    return binary(code, out, side == 1 ? x : number, side == 1 ? number : x, n, side, NULL);
}

void *elementwise_broadcast(int code, void *out, const void *a, const void *b,
                            const int64_t *plan) {
    return binary(code, out, a, b, plan[0], (int)plan[1], plan);
}

void *elementwise_where(int type, void *out, const void *c, const void *a, const void *b,
                        const int64_t *plan) {
    const int64_t size = size_of_type(type);
    int64_t rows = 1;
    Work w = {.row = where_row(size), .out = out, .in = {c, a, b}, .n = plan[0], .plan = plan,
              .steps = (int)plan[1], .out_size = size, .in_size = {1, size, size}};
    for (int64_t axis = 0; axis < plan[2]; axis++) rows *= plan[3 + axis];
    return run(&w, rows);
}

/* f(x + b) for x (rows, n) and b (n): each block is still in the first cache when f comes. */
void *elementwise_bias(int code, void *out, const void *x, const void *b, int64_t rows, int64_t n) {
    const int type = code % TYPES;
    const int64_t size = size_of_type(type), plan[] = {n, 3, 1, rows, n, 0};
    Work w = {.row = BINARY[0].rows[type], .then = UNARY[code / TYPES].rows[type], .out = out,
              .in = {x, b}, .n = n, .plan = plan, .steps = 3, .out_size = size,
              .in_size = {size, size}};
    const int relu = w.then == unary_relu_f32 || w.then == unary_relu_f64;
    if (relu && out != x && rows * n * size >= STREAM_FROM && n * size % VBYTES == 0)
        return bias_relu(type, out, x, b, rows, n);
    return run(&w, rows);
}

void *elementwise_cast(int from, int to, void *out, const void *x, int64_t n) {
    Work w = {.row = CASTS[from * TYPES + to], .out = out, .in = {x}, .n = n, .steps = 1,
              .out_size = size_of_type(to), .in_size = {size_of_type(from)}};
    return run(&w, 1);
}

void *elementwise_full(int type, void *out, double real, int64_t whole, int64_t n) {
    int64_t room;
    const int64_t size = size_of_type(type);
    Work w = {.row = fill_row(size), .out = out, .n = n, .out_size = size};
    w.in[0] = number_of(type, real, whole, &room);
    return run(&w, 1);
}
