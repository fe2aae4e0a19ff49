/* Scratch memory of the thread that asks: it keeps its size and stays mapped from call to call.
 *
 * 64-byte aligned, on huge pages where the system has them; contents are unspecified. `slot` 0 ... 7
 * tells pieces apart that are in use at the same time. NULL if there is no memory.
 */
#pragma once

#include <stddef.h>

enum { WORKSPACES = 8 };

void *workspace(int slot, size_t bytes);
