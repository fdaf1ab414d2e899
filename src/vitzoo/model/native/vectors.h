// Sixteen numbers at a time: the few operations that the kernels are made of, in the compiler's portable vectors.
//
// A v16 is one register with AVX-512 and several elsewhere. bf16 is stored only; arithmetic is float32, except for
// the dot products of AVX-512 BF16, which multiply pairs of bf16 and add in float32.

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define VECTOR(type, bytes) type __attribute__((vector_size(bytes), aligned(2), may_alias))
typedef VECTOR(float, 64) v16;
typedef VECTOR(int32_t, 64) i16;
typedef VECTOR(uint32_t, 64) u16;

#define LOG2E 1.44269504088896f
#define SIXTEEN(f) {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)}
#define SAME(i) (i)
static const i16 LANES = SIXTEEN(SAME);

INLINE v16 all(float x) { return (v16){} + x; }

INLINE v16 pick(i16 mask, v16 yes, v16 no) {
    i16 bits = (mask & *(i16 *)&yes) | (~mask & *(i16 *)&no);
    return *(v16 *)&bits;
}
// The first n of x, then `rest`; all of x where n is 16 or more.
INLINE v16 first(v16 x, long n, v16 rest) { return n < 16 ? pick(LANES < (int32_t)n, x, rest) : x; }
#ifdef __AVX512F__
INLINE v16 most(v16 a, v16 b) { return (v16)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE v16 nearest(v16 x) { return (v16)_mm512_roundscale_ps((__m512)x, 0); }
INLINE v16 times_power_of_2(v16 x, v16 n) { return (v16)_mm512_scalef_ps((__m512)x, (__m512)n); }
#else
INLINE v16 most(v16 a, v16 b) { return pick(a > b, a, b); }
// The nearest whole number, of x > -127: of something positive, so that truncation rounds down.
INLINE v16 nearest(v16 x) {
    i16 n = __builtin_convertvector(x + 127.5f, i16);
    return __builtin_convertvector(n, v16) - 127.0f;
}
INLINE v16 times_power_of_2(v16 x, v16 n) {  // a whole n > -127
    i16 bits = __builtin_convertvector(n + 127.0f, i16) << 23;
    return x * *(v16 *)&bits;
}
#endif

// Sums and maxima over the lanes, by halves.
#define BY8(i) ((i) ^ 8)
#define BY4(i) ((i) ^ 4)
#define BY2(i) ((i) ^ 2)
#define SWAPPED(x, by) __builtin_shuffle(x, (i16)SIXTEEN(by))
INLINE float total(v16 x) {
    x += SWAPPED(x, BY8);
    x += SWAPPED(x, BY4);
    x += SWAPPED(x, BY2);
    return x[0] + x[1];
}
INLINE float largest(v16 x) {
    x = most(x, SWAPPED(x, BY8));
    x = most(x, SWAPPED(x, BY4));
    x = most(x, SWAPPED(x, BY2));
    return x[0] > x[1] ? x[0] : x[1];
}

// 2^x = 2^n · 2^r with |r| <= 1/2 and Cephes' polynomial for 2^r (relative error 1e-7); zero-ish below 2^-125.
INLINE v16 power_of_2(v16 x) {
    x = most(x, all(-125.0f));
    v16 n = nearest(x), r = x - n;
    v16 p = all(1.535336188319500e-4f);
    p = p * r + 1.339887440266574e-3f;
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1.0f;
    return times_power_of_2(p, n);
}

// x·Φ(x) and its derivative Φ(x) + x·φ(x); Φ by Abramowitz and Stegun 7.1.26 (absolute error 1e-7).
INLINE void gelu(v16 x, v16 *value, v16 *slope) {
    v16 t = 1.0f / (1.0f + 0.2316418882f * most(x, -x));
    v16 bell = power_of_2((-0.5f * LOG2E) * x * x);
    v16 series = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    v16 tail = 0.5f * series * bell;  // Φ(-|x|)
    v16 cdf = pick(x < 0, tail, 1.0f - tail);
    *value = x * cdf;
    *slope = cdf + x * bell * 0.3989422804f;
}

// Transpose a block of 16 × 16: swap the off-diagonal s × s squares of every 2s × 2s square, s = 8, 4, 2, 1.
#define EVEN(i, s) ((i) & (s) ? 16 + ((i) ^ (s)) : (i))
#define ODD(i, s) ((i) & (s) ? 16 + (i) : (i) ^ (s))
#define CROSS(s, f0, f1)                                         \
    _Pragma("GCC unroll 16") for (int r = 0; r < 16; r++) if (!(r & (s))) { \
        i16 a = x[r], b = x[r + (s)];                            \
        x[r] = __builtin_shuffle(a, b, (i16)SIXTEEN(f0));        \
        x[r + (s)] = __builtin_shuffle(a, b, (i16)SIXTEEN(f1));  \
    }
#define EVEN8(i) EVEN(i, 8)
#define EVEN4(i) EVEN(i, 4)
#define EVEN2(i) EVEN(i, 2)
#define EVEN1(i) EVEN(i, 1)
#define ODD8(i) ODD(i, 8)
#define ODD4(i) ODD(i, 4)
#define ODD2(i) ODD(i, 2)
#define ODD1(i) ODD(i, 1)
INLINE void transpose_block(i16 *x) {
    CROSS(8, EVEN8, ODD8)
    CROSS(4, EVEN4, ODD4)
    CROSS(2, EVEN2, ODD2)
    CROSS(1, EVEN1, ODD1)
}
