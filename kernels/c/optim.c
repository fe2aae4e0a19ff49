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
 * Where a parameter's gradient is a product, the step can be made on each part of it while that is in
 * the cache (linear_grad_sgd, linear_grad_adam): an MLP's 784 x 256 then take 45 us less of 190.
 *
 * Subnormal numbers count as 0. A velocity whose gradient stays 0, as a dead ReLU's does, shrinks by
 * 0.9 a step, comes below 1e-38 after 830, and rounds to the same few units of 1e-45 from then on;
 * arithmetic on those is a hundred times slower: LeNet's step took 69 us in place of 25.
 *
 * sum_squares keeps a sum for each piece and adds those in order: the same bits on any threads.
 */
#include "optim.h"

#include "common.h"
#include "gemm_then_inner.h"
#include "pool_inner.h"
#include "workspace_inner.h"

enum { PIECE = 8192, MOST_BUFFERS = 5 };

#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned Mode;
static void set_mode(Mode mode) { _mm_setcsr(mode); }
static Mode flush_subnormals(void) {
    const Mode before = _mm_getcsr();
    set_mode(before | 0x8040); /* as operands, as results */
    return before;
}
#elif defined(__aarch64__)
typedef uint64_t Mode;
static void set_mode(Mode mode) { __asm__ volatile("msr fpcr, %0" ::"r"(mode)); }
static Mode flush_subnormals(void) {
    Mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    set_mode(before | (Mode)1 << 24);
    return before;
}
#else
typedef int Mode;
static void set_mode(Mode mode) { (void)mode; }
static Mode flush_subnormals(void) { return 0; }
#endif

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
    const Mode before = flush_subnormals();
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
    set_mode(before);
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

static int step_all(Steps s, void *const *buffers, const int64_t *sizes, int64_t count) {
    s.buffers = buffers;
    s.sizes = sizes;
    s.count = count;
    return run(&s, 0) < 0 ? -1 : 0;
}

/* One parameter's step on a part of it, of which the gradient has just been made. */
static void step_part(const void *steps, int64_t from, int64_t n) {
    const Steps *s = steps;
    void *at[MOST_BUFFERS] = {0};
    for (int64_t k = 0; k < s->buffers_each; k++)
        at[k] = s->buffers[k] ? (char *)s->buffers[k] + from * s->bytes_each : NULL;
    const Mode before = flush_subnormals();
    s->rule(s, at, n, 0);
    set_mode(before);
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
