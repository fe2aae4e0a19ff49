/* How many threads take part in a parallel loop, the caller among them. */
#pragma once
void pool_set_threads(int threads);
int pool_threads(void);
