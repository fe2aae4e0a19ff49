/* What the files of the elementwise functions share: rows, and the tables that list them.
 *
 * A row is the innermost loop: out[i] = f(a[i], b[i], c[i]) for i < n. Bit k of `steps` says whether
 * operand k moves with i; an operand that does not is one number for the whole row. `out` may be one
 * of the operands. elementwise.c makes all shapes and threads of rows.
 */
#pragma once

#include "common.h"
#include "elementwise_list_inner.h"

enum { F32, F64, I32, I64, BOOL, TYPES };

typedef void Row(void *out, const void *a, const void *b, const void *c, int64_t n, int steps);

#define ROW_ARGUMENTS                                                                      \
    (void *out_, const void *a_, const void *b_, const void *c_, \
     int64_t n, int steps)

/* Says that no element of a loop needs one that was written in it, though `out` be an operand. */
#define INDEPENDENT _Pragma("GCC ivdep")

typedef struct {
    int truth; /* whether the result is bool */
    Row *rows[TYPES];
} Function;

extern const Function UNARY[], BINARY[];
extern Row *const CASTS[TYPES * TYPES]; /* [from * TYPES + to] */
Row *where_row(int64_t size), *fill_row(int64_t size);

INLINE int64_t size_of_type(int type) { return type == BOOL ? 1 : type == F32 || type == I32 ? 4 : 8; }

/* relu(x + b) past the cache; n numbers are a multiple of VBYTES. elementwise_bias.c */
void *bias_relu(int type, void *out, const void *x, const void *b, int64_t rows, int64_t n);
