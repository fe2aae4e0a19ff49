/* The rows of the PLAIN and REAL functions for one type; elementwise_plain.c includes it for each.
 *
 * T is the type, NAME(x) its name for x, F(f) the C library's f for it (floats only). Each loop is
 * what one would write first; the compiler makes vectors of it and packs a bool result to bytes.
 */
#define SAME T
#define TRUTH uint8_t

#define UNARY_ROW(name, R, expression)                \
    void NAME(unary_##name) ROW_ARGUMENTS {           \
        R *out = out_;                                \
        const T *as = a_;                             \
        INDEPENDENT for (int64_t i = 0; i < n; i++) { \
            const T x = as[i];                        \
            out[i] = expression;                      \
        }                                             \
    }

#define LOOP(first, second, expression)               \
    INDEPENDENT for (int64_t i = 0; i < n; i++) {     \
        const T a = first, b = second;                \
        out[i] = expression;                          \
    }

#define BINARY_ROW(name, R, expression)               \
    void NAME(binary_##name) ROW_ARGUMENTS {          \
        R *out = out_;                                \
        const T *as = a_, *bs = b_, a0 = *as, b0 = *bs; \
        if (steps == 3) LOOP(as[i], bs[i], expression)  \
        else if (steps == 1) LOOP(as[i], b0, expression) \
        else LOOP(a0, bs[i], expression)              \
    }

#ifdef F
#define PLAIN_UNARY(name, R, real, whole) UNARY_ROW(name, R, real)
#define PLAIN_BINARY(name, R, real, whole) BINARY_ROW(name, R, real)
#define REAL_UNARY(name, real) UNARY_ROW(name, T, real)
#define REAL_BINARY(name, real) BINARY_ROW(name, T, real)
UNARY_REAL(REAL_UNARY)
BINARY_REAL(REAL_BINARY)
#undef REAL_UNARY
#undef REAL_BINARY
#else
#define PLAIN_UNARY(name, R, real, whole) UNARY_ROW(name, R, whole)
#define PLAIN_BINARY(name, R, real, whole) BINARY_ROW(name, R, whole)
#define WHOLE_BINARY(name, whole) BINARY_ROW(name, T, whole)
BINARY_WHOLE(WHOLE_BINARY)
#undef WHOLE_BINARY
#endif
UNARY_PLAIN(PLAIN_UNARY)
BINARY_PLAIN(PLAIN_BINARY)

#undef PLAIN_UNARY
#undef PLAIN_BINARY
#undef SAME
#undef TRUTH
#undef UNARY_ROW
#undef BINARY_ROW
#undef LOOP
