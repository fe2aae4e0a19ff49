/* Random bits by counting, Philox4x32-10, and the numbers made of them.
 *
 *     for block in 0 ... ceil(count / 4)-1:
 *         words[4 block ... 4 block + 3] = encrypt(counter + block, key)
 *
 * A cipher turns 0, 1, 2, ... into words that no test tells from random ones. Nothing is carried
 * from block to block, so blocks lie side by side in vectors, and threads take any part. Salmon,
 * Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
 *
 * The words stay in the cache until they are numbers: a uniform number is written once, where the
 * composition from separate operations passes over memory four times.
 *
 * Normal and exponential numbers must equal those of every other backend to the bit. Only
 * operations that IEEE 754 rounds exactly are used, in the order of the composition, and the
 * compiler may not contract a product and a sum into one operation, which rounds once only.
 */
#if defined(__clang__)
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
#include "philox.h"

#include "common.h"
#include "pool_inner.h"

enum { SIDE = 64, WORDS = 4 * SIDE, ROUNDS = 10 }; /* blocks that are encrypted side by side */
enum { LOG_TERMS = 13, TRIG_TERMS = 8 };           /* in `series`: of log, then sin, then cos */
static const int64_t GRAIN = 1 << 13;              /* words, a multiple of WORDS */

typedef struct {
    void *out;
    int64_t count, half; /* numbers; for normal ones: pairs */
    uint64_t key, low, high;
    const double *series;
} Draw;

/* SIDE blocks from number `block` after the counter on. */
static void encrypt(uint32_t *RESTRICT words, const Draw *z, uint64_t block) {
    uint32_t a[SIDE], b[SIDE], c[SIDE], d[SIDE], key = (uint32_t)z->key, key2 = z->key >> 32;
    for (int i = 0; i < SIDE; i++) {
        const uint64_t low = z->low + block + (uint64_t)i, high = z->high + (low < z->low);
        a[i] = (uint32_t)low;
        b[i] = low >> 32;
        c[i] = (uint32_t)high;
        d[i] = high >> 32;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIDE; i++) {
            const uint64_t p = (uint64_t)0xD2511F53 * a[i], q = (uint64_t)0xCD9E8D57 * c[i];
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ key;
            b[i] = (uint32_t)q;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ key2;
            d[i] = (uint32_t)p;
        }
        key += 0x9E3779B9;
        key2 += 0xBB67AE85;
    }
    for (int i = 0; i < SIDE; i++) {
        words[4 * i] = a[i];
        words[4 * i + 1] = b[i];
        words[4 * i + 2] = c[i];
        words[4 * i + 3] = d[i];
    }
}

/* The WORDS words from number `at` on, which is a multiple of 4. */
static void words_from(uint32_t *words, const Draw *z, int64_t at) {
    encrypt(words, z, (uint64_t)at / 4);
}

/* The same from any number on. */
static void words_anywhere(uint32_t *words, const Draw *z, int64_t at) {
    uint32_t room[WORDS + WORDS];
    const int64_t lead = at % 4;
    words_from(room, z, at - lead);
    if (lead) words_from(room + WORDS, z, at - lead + WORDS);
    memcpy(words, room + lead, WORDS * sizeof *words);
}

static void bits_part(void *context, int64_t begin, int64_t end) {
    const Draw *z = context;
    int64_t *out = z->out;
    uint32_t words[WORDS];
    for (int64_t at = begin; at < end; at += WORDS) {
        const int64_t n = MIN(WORDS, end - at);
        words_from(words, z, at);
        for (int64_t i = 0; i < n; i++) out[at + i] = words[i];
    }
}

static void uniform_part_f32(void *context, int64_t begin, int64_t end) {
    const Draw *z = context;
    float *out = z->out;
    uint32_t words[WORDS];
    for (int64_t at = begin; at < end; at += WORDS) {
        const int64_t n = MIN(WORDS, end - at);
        words_from(words, z, at);
        for (int64_t i = 0; i < n; i++) out[at + i] = (float)(int32_t)(words[i] >> 8) * 0x1p-24f;
    }
}

/* 53 bits of each two words. */
static void uniform_part_f64(void *context, int64_t begin, int64_t end) {
    const Draw *z = context;
    double *out = z->out;
    uint32_t words[WORDS];
    for (int64_t at = begin; at < end; at += WORDS / 2) {
        const int64_t n = MIN(WORDS / 2, end - at);
        words_from(words, z, 2 * at);
        for (int64_t i = 0; i < n; i++) {
            const int64_t high = words[2 * i] >> 5, low = words[2 * i + 1] >> 6;
            out[at + i] = (double)(high * (1 << 26) + low) * 0x1p-53;
        }
    }
}

/* c[0] + x (c[1] + x (c[2] + ...)) */
INLINE double polynomial(const double *c, int terms, double x) {
    double y = x * c[terms - 1];
    for (int k = terms - 2; k > 0; k--) y = (y + c[k]) * x;
    return y + c[0];
}

