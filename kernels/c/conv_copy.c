/* The padded copy of an image, as conv_inner.h defines it. */
#include "common.h"
#include "conv_inner.h"
#include "transpose_tiles_inner.h"

/* Every second lane of the pair (a, b) into a, the others into b. */
#define EVEN(n, s, l) (2 * (l))
#define ODD(n, s, l) (2 * (l) + 1)
#define EVEN_ODD(name, VEC, lanes)                                                   \
    INLINE void name(VEC *a, VEC *b) {                                                 \
        VEC even = __builtin_shufflevector(*a, *b, lanes(EVEN, 0, 0));               \
        *b = __builtin_shufflevector(*a, *b, lanes(ODD, 0, 0));                    \
        *a = even;                                                                 \
    }
#if VBYTES == 64
EVEN_ODD(even_odd_f32, vf, LANES_16)
EVEN_ODD(even_odd_f64, vd, LANES_8)
#elif VBYTES == 32
EVEN_ODD(even_odd_f32, vf, LANES_8)
EVEN_ODD(even_odd_f64, vd, LANES_4)
#else
EVEN_ODD(even_odd_f32, vf, LANES_4)
EVEN_ODD(even_odd_f64, vd, LANES_2)
#endif

#define REAL_BYTES 4
#include "vector_type_inner.h"
#include "conv_copy_inner.h"
#undef REAL_BYTES
#define REAL_BYTES 8
#include "vector_type_inner.h"
#include "conv_copy_inner.h"
