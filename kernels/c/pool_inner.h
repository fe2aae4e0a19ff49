/* The one way to run a loop on several threads.
 *
 *     for each chunk [begin, end) of `grain` numbers in 0 ... count-1:  task(context, begin, end)
 *
 * The chunks depend on count and grain alone, never on the number of threads: a kernel that keeps
 * one partial result for each chunk and adds those up in order gives the same bits on any number.
 */
#pragma once

#include <stdint.h>

typedef void (*Task)(void *context, int64_t begin, int64_t end);

void parallel_for(Task task, void *context, int64_t count, int64_t grain);

/* 1: from now on workers that are awake stay so; -1: until here. Calls nest. */
void pool_stay_awake(int change);
