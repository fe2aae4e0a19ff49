/* A pool of threads for loops of a few microseconds.
 *
 *     caller:  publish the loop; claim chunks until none is left; wait until all are done
 *     worker:  wait for a loop; claim chunks until none is left
 *
 * Starting a thread costs 55 us, OpenMP's region 1 to 3; this one about 0.3, because
 *   - workers that have just worked look for the next loop for SPIN_NS before they sleep, and yield
 *     the core between looks, so that they steal little from others;
 *   - chunks are claimed by one compare-and-swap on one word, `board`: the loop's generation, how
 *     many claims it has, and how many were taken from either end. A worker that comes late finds
 *     another generation, and its claim fails; no lock guards the loop's description, which changes
 *     only when all is done.
 *   - a claim takes several chunks where there are many.
 *   - every other thread claims from the far end. Two threads so keep to their halves from loop to
 *     loop, and what one kernel wrote is in the cache of the core that reads it next: relu on
 *     65,536 numbers takes 4 us, with claims in one order 11, more than on one thread.
 *
 * One loop runs at a time. A loop inside a loop, or beside that of another thread, runs on its own
 * thread, chunk by chunk as it would on many. Workers do not survive a fork: a handler makes the
 * child forget them, and they are started again when it needs them.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "common.h"
#include "pool_inner.h"

enum { MOST_THREADS = 256, LOOKS_PER_YIELD = 32, CLAIMS_PER_THREAD = 16 };
enum { BITS = 14, MASK = (1 << BITS) - 1 }; /* of the three counts on the board */
enum { GENERATIONS = (1 << (64 - 3 * BITS)) - 1 };
static const int64_t SPIN_NS = 60000; /* between two kernels of a training step pass 5 to 50 us */

static struct {
    _Atomic(Task) task;
    _Atomic(void *) context;
    _Atomic int64_t count, grain, per_claim; /* numbers; numbers in a chunk, in a claim */
    _Atomic int core;                        /* the caller's */
} job;
static _Atomic uint64_t board; /* generation, claims, taken from the far end, from the near one */
static _Atomic uint32_t done;  /* claims */
static _Atomic int threads = 1; /* that take part */
static int started;             /* workers that exist; only the loop's owner reads or writes it */
static atomic_flag owned = ATOMIC_FLAG_INIT;
static _Atomic int asleep;
static _Atomic int kept_awake; /* by how many callers */
static pthread_mutex_t bedroom = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t alarm_clock = PTHREAD_COND_INITIALIZER;
#ifdef __linux__
static cpu_set_t allowed; /* the cores that the process may use, read before the first worker */
#endif
static _Thread_local int inside; /* this thread is working on a loop */

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t generation_on(uint64_t word) { return (uint32_t)(word >> (3 * BITS)); }

static void run_chunks(Task task, void *context, int64_t begin, int64_t end, int64_t grain) {
    for (; begin < end; begin += grain) task(context, begin, MIN(end, begin + grain));
}

/* As thread `number`, claim and run chunks of the loop of `generation` until none is left. */
static void work(uint32_t generation, int number) {
    const int far = number % 2;
    for (;;) {
        uint64_t seen = atomic_load(&board);
        Task task = atomic_load_explicit(&job.task, memory_order_relaxed);
        void *context = atomic_load_explicit(&job.context, memory_order_relaxed);
        int64_t count = atomic_load_explicit(&job.count, memory_order_relaxed);
        int64_t grain = atomic_load_explicit(&job.grain, memory_order_relaxed);
        int64_t per_claim = atomic_load_explicit(&job.per_claim, memory_order_relaxed);
        int64_t claims = seen >> (2 * BITS) & MASK;
        int64_t from_far = seen >> BITS & MASK, from_near = seen & MASK;
        if (generation_on(seen) != generation || from_far + from_near >= claims) return;
        if (!atomic_compare_exchange_weak(&board, &seen, seen + (far ? 1 << BITS : 1))) continue;
        int64_t begin = (far ? claims - 1 - from_far : from_near) * per_claim;
        run_chunks(task, context, begin, MIN(count, begin + per_claim), grain);
        atomic_fetch_add(&done, 1);
    }
}