/* ln x for 2^-33 <= x < 1: scaled into [1/2, 1), then 2 artanh((x - 1) / (x + 1)). */
INLINE double log_below_1(const double *series, double x) {
    double exponent = 0.0;
    for (int k = 32; k; k /= 2) {
        const double scale = (double)((uint64_t)1 << k);
        const int small = x < 1.0 / scale;
        x = small ? x * scale : x;
        exponent = small ? exponent - k : exponent;
    }
    const double s = (x - 1.0) / (x + 1.0);
    return s * 2.0 * polynomial(series, LOG_TERMS, s * s) + exponent * 0.6931471805599453;
}

INLINE double open_uniform(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

/* A uniform point on the circle: an angle in +-pi/4, then one of the four quarters. */
INLINE void direction(const double *series, uint32_t word, double *cosine, double *sine) {
    const double turns = (double)word * 0x1p-30, quarter = (double)(int32_t)turns;
    const double angle = (turns - quarter - 0.5) * 1.5707963267948966, square = angle * angle;
    const double c = polynomial(series + LOG_TERMS + TRIG_TERMS, TRIG_TERMS, square);
    const double s = polynomial(series + LOG_TERMS, TRIG_TERMS, square) * angle;
    const int negative = quarter >= 2.0;
    const double sign = negative ? -1.0 : 1.0, odd = quarter - (negative ? 2.0 : 0.0);
    *cosine = (odd > 0.5 ? s : c) * sign;
    *sine = (odd > 0.5 ? c : s) * sign;
}

#define PARTS(T, suffix)                                                                      \
    static void exponential_part_##suffix(void *context, int64_t begin, int64_t end) {        \
        const Draw *z = context;                                                              \
        T *out = z->out;                                                                      \
        uint32_t words[WORDS];                                                                \
        for (int64_t at = begin; at < end; at += WORDS) {                                     \
            const int64_t n = MIN(WORDS, end - at);                                           \
            words_from(words, z, at);                                                         \
            for (int64_t i = 0; i < n; i++)                                                   \
                out[at + i] = (T)(log_below_1(z->series, open_uniform(words[i])) * -1.0);     \
        }                                                                                     \
    }                                                                                         \
                                                                                              \
    /* Number i of a pair's first half is the cosine, of the second half the sine. */         \
    static void normal_part_##suffix(void *context, int64_t begin, int64_t end) {             \
        const Draw *z = context;                                                              \
        T *out = z->out;                                                                      \
        uint32_t radii[WORDS], angles[WORDS];                                                 \
        for (int64_t at = begin; at < end; at += WORDS) {                                     \
            const int64_t n = MIN(WORDS, end - at), both = MIN(n, z->count - z->half - at);   \
            T sines[WORDS];                                                                   \
            words_from(radii, z, at);                                                         \
            words_anywhere(angles, z, z->half + at);                                          \
            for (int64_t i = 0; i < n; i++) {                                                 \
                double c, s;                                                                  \
                const double u = log_below_1(z->series, open_uniform(radii[i]));              \
                const double radius = sqrt(u * -2.0);                                         \
                direction(z->series, angles[i], &c, &s);                                      \
                out[at + i] = (T)(radius * c);                                                \
                sines[i] = (T)(radius * s);                                                   \
            }                                                                                 \
            memcpy(out + z->half + at, sines, (size_t)both * sizeof(T));                      \
        }                                                                                     \
    }

PARTS(float, f32)
PARTS(double, f64)

void random_bits(int64_t *out, int64_t count, uint64_t key, uint64_t low, uint64_t high) {
    Draw z = {out, count, 0, key, low, high, NULL};
    parallel_for(bits_part, &z, count, GRAIN);
}

#define DRAW(T, suffix)                                                                       \
    void uniform_##suffix(T *out, int64_t count, uint64_t key, uint64_t low, uint64_t high) { \
        Draw z = {out, count, 0, key, low, high, NULL};                                       \
        parallel_for(uniform_part_##suffix, &z, count, GRAIN);                                \
    }                                                                                         \
    void exponential_##suffix(T *out, int64_t count, uint64_t key, uint64_t low,              \
                              uint64_t high, const double *series) {                          \
        Draw z = {out, count, 0, key, low, high, series};                                     \
        parallel_for(exponential_part_##suffix, &z, count, GRAIN);                            \
    }                                                                                         \
    void normal_##suffix(T *out, int64_t count, uint64_t key, uint64_t low, uint64_t high,    \
                         const double *series) {                                              \
        Draw z = {out, count, (count + 1) / 2, key, low, high, series};                       \
        parallel_for(normal_part_##suffix, &z, z.half, GRAIN);                                \
    }

DRAW(float, f32)
DRAW(double, f64)
