/* A recorded program as one list of calls (tape.c). */
#pragma once
#include <stdint.h>
const char *tape_signatures(void);
void *tape_call(int number);
int64_t tape_run(uint64_t *words, const int64_t *segment, void **slots, int64_t start, uint64_t key,
                 uint64_t low, uint64_t high, int64_t *times);
