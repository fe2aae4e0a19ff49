/* The plan of an expression, as backends/c_expression.py writes it: a list of whole numbers.
 *
 * A Header, the sizes of the outer axes, the Inputs, their strides along the outer axes, the
 * Instructions, the Results, and the constants, 8 bytes each.
 *
 * Operands are slots of a table of addresses: first inputs, then constants, registers (blocks in
 * the first cache), and results that instructions write straight into memory.
 */
#pragma once

#include "elementwise_inner.h"

typedef struct {
    int64_t size, n, axes;     /* positions, of them in a row; axes outside of rows */
    int64_t block, chunk;      /* positions at once (a part of a row, or rows); a thread's share */
    int64_t inputs, steps, results, constants, registers, register_bytes, slots;
    int64_t made;              /* the address of generated code; 0: the steps are interpreted */
    int64_t op, type, a, r, b; /* the reduction of (a, r, b) over r; op -1 where there is none */
} Header;

/* All of a chain for `count` positions; `at`: the table of addresses. backends/c_generate.py */
typedef void Made(char *const *at, int64_t count);

/* Where an input stands for a block of positions that begins at p. */
enum {
    WHOLE,  /* x + p: it has every axis */
    SINGLE, /* x: one number for all */
    IN_ROW, /* x + offset of the row (+ the column, if step): blocks are parts of rows */
    TILED   /* a register into which it is spread: blocks are many short rows */
};
typedef struct {
    int64_t way, size, step, tile; /* size: bytes of a number; tile: the register */
} Input;

typedef struct {
    int64_t row, to, a, b, c, steps, alone; /* alone: one number stands for all of the block */
} Instruction;

/* How a result leaves a block. */
enum {
    DIRECT, /* the instruction writes it where it belongs */
    COPIED, /* from a register, at the end: inputs that it may overwrite are read until then */
    AROUND, /* the same, around the cache */
    SPREAD, /* one number to all positions */
    FOLDED  /* the instruction writes it where the reduction wants it */
};
typedef struct {
    int64_t way, slot, size;
} Result;

typedef struct {
    const Header *h;
    const int64_t *sizes, *strides, *constants;
    const Input *inputs;
    const Instruction *code;
    const Result *results;
    void *const *out, *const *in;
    int aliased; /* a result is written over an input */
} Chain;

/* What a thread needs for its blocks. */
typedef struct {
    char **at;                 /* the table of addresses */
    int64_t tiled, tile_count; /* column and length of the block that the tiles hold */
} Place;

Chain chain_of(const int64_t *plan, void *const *buffers);
void chain_begin(const Chain *z, Place *place, char *registers);
void chain_block(const Chain *z, Place *place, int64_t p, int64_t count, char *folded);
int chain_fold(const Chain *z);

/* Declares `place` for a task, with its registers on the stack. */
#define PLACE(z)                                                                              \
    char *table[(z)->h->slots];                                                               \
    char scratch[(z)->h->registers * (z)->h->register_bytes + 64] __attribute__((aligned(64))); \
    Place place = {.at = table};                                                              \
    chain_begin(z, &place, scratch)
