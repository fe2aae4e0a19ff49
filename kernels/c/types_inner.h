/* Includes BODY once for each dtype: numbers T, vectors V of them (VU: anywhere in memory, VI:
 * masks), WIDE for totals of many, and NAME(f), which is f_f32 and so on. */
#define LANES ((int)(sizeof(V) / sizeof(T)))

#define WIDE double
#define T float
#define V vf
#define VU vfu
#define VI vi
#define NAME(f) f##_f32
#include BODY
#undef T
#undef V
#undef VU
#undef VI
#undef NAME

#define T double
#define V vd
#define VU vdu
#define VI vl
#define NAME(f) f##_f64
#include BODY
#undef WIDE
#undef T
#undef V
#undef VU
#undef VI
#undef NAME

#define WIDE int32_t
#define T int32_t
#define V vi
#define VU viu
#define VI vi
#define NAME(f) f##_i32
#include BODY
#undef WIDE
#undef T
#undef V
#undef VU
#undef VI
#undef NAME

#define WIDE int64_t
#define T int64_t
#define V vl
#define VU vlu
#define VI vl
#define NAME(f) f##_i64
#include BODY
#undef WIDE
#undef T
#undef V
#undef VU
#undef VI
#undef NAME

#define WIDE uint8_t
#define T uint8_t
#define V vb
#define VU vbu
#define VI vb
#define NAME(f) f##_u8
#include BODY
#undef WIDE
#undef T
#undef V
#undef VU
#undef VI
#undef NAME
#undef LANES
#undef BODY
