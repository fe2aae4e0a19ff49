/* Buffers from a cache of freed ones.
 *
 * A training step makes and drops the same large buffers again and again. malloc gives large blocks
 * back to the system at once, and the first touch of each page of a new one costs more than the
 * arithmetic: relu on 16M floats takes 15 ms on fresh pages and 3.4 ms on pages that are there.
 *
 *     new:   round the size up to its class; take the block freed last, else map a new one
 *     free:  push the block on the list of its class; beyond the limit, give it back instead
 *
 * Four classes to each power of two, so at most a quarter of a block is unused, and what was never
 * touched has no page behind it. The 64 bytes before a buffer say its class. Blocks from 1 MB are
 * mapped in pieces of 2 MB, which the system can back with single huge pages: one page fault
 * instead of 512.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common.h"
#include "workspace_inner.h"

enum { HEADER = 64, SMALLEST = 128, CLASSES = 4 * 50 };
#ifdef __SANITIZE_ADDRESS__
enum { EXACT = 1 }; /* no slack and no cache, so that it sees each byte too far and each late use */
#else
enum { EXACT = 0 };
#endif
static const size_t MAPPED_FROM = (size_t)1 << 20, HUGE_PAGE = (size_t)2 << 20;

typedef struct Block {
    struct Block *next;
    size_t class, bytes;
} Block;

static Block *freed[CLASSES];
static size_t cached, in_use, limit = (size_t)1 << 30;
static atomic_flag lock = ATOMIC_FLAG_INIT;

static void enter(void) {
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
    }
}

static void leave(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }

/* The class of a size, and the class's own size: (4 + quarter) << shift, at least SMALLEST. */
static size_t class_of(size_t bytes, size_t *rounded) {
    if (bytes <= SMALLEST) {
        *rounded = SMALLEST;
        return 0;
    }
    int shift = 61 - __builtin_clzll(bytes - 1);
    size_t quarter = ((bytes - 1) >> shift) + 1;
    *rounded = quarter << shift;
    return 4 * (size_t)(shift - 5) + quarter - 4;
}

static void *map_block(size_t bytes) {
    void *data;
    if (EXACT || bytes < MAPPED_FROM) return posix_memalign(&data, 64, bytes) ? NULL : data;
    size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (posix_memalign(&data, HUGE_PAGE, whole)) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(data, whole, MADV_HUGEPAGE);
#endif
    return data;
}

/* `bytes` bytes, 64-byte aligned, or NULL. */
void *buffer_new(size_t bytes) {
    size_t rounded;
    if (bytes > (size_t)1 << 52) return NULL;
    size_t class = class_of(bytes + HEADER, &rounded);
    if (EXACT) rounded = bytes + HEADER;
    enter();
    Block *block = freed[class];
    in_use += rounded;
    if (block) {
        freed[class] = block->next;
        cached -= rounded;
        leave();
        return (char *)block + HEADER;
    }
    leave();
    block = map_block(rounded);
    if (!block) {
        memory_release();
        block = map_block(rounded);
    }
    if (!block) {
        enter();
        in_use -= rounded;
        leave();
        return NULL;
    }
    block->class = class;
    block->bytes = rounded;
    return (char *)block + HEADER;
}

void buffer_free(void *data) {
    Block *block = (Block *)((char *)data - HEADER);
    enter();
    in_use -= block->bytes;
    int keep = !EXACT && cached + block->bytes <= limit;
    if (keep) {
        block->next = freed[block->class];
        freed[block->class] = block;
        cached += block->bytes;
    }
    leave();
    if (!keep) free(block);
}

/* Give all cached blocks back to the system. */
void memory_release(void) {
    for (size_t class = 0; class < CLASSES; class++) {
        enter();
        Block *block = freed[class];
        freed[class] = NULL;
        for (Block *b = block; b; b = b->next) cached -= b->bytes;
        leave();
        while (block) {
            Block *next = block->next;
            free(block);
            block = next;
        }
    }
}

void memory_set_limit(size_t bytes) {
    enter();
    limit = bytes;
    int over = cached > limit;
    leave();
    if (over) memory_release();
}

size_t memory_cached(void) { return cached; }

size_t memory_in_use(void) { return in_use; }

typedef struct {
    void *data[WORKSPACES];
    size_t bytes[WORKSPACES];
} Scratch;

static pthread_key_t scratch_key; /* its only use is the destructor at a thread's end */
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void free_scratch(void *scratch) {
    for (int slot = 0; slot < WORKSPACES; slot++) free(((Scratch *)scratch)->data[slot]);
    free(scratch);
}

static void make_scratch_key(void) { pthread_key_create(&scratch_key, free_scratch); }

void *workspace(int slot, size_t bytes) {
    static _Thread_local Scratch *mine;
    if (!mine) {
        pthread_once(&scratch_once, make_scratch_key);
        mine = calloc(1, sizeof *mine);
        if (!mine) return NULL;
        pthread_setspecific(scratch_key, mine);
    }
    if (mine->bytes[slot] < bytes) {
        free(mine->data[slot]);
        size_t rounded = EXACT ? bytes : (bytes + 4095) / 4096 * 4096;
        mine->data[slot] = map_block(rounded);
        mine->bytes[slot] = mine->data[slot] ? rounded : 0;
    }
    return mine->data[slot];
}
