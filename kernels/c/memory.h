/* Memory of buffers: a cache between the kernels' callers and the system (memory.c). */
#pragma once
#include <stddef.h>
void *buffer_new(size_t bytes);
void buffer_free(void *data);
void memory_release(void);
void memory_set_limit(size_t bytes);
size_t memory_cached(void);
size_t memory_in_use(void);
