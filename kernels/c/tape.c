/* The tape: a program that was recorded once runs again as one call from Python.
 *
 *     make memory for results;  put this run's addresses and random counters into the words
 *     for each record:  record.call(record.arguments);  stop if it refuses            (one thread)
 *
 * An eager step of a small network is mostly Python: shapes, plans, memory, a call through cffi, for
 * each of some hundred kernels a microsecond or more. All of that depends on shapes alone, so
 * backends/c_tape.py does it once and keeps what comes out: which kernels are called, with which
 * arguments. A record is
 *
 *     call | length | argument | argument | ...                                     (64 bits each)
 *
 * where `call` is a function that hands the arguments on to one kernel (tape_inner.h). A chain of 200
 * functions of ten numbers takes 6 us, 0.03 for each, its arithmetic included; eagerly 800. Most
 * addresses never change: values that live only inside a run have their places in one arena. What
 * differs from run to run is listed beside the tape: words that hold addresses in what was given or
 * is given back ("slots"), and counters of random numbers.
 *
 * Kernels run one after another on this thread, and each spreads its own loops over the pool. Its
 * workers stay awake until the tape ends, so that no serial stretch sends them to sleep; in steps
 * without one, where kernels follow each other closely, that makes no difference.
 *
 * A kernel that refuses (an index out of range, no scratch memory) ends the run at its record. The
 * caller does that instruction again by itself, which raises the error that an eager step would.
 */
#define _GNU_SOURCE
#include "tape.h"

#include <time.h>

#include "memory.h"
#include "pool_inner.h"
#include "tape_inner.h"

/* A segment is a list of numbers: where its records begin and end, how many of each kind of change
 * follow, and the changes: fresh (slot, bytes), moves (word, slot, offset), counters (word, ahead). */
enum { BEGIN, END, FRESH, MOVES, COUNTERS, HEADER };

const char *tape_signatures(void) { return TAPE_SIGNATURES; }

void *tape_call(int number) { return (void *)TAPE_CALLS[number]; }

static int make_fresh(const int64_t *fresh, int64_t count, void **slots) {
    for (int64_t k = 0; k < count; k++) {
        void *data = buffer_new((size_t)fresh[2 * k + 1]);
        slots[fresh[2 * k]] = data;
        if (data) continue;
        while (k-- > 0) buffer_free(slots[fresh[2 * k]]);
        return -1;
    }
    return 0;
}

/* Three words of a kernel that makes random numbers: the key, and the counter, a number of 128 bits. */
static void count_from(Word *w, uint64_t ahead, uint64_t key, uint64_t low, uint64_t high) {
    w[0].i = (int64_t)key;
    w[1].i = (int64_t)(low + ahead);
    w[2].i = (int64_t)(high + (low + ahead < low));
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t run(const Word *w, int64_t at, int64_t end) {
    for (; at < end; at += w[at + 1].i)
        if (((Call *)w[at].p)(w + at + 2)) break;
    return at;
}

/* The same with a look at the clock around each record: see tape_run. */
static int64_t run_timed(const Word *w, int64_t at, int64_t end, int64_t begun, int64_t *times) {
    for (; at < end; at += w[at + 1].i) {
        times[at] = now_ns() - begun;
        if (((Call *)w[at].p)(w + at + 2)) break;
        times[at + 1] = now_ns() - begun;
    }
    return at;
}

/* Run the records from word `start` on; before the segment's first one do what this run changes.
 * Where the segment ends if all went well; else the word of the record that refused, or -1 if there
 * is no memory for results. `times`, if not NULL, has a number for each word: those of a record's
 * first two become the nanoseconds since this call began, when the kernel began and when it ended. */
int64_t tape_run(uint64_t *words, const int64_t *segment, void **slots, int64_t start, uint64_t key,
                 uint64_t low, uint64_t high, int64_t *times) {
    const int64_t begun = times ? now_ns() : 0;
    Word *w = (Word *)words;
    const int64_t *fresh = segment + HEADER, *moves = fresh + 2 * segment[FRESH];
    const int64_t *counters = moves + 3 * segment[MOVES];
    if (start == segment[BEGIN]) {
        if (make_fresh(fresh, segment[FRESH], slots)) return -1;
        for (int64_t k = 0; k < segment[MOVES]; k++, moves += 3)
            w[moves[0]].p = (char *)slots[moves[1]] + moves[2];
        for (int64_t k = 0; k < segment[COUNTERS]; k++, counters += 2)
            count_from(w + counters[0], (uint64_t)counters[1], key, low, high);
    }
    pool_stay_awake(1);
    start = times ? run_timed(w, start, segment[END], begun, times) : run(w, start, segment[END]);
    pool_stay_awake(-1);
    return start;
}