/* Wait until the generation differs from `last`: look for a while, then sleep, unless kept awake. */
static uint32_t wait_for_loop(uint32_t last) {
    int64_t end = now_ns() + SPIN_NS;
    for (int look = 1;; look++) {
        uint32_t generation = generation_on(atomic_load(&board));
        if (generation != last) return generation;
        if (look % LOOKS_PER_YIELD) {
            pause_briefly();
        } else {
            sched_yield();
            if (atomic_load_explicit(&kept_awake, memory_order_relaxed)) end = now_ns() + SPIN_NS;
            else if (now_ns() > end) break;
        }
    }
    pthread_mutex_lock(&bedroom);
    atomic_fetch_add(&asleep, 1);
    while (generation_on(atomic_load(&board)) == last) pthread_cond_wait(&alarm_clock, &bedroom);
    atomic_fetch_sub(&asleep, 1);
    pthread_mutex_unlock(&bedroom);
    return generation_on(atomic_load(&board));
}

/* Two threads on one core take turns while the other core idles, and the scheduler may leave them so
 * for tens of milliseconds. So a worker that meets the caller moves to any other core. */
#ifdef __linux__
static int current_core(void) { return sched_getcpu(); }

static void part_from_caller(void) {
    int core = atomic_load_explicit(&job.core, memory_order_relaxed);
    if (core < 0 || core != sched_getcpu()) return;
    cpu_set_t cores = allowed;
    CPU_CLR(core, &cores);
    if (CPU_COUNT(&cores)) sched_setaffinity(0, sizeof cores, &cores);
}
#else
static int current_core(void) { return -1; }

static void part_from_caller(void) {}
#endif

static void *worker(void *number) {
    uint32_t generation = 0; /* the board never shows 0 after the first loop */
    inside = 1;
    for (;;) {
        generation = wait_for_loop(generation);
        part_from_caller();
        if ((int)(intptr_t)number < atomic_load(&threads)) work(generation, (int)(intptr_t)number);
    }
    return NULL;
}

/* Start the workers that are missing; where the system refuses, the loop has fewer. */
static void start_workers(int wanted) {
    static int registered;
    pthread_attr_t attributes;
    if (!registered) {
        void forget_workers(void);
        pthread_atfork(NULL, NULL, forget_workers);
#ifdef __linux__
        sched_getaffinity(0, sizeof allowed, &allowed);
#endif
        registered = 1;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (; started < wanted; started++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, worker, (void *)(intptr_t)(started + 1))) break;
    }
    pthread_attr_destroy(&attributes);
}

/* In the child of a fork: no worker is there, and a lock may have been held by one. */
void forget_workers(void) {
    started = 0;
    atomic_store(&asleep, 0);
    atomic_store(&kept_awake, 0);
    atomic_store(&board, 0);
    atomic_flag_clear(&owned);
    pthread_mutex_init(&bedroom, NULL);
    pthread_cond_init(&alarm_clock, NULL);
    inside = 0;
}

void parallel_for(Task task, void *context, int64_t count, int64_t grain) {
    int team = atomic_load_explicit(&threads, memory_order_relaxed);
    if (team < 2 || count <= grain || inside || atomic_flag_test_and_set(&owned)) {
        run_chunks(task, context, 0, count, grain);
        return;
    }
    if (started < team - 1) start_workers(team - 1);
    int64_t chunks = (count - 1) / grain + 1;
    int64_t per_claim = grain * MAX(1, chunks / (CLAIMS_PER_THREAD * team));
    uint64_t claims = (count - 1) / per_claim + 1;
    atomic_store_explicit(&job.task, task, memory_order_relaxed);
    atomic_store_explicit(&job.context, context, memory_order_relaxed);
    atomic_store_explicit(&job.count, count, memory_order_relaxed);
    atomic_store_explicit(&job.grain, grain, memory_order_relaxed);
    atomic_store_explicit(&job.per_claim, per_claim, memory_order_relaxed);
    atomic_store_explicit(&job.core, current_core(), memory_order_relaxed);
    atomic_store_explicit(&done, 0, memory_order_relaxed);
    uint32_t generation = (generation_on(atomic_load(&board)) + 1) & GENERATIONS;
    generation += generation == 0;
    atomic_store(&board, (uint64_t)generation << (3 * BITS) | claims << (2 * BITS));
    if (atomic_load(&asleep)) {
        pthread_mutex_lock(&bedroom);
        pthread_cond_broadcast(&alarm_clock);
        pthread_mutex_unlock(&bedroom);
    }
    inside = 1;
    work(generation, 0);
    inside = 0;
    for (int look = 1; atomic_load(&done) != claims; look++)
        look % LOOKS_PER_YIELD ? pause_briefly() : (void)sched_yield();
    atomic_flag_clear(&owned);
}

void pool_stay_awake(int change) { atomic_fetch_add(&kept_awake, change); }

void pool_set_threads(int wanted) { atomic_store(&threads, MAX(1, MIN(wanted, MOST_THREADS))); }

int pool_threads(void) { return atomic_load(&threads); }
