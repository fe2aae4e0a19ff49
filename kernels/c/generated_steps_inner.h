/* The steps of generated chains for one type; generated_inner.h includes it for each.
 *
 * T is the type of a number in a register and V of a vector of them; MEMORY and VU in memory, where
 * they stand anywhere; NAME(x) the type's name for x.
 */

/* Positions i ... i + left - 1, at most NF of them. */
INLINE void NAME(load)(T *y, const char *from, int64_t i, int64_t left) {
    const MEMORY *x = (const MEMORY *)from + i;
    if (left >= NF) {
        VECTORS *(V *)(y + k) = CONVERTED(*(const VU *)(x + k), V);
    } else {
        MEMORY own[NF] = {0}; /* a copy: results of another type may lie where inputs do */
        memcpy(own, x, (size_t)left * sizeof(MEMORY));
        EACH y[k] = own[k];
    }
}

INLINE void NAME(store)(char *to, const T *y, int64_t i, int64_t left) {
    MEMORY *x = (MEMORY *)to + i;
    if (left >= NF) {
        VECTORS *(VU *)(x + k) = CONVERTED(*(const V *)(y + k), VU);
    } else {
        MEMORY own[NF];
        EACH own[k] = (MEMORY)y[k];
        memcpy(x, own, (size_t)left * sizeof(MEMORY));
    }
}

/* One number for all positions. */
INLINE void NAME(repeat)(T *y, const char *from) {
    VECTORS *(V *)(y + k) = (T)*(const MEMORY *)from - (V){0};
}

/* A copy of which the compiler does not know where it comes from. */
INLINE void NAME(apart)(T *y, const T *x) {
    VECTORS {
        V part = *(const V *)(x + k);
        __asm__("" : IN_VECTOR(part));
        *(V *)(y + k) = part;
    }
}

#define UNARY_STEP(name, R, expression)                   \
    INLINE void NAME(unary_##name)(R *y, const T *as) {   \
        T own[NF] REGISTER;                             \
        NAME(apart)(own, as);                             \
        EACH {                                            \
            const T x = own[k];                           \
            y[k] = expression;                            \
        }                                                 \
    }

#define BINARY_STEP(name, R, expression)                                \
    INLINE void NAME(binary_##name)(R *y, const T *as, const T *bs) {   \
        T left[NF] REGISTER, right[NF] REGISTER;                        \
        NAME(apart)(left, as);                                          \
        NAME(apart)(right, bs);                                         \
        EACH {                                                          \
            const T a = left[k], b = right[k];                          \
            y[k] = expression;                                          \
        }                                                               \
    }

#ifdef F
#define PLAIN_UNARY(name, R, real, whole) UNARY_STEP(name, R, real)
#define PLAIN_BINARY(name, R, real, whole) BINARY_STEP(name, R, real)
#define REAL_UNARY(name, real) UNARY_STEP(name, T, real)
#define REAL_BINARY(name, real) BINARY_STEP(name, T, real)
UNARY_REAL(REAL_UNARY)
BINARY_REAL(REAL_BINARY)
#undef REAL_UNARY
#undef REAL_BINARY
#else
#define PLAIN_UNARY(name, R, real, whole) UNARY_STEP(name, R, whole)
#define PLAIN_BINARY(name, R, real, whole) BINARY_STEP(name, R, whole)
#endif
UNARY_PLAIN(PLAIN_UNARY)
BINARY_PLAIN(PLAIN_BINARY)

INLINE void NAME(where)(T *y, const int32_t *condition, const T *as, const T *bs) {
    EACH {
        const T a = as[k], b = bs[k];
        y[k] = condition[k] ? a : b;
    }
}

#undef PLAIN_UNARY
#undef PLAIN_BINARY
#undef UNARY_STEP
#undef BINARY_STEP
