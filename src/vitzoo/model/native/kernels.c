// The kernels for float32, and for bf16 where the processor multiplies it (AVX-512 BF16).
#include "vectors.h"

#ifdef __AVX512F__  // 32 registers of 16 numbers
#define MR 6
#define NV 4
#else
#define MR 2
#define NV 2
#endif
#define JOINED(a, b) a##b
#define NAMED(a, b) JOINED(a, b)
#define F(name) NAMED(name, SUFFIX)

#define SUFFIX _f32
#define T float
#define E float
#define EV v16
#define STEP 1
INLINE v16 load_f32(const float *p) { return *(const v16 *)p; }
INLINE void store_f32(float *p, v16 x) { *(v16 *)p = x; }
INLINE v16 dot_f32(v16 sum, float a, v16 b) { return sum + a * b; }
INLINE void join_f32(const float *row, long stride, long left, float *out) { store_f32(out, load_f32(row)); }
#include "rows.h"
#include "attention.h"
#include "products.h"
#undef SUFFIX
#undef T
#undef E
#undef EV
#undef STEP

#ifdef __AVX512BF16__
#define SUFFIX _bf16
#define T uint16_t
#define E uint32_t
#define EV u16
#define STEP 2
INLINE __m512i wide(const uint16_t *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)); }
INLINE v16 load_bf16(const uint16_t *p) { return (v16)_mm512_slli_epi32(wide(p), 16); }
INLINE void store_bf16(uint16_t *p, v16 x) {
    __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
    memcpy(p, &rounded, sizeof rounded);
}
INLINE v16 dot_bf16(v16 sum, uint32_t a, u16 b) {
    u16 pairs = (u16){} + a;
    return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)pairs, (__m512bh)b);
}
INLINE void join_bf16(const uint16_t *row, long stride, long left, uint32_t *out) {
    __m512i low = wide(row);
    if (left > 1) low = _mm512_or_si512(low, _mm512_slli_epi32(wide(row + stride), 16));
    _mm512_storeu_si512(out, low);
}
#include "rows.h"
#include "attention.h"
#include "products.h"
#endif
