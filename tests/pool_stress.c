/* The thread pool under stress: many short loops, from several threads, nested, and after a fork.
 *
 * Every number of every loop must be visited once, in chunks of the stated size. Prints "good".
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"
#include "pool_inner.h"

enum { LARGEST = 5000, CALLERS = 3 };

typedef struct {
    unsigned char visits[LARGEST];
    int64_t count, grain;
    int nested;
    _Atomic int bad_chunks;
} Loop;

static void nothing(void *context, int64_t begin, int64_t end) {
    atomic_fetch_add((_Atomic int64_t *)context, end - begin);
}

static void visit(void *context, int64_t begin, int64_t end) {
    Loop *loop = context;
    int64_t expected = begin + loop->grain < loop->count ? begin + loop->grain : loop->count;
    if (begin % loop->grain || end != expected) atomic_fetch_add(&loop->bad_chunks, 1);
    for (int64_t i = begin; i < end; i++) loop->visits[i]++;
    if (loop->nested) {
        _Atomic int64_t total = 0;
        parallel_for(nothing, &total, 100, 7);
        if (total != 100) atomic_fetch_add(&loop->bad_chunks, 1);
    }
}

static void check_loop(unsigned *seed) {
    static _Thread_local Loop loop;
    memset(&loop, 0, sizeof loop);
    loop.count = rand_r(seed) % LARGEST;
    loop.grain = 1 + rand_r(seed) % (1 + rand_r(seed) % LARGEST);
    loop.nested = rand_r(seed) % 8 == 0;
    parallel_for(visit, &loop, loop.count, loop.grain);
    int bad = loop.bad_chunks;
    for (int64_t i = 0; i < LARGEST; i++) bad += loop.visits[i] != (i < loop.count);
    if (bad) {
        printf("bad: %d of count %d, grain %d\n", bad, (int)loop.count, (int)loop.grain);
        exit(1);
    }
}

static int loops;

static void *caller(void *number) {
    unsigned seed = (unsigned)(intptr_t)number;
    for (int i = 0; i < loops; i++) {
        if (i % 300 == 0) pool_stay_awake(1);
        check_loop(&seed);
        if (i % 300 == 99 || (i % 300 < 99 && i == loops - 1)) pool_stay_awake(-1);
        if (i % 500 == 499) nanosleep(&(struct timespec){0, 300000}, NULL); /* workers sleep */
        if (i % 700 == 699) pool_set_threads(1 + (int)(rand_r(&seed) % 6));
    }
    return NULL;
}

static void run_callers(int how_many) {
    pthread_t threads[CALLERS];
    for (intptr_t i = 0; i < how_many; i++) pthread_create(&threads[i], NULL, caller, (void *)(i + 1));
    for (int i = 0; i < how_many; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char **argv) {
    loops = argc > 1 ? atoi(argv[1]) : 20000;
    pool_set_threads(4);
    run_callers(1);
    run_callers(CALLERS);
    if (argc > 2) { /* ThreadSanitizer cannot follow threads into a forked child */
        puts("good");
        return 0;
    }
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (!child) {
            run_callers(i % CALLERS + 1);
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status) return puts("bad: the child"), 1;
        loops = 200;
    }
    puts("good");
    return 0;
}
