/* Recurrent cells: what comes after the products, in one pass over the gates.
 *
 *     for each row, for each unit:  read its gates; sigmoid, tanh; new state; store all
 *
 * Composed from separate functions, an LSTM step reads and writes its arrays some twenty times, and
 * a step of 32 x 128 units is so small that each of the twenty calls costs more than its
 * arithmetic. Here four gates are four loads, and what lies between stays in registers.
 *
 * Rows are cut into tasks of some thousand units. Whole sequences: recurrent_sequence.c.
 */
#include "recurrent.h"

#include "pool_inner.h"
#include "vector_gates_inner.h"

enum { UNITS_PER_TASK = 1024 };

#define REAL_BYTES 4
#include "recurrent_units_inner.h"
#include "recurrent_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "recurrent_units_inner.h"
#include "recurrent_inner.h"
