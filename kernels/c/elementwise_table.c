/* The tables of elementwise functions, made from the lists of elementwise_list_inner.h. */
#include "elementwise.h"
#include "elementwise_inner.h"

/* the rows, which other files define */
#define FLOATS(row) Row row##_f32, row##_f64;
#define WHOLES(row) Row row##_i32, row##_i64, row##_bool;
#define PLAIN_1(name, result, real, whole) FLOATS(unary_##name) WHOLES(unary_##name)
#define PLAIN_2(name, result, real, whole) FLOATS(binary_##name) WHOLES(binary_##name)
#define REAL_1(name, ...) FLOATS(unary_##name)
#define REAL_2(name, ...) FLOATS(binary_##name)
#define WHOLE_2(name, whole) WHOLES(binary_##name)
#define UNARY_FLOATS(X) UNARY_REAL(X) UNARY_VECTOR(X) UNARY_LIBRARY(X)
#define BINARY_FLOATS(X) BINARY_REAL(X) BINARY_VECTOR(X) BINARY_LIBRARY(X)
UNARY_PLAIN(PLAIN_1) UNARY_FLOATS(REAL_1)
BINARY_PLAIN(PLAIN_2) BINARY_FLOATS(REAL_2) BINARY_WHOLE(WHOLE_2)
#undef FLOATS
#undef WHOLES
#undef PLAIN_1
#undef PLAIN_2
#undef REAL_1
#undef REAL_2
#undef WHOLE_2

/* their numbers */
#define NUMBER_1(name, ...) UNARY_##name,
#define NUMBER_2(name, ...) BINARY_##name,
enum { UNARY_PLAIN(NUMBER_1) UNARY_FLOATS(NUMBER_1) UNARIES };
enum { BINARY_PLAIN(NUMBER_2) BINARY_FLOATS(NUMBER_2) BINARIES };

/* the tables */
#define SAME 0
#define TRUTH 1
#define FLOATS(number, row) [number].rows[F32] = row##_f32, [number].rows[F64] = row##_f64,
#define WHOLES(number, row)                                                    \
    [number].rows[I32] = row##_i32, [number].rows[I64] = row##_i64,            \
    [number].rows[BOOL] = row##_bool,
#define PLAIN_1(name, result, real, whole)                                     \
    [UNARY_##name].truth = result, FLOATS(UNARY_##name, unary_##name)          \
                                       WHOLES(UNARY_##name, unary_##name)
#define PLAIN_2(name, result, real, whole)                                     \
    [BINARY_##name].truth = result, FLOATS(BINARY_##name, binary_##name)       \
                                        WHOLES(BINARY_##name, binary_##name)
#define REAL_1(name, ...) FLOATS(UNARY_##name, unary_##name)
#define REAL_2(name, ...) FLOATS(BINARY_##name, binary_##name)
#define WHOLE_2(name, whole) WHOLES(BINARY_##name, binary_##name)
const Function UNARY[] = {UNARY_PLAIN(PLAIN_1) UNARY_FLOATS(REAL_1)};
const Function BINARY[] = {BINARY_PLAIN(PLAIN_2) BINARY_FLOATS(REAL_2) BINARY_WHOLE(WHOLE_2)};

#define SPELL(name, ...) #name " "
static const char unary_names[] = UNARY_PLAIN(SPELL) UNARY_FLOATS(SPELL);
static const char binary_names[] = BINARY_PLAIN(SPELL) BINARY_FLOATS(SPELL);

/* The names of the functions of one or two operands in the order of their numbers, a blank apart. */
const char *elementwise_names(int operands) { return operands == 1 ? unary_names : binary_names; }

/* Whether the function exists for the type. */
int elementwise_exists(int operands, int code) {
    return (operands == 1 ? UNARY : BINARY)[code / TYPES].rows[code % TYPES] != NULL;
}
