/* Optimizer steps, each in one pass over memory, all parameters in one parallel loop.
 *
 *     for each parameter, for each piece of PIECE numbers of it:                   (parallel)
 *         for i in the piece:  m[i], v[i], p[i] = rule(p[i], g[i], m[i], v[i])
 *
 * Adam written in array operations passes memory twelve times; here each number is read and written
 * once: 28 bytes for each parameter, which is all that large models pay. Small ones pay for calls
 * instead: LeNet's ten tensors are one call and one parallel loop, whose unit is a piece of any of
 * them. The loops are plain; the compiler takes the tests of options out of them.
 *
 * sum_squares keeps a sum for each piece and adds those in order: the same bits on any threads.
 */
#include "optim.h"

#include "common.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { PIECE = 8192, MOST_BUFFERS = 5 };

typedef struct Steps Steps;
/* n numbers from `at` on; at[k] is NULL where the parameter has no such buffer. */
typedef void Rule(const Steps *steps, void *const at[MOST_BUFFERS], int64_t n, int64_t unit);

struct Steps {
    Rule *rule;
    void *const *buffers; /* [k * count + parameter] */
    const int64_t *sizes;
    int64_t count, buffers_each, bytes_each;
    int64_t *first; /* unit of each parameter, and the number of units */
    double *sums;   /* for each unit */
    const void *scale;
    double lr, momentum, dampening, decay, shrink, beta1, beta2, eps, root, rate, alpha;
    int nesterov;
};

static void run_units(void *context, int64_t begin, int64_t end) {
    const Steps *s = context;
    int64_t low = 0, high = s->count; /* the last parameter whose first unit is not after begin */
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (s->first[middle] <= begin) low = middle;
        else high = middle;
    }
    for (int64_t unit = begin; unit < end; unit++) {
        while (unit >= s->first[low + 1]) low++;
        const int64_t from = (unit - s->first[low]) * PIECE;
        void *at[MOST_BUFFERS] = {0};
        for (int64_t k = 0; k < s->buffers_each; k++) {
            char *buffer = s->buffers[k * s->count + low];
            at[k] = buffer ? buffer + from * s->bytes_each : NULL;
        }
        s->rule(s, at, MIN(PIECE, s->sizes[low] - from), unit);
    }
}

/* Run the rule on all pieces, with a sum for each of them if `sums`. The number of units, or -1. */
static int64_t run(Steps *s, int sums) {
    int64_t units = 0, numbers = 0;
    s->first = workspace(0, (size_t)(s->count + 1) * sizeof *s->first);
    if (!s->first) return -1;
    for (int64_t i = 0; i < s->count; i++) {
        s->first[i] = units;
        units += (s->sizes[i] + PIECE - 1) / PIECE;
        numbers += s->sizes[i];
    }
    s->first[s->count] = units;
    if (sums && !(s->sums = workspace(1, (size_t)(units + 1) * sizeof *s->sums))) return -1;
    if (units) parallel_for(run_units, s, units, numbers <= PIECE ? units : 1);
    return units;
}

#define INDEPENDENT _Pragma("GCC ivdep")

#define T float
#define NAME(name) name##_f32
#define ROOT sqrtf
#include "optim_rules_inner.h"
#undef T
#undef NAME
#undef ROOT

#define T double
#define NAME(name) name##_f64
#define ROOT sqrt
#include "optim_rules_inner.h"
