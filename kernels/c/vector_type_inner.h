/* The vectors of one type, for sources that are written once for float and double: REAL_BYTES says
 * which, 4 or 8. Gives REAL, VEC, VECU, INT (as wide as REAL), VEC_INT, LANES, LINE (numbers in a
 * cache line), LOAD, STORE and F(name), which adds the suffix; a second inclusion with the other
 * size replaces them.
 */
#include "common.h"

#undef REAL
#undef VEC
#undef VECU
#undef INT
#undef VEC_INT
#undef LANES
#undef LINE
#undef LOAD
#undef STORE
#undef F

#if REAL_BYTES == 4
#define REAL float
#define VEC vf
#define VECU vfu
#define INT int32_t
#define VEC_INT vi
#define LANES NF
#define LINE 16
#define LOAD load_f
#define STORE store_f
#define F(name) name##_f32
#else
#define REAL double
#define VEC vd
#define VECU vdu
#define INT int64_t
#define VEC_INT vl
#define LANES ND
#define LINE 8
#define LOAD load_d
#define STORE store_d
#define F(name) name##_f64
#endif
