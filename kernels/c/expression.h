/* Chains of elementwise functions in one sweep over memory (expression.c).
 *
 * `plan` is what backends/c_expression.py makes of an expression and shapes (expression_inner.h);
 * buffers: first the results, then the inputs. -1: no scratch memory. */
#pragma once
#include <stdint.h>
int expression_run(const int64_t *plan, void *const *buffers);
int64_t expression_row(int kind, int code);
