/* The vectors of one type, for sources that are written once for float and double: REAL_BYTES says
 * which, 4 or 8. Gives REAL, VEC, VECU, VEC_INT, LANES, LINE (numbers in a cache line) and
 * F(name), which adds the suffix; a second inclusion with the other size replaces them.
 */
#include "common.h"

#undef REAL
#undef VEC
#undef VECU
#undef VEC_INT
#undef LANES
#undef LINE
#undef F

#if REAL_BYTES == 4
#define REAL float
#define VEC vf
#define VECU vfu
#define VEC_INT vi
#define LANES NF
#define LINE 16
#define F(name) name##_f32
#else
#define REAL double
#define VEC vd
#define VECU vdu
#define VEC_INT vl
#define LANES ND
#define LINE 8
#define F(name) name##_f64
#endif
