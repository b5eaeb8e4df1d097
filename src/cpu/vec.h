/*
 * The vector type of the tuned kernels: REIN_W lanes of f32, a build constant (16 for AVX-512, 8 for AVX2 and plain C).
 *
 * Every function is one IEEE operation in every lane (v_exp, v_log: the operations of tensor/mathf.c), so that
 * the width of a vector never shows in a result. Only src/cpu/tuned/ includes this file; it is built once per
 * instruction set with REIN_ISA_<isa> defined. REIN_SIMDE: a test build of the AVX-512 source without the hardware.
 */
#ifndef REIN_CPU_VEC_H
#define REIN_CPU_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define REIN_INLINE static inline __attribute__((always_inline, unused))

#if defined(REIN_ISA_avx512)

#ifdef REIN_SIMDE
#include "simde_avx512.h" /* of tests/ */
#define REIN_ISA(name) name##_avx512_simde
#define REIN_ISA_NAME  "avx512 by simde"
#else
#include <immintrin.h>
#define REIN_ISA(name) name##_avx512
#define REIN_ISA_NAME  "avx512"
#endif
enum { REIN_W = 16 };
typedef __m512 vec;
typedef __mmask16 vmask;

/** The first n lanes; n may be below 0 or above REIN_W. */
REIN_INLINE vmask v_mask(int64_t n) {
    return (vmask)(n >= 16 ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1u);
}
REIN_INLINE vec v_load(const float *p) { return _mm512_loadu_ps(p); }
REIN_INLINE void v_store(float *p, vec a) { _mm512_storeu_ps(p, a); }
/** Lanes outside the mask are read as 0, without touching memory; of a store, left alone. */
REIN_INLINE vec v_loadm(vmask m, const float *p) { return _mm512_maskz_loadu_ps(m, p); }
REIN_INLINE void v_storem(vmask m, float *p, vec a) { _mm512_mask_storeu_ps(p, m, a); }
/** In the mask a, outside it b. */
REIN_INLINE vec v_select(vmask m, vec a, vec b) { return _mm512_mask_blend_ps(m, b, a); }
REIN_INLINE vec v_set(float x) { return _mm512_set1_ps(x); }
REIN_INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
REIN_INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
REIN_INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
REIN_INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
REIN_INLINE vec v_sqrt(vec a) { return _mm512_sqrt_ps(a); }
/** a * b + c and c - a * b, rounded once. */
REIN_INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
REIN_INLINE vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
/** a > b ? a : b */
REIN_INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
/** a < b ? x : y */
REIN_INLINE vec v_if_less(vec a, vec b, vec x, vec y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
REIN_INLINE vec v_if_nan(vec a, vec x, vec y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), y, x);
}
/** A positive normal x as 2^e times the result, which is in [sqrt(1/2), sqrt(2)). */
REIN_INLINE vec v_split(vec *e, vec x) {
    const __m512i root_half = _mm512_set1_epi32(0x3f3504f3), mantissa = _mm512_set1_epi32(0x007fffff);
    __m512i u = _mm512_sub_epi32(_mm512_castps_si512(x), root_half);
    *e = _mm512_cvtepi32_ps(_mm512_srai_epi32(u, 23));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_and_si512(u, mantissa), root_half));
}
/** Adds the low bits of t, as an integer, to the exponent of p. */
REIN_INLINE vec v_scale(vec p, vec t) {
    __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shifted));
}

#elif defined(REIN_ISA_avx2)

#include <immintrin.h>

#define REIN_ISA(name) name##_avx2
#define REIN_ISA_NAME  "avx2"
enum { REIN_W = 8 };
typedef __m256 vec;
typedef __m256i vmask;

REIN_INLINE vmask v_mask(int64_t n) {
    int clipped = n > 8 ? 8 : n < 0 ? 0 : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(clipped), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
REIN_INLINE vec v_load(const float *p) { return _mm256_loadu_ps(p); }
REIN_INLINE void v_store(float *p, vec a) { _mm256_storeu_ps(p, a); }
REIN_INLINE vec v_loadm(vmask m, const float *p) { return _mm256_maskload_ps(p, m); }
REIN_INLINE void v_storem(vmask m, float *p, vec a) { _mm256_maskstore_ps(p, m, a); }
REIN_INLINE vec v_select(vmask m, vec a, vec b) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m)); }
REIN_INLINE vec v_set(float x) { return _mm256_set1_ps(x); }
REIN_INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
REIN_INLINE vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
REIN_INLINE vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
REIN_INLINE vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
REIN_INLINE vec v_sqrt(vec a) { return _mm256_sqrt_ps(a); }
REIN_INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
REIN_INLINE vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); }
REIN_INLINE vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
REIN_INLINE vec v_if_less(vec a, vec b, vec x, vec y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
REIN_INLINE vec v_if_nan(vec a, vec x, vec y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
REIN_INLINE vec v_split(vec *e, vec x) {
    const __m256i root_half = _mm256_set1_epi32(0x3f3504f3), mantissa = _mm256_set1_epi32(0x007fffff);
    __m256i u = _mm256_sub_epi32(_mm256_castps_si256(x), root_half);
    *e = _mm256_cvtepi32_ps(_mm256_srai_epi32(u, 23));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_and_si256(u, mantissa), root_half));
}
REIN_INLINE vec v_scale(vec p, vec t) {
    __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shifted));
}

#else

#define REIN_ISA(name) name##_generic
#define REIN_ISA_NAME  "generic"
enum { REIN_W = 8 };
typedef struct vec {
    float f[REIN_W];
} vec;
typedef int vmask; /* number of lanes in the mask */

REIN_INLINE vmask v_mask(int64_t n) { return n > REIN_W ? REIN_W : n < 0 ? 0 : (int)n; }
REIN_INLINE vec v_load(const float *p) {
    vec a;
    memcpy(a.f, p, sizeof a.f);
    return a;
}
REIN_INLINE void v_store(float *p, vec a) { memcpy(p, a.f, sizeof a.f); }
REIN_INLINE vec v_loadm(vmask m, const float *p) {
    vec a = {{0}};
    for (int i = 0; i < m; i++) a.f[i] = p[i];
    return a;
}
REIN_INLINE void v_storem(vmask m, float *p, vec a) {
    for (int i = 0; i < m; i++) p[i] = a.f[i];
}
REIN_INLINE vec v_select(vmask m, vec a, vec b) {
    for (int i = 0; i < m; i++) b.f[i] = a.f[i];
    return b;
}
REIN_INLINE vec v_set(float x) {
    vec a;
    for (int i = 0; i < REIN_W; i++) a.f[i] = x;
    return a;
}
REIN_INLINE vec v_add(vec a, vec b) {
    for (int i = 0; i < REIN_W; i++) a.f[i] += b.f[i];
    return a;
}
REIN_INLINE vec v_sub(vec a, vec b) {
    for (int i = 0; i < REIN_W; i++) a.f[i] -= b.f[i];
    return a;
}
REIN_INLINE vec v_mul(vec a, vec b) {
    for (int i = 0; i < REIN_W; i++) a.f[i] *= b.f[i];
    return a;
}
REIN_INLINE vec v_div(vec a, vec b) {
    for (int i = 0; i < REIN_W; i++) a.f[i] /= b.f[i];
    return a;
}
REIN_INLINE vec v_sqrt(vec a) {
    for (int i = 0; i < REIN_W; i++) a.f[i] = sqrtf(a.f[i]);
    return a;
}
REIN_INLINE vec v_fma(vec a, vec b, vec c) {
    for (int i = 0; i < REIN_W; i++) c.f[i] = fmaf(a.f[i], b.f[i], c.f[i]);
    return c;
}
REIN_INLINE vec v_fnma(vec a, vec b, vec c) {
    for (int i = 0; i < REIN_W; i++) c.f[i] = fmaf(-a.f[i], b.f[i], c.f[i]);
    return c;
}
REIN_INLINE vec v_max(vec a, vec b) {
    for (int i = 0; i < REIN_W; i++) a.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i];
    return a;
}
REIN_INLINE vec v_if_less(vec a, vec b, vec x, vec y) {
    for (int i = 0; i < REIN_W; i++) y.f[i] = a.f[i] < b.f[i] ? x.f[i] : y.f[i];
    return y;
}
REIN_INLINE vec v_if_nan(vec a, vec x, vec y) {
    for (int i = 0; i < REIN_W; i++) y.f[i] = a.f[i] != a.f[i] ? x.f[i] : y.f[i];
    return y;
}
REIN_INLINE vec v_split(vec *e, vec x) {
    uint32_t u[REIN_W];
    memcpy(u, x.f, sizeof u);
    for (int i = 0; i < REIN_W; i++) {
        u[i] -= 0x3f3504f3;
        e->f[i] = (float)((int32_t)u[i] >> 23);
        u[i] = (u[i] & 0x007fffff) + 0x3f3504f3;
    }
    memcpy(x.f, u, sizeof u);
    return x;
}
REIN_INLINE vec v_scale(vec p, vec t) {
    uint32_t up[REIN_W], ut[REIN_W];
    memcpy(up, p.f, sizeof up);
    memcpy(ut, t.f, sizeof ut);
    for (int i = 0; i < REIN_W; i++) up[i] += ut[i] << 23;
    memcpy(p.f, up, sizeof up);
    return p;
}

#endif

/* Vectors that hold one value for each of the contract's 16 strided partial sums. */
enum { REIN_V16 = 16 / REIN_W };

REIN_INLINE vec v_zero(void) { return v_set(0.0f); }

/* The first n lanes, n >= 1; lanes beyond are read as 0, kept in memory, or taken from b. Loops call these with the
 * constant REIN_W for whole vectors, which leaves no mask: masked stores are slow on some machines. */
REIN_INLINE vec v_loadn(const float *p, int64_t n) { return n >= REIN_W ? v_load(p) : v_loadm(v_mask(n), p); }
REIN_INLINE void v_storen(float *p, int64_t n, vec a) {
    if (n >= REIN_W)
        v_store(p, a);
    else
        v_storem(v_mask(n), p, a);
}
REIN_INLINE vec v_selectn(int64_t n, vec a, vec b) { return n >= REIN_W ? a : v_select(v_mask(n), a, b); }

/** rein_expf in every lane; see tensor/mathf.c for the numbers. */
REIN_INLINE vec v_exp(vec x) {
    const vec magic = v_set(12582912.0f);
    vec t = v_fma(x, v_set(0x1.715476p+0f), magic);
    vec n = v_sub(t, magic);
    vec r = v_fma(n, v_set(-0x1.62e43p-1f), x);
    r = v_fma(n, v_set(0x1.05c61p-29f), r);
    vec p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, v_mul(r, r), r);
    p = v_add(p, v_set(1.0f));
    vec y = v_scale(p, t);
    y = v_if_less(x, v_set(-0x1.5d589ep+6f), v_zero(), y);
    y = v_if_less(v_set(0x1.62e42ep+6f), x, v_set(INFINITY), y);
    return v_if_nan(x, x, y);
}

/** rein_logf in every lane, of positive normal numbers only. */
REIN_INLINE vec v_log(vec x) {
    vec e, f = v_sub(v_split(&e, x), v_set(1.0f)), z = v_mul(f, f);
    vec p = v_set(7.0376836292e-2f);
    p = v_fma(p, f, v_set(-1.1514610310e-1f));
    p = v_fma(p, f, v_set(1.1676998740e-1f));
    p = v_fma(p, f, v_set(-1.2420140846e-1f));
    p = v_fma(p, f, v_set(1.4249322787e-1f));
    p = v_fma(p, f, v_set(-1.6668057665e-1f));
    p = v_fma(p, f, v_set(2.0000714765e-1f));
    p = v_fma(p, f, v_set(-2.4999993993e-1f));
    p = v_fma(p, f, v_set(3.3333331174e-1f));
    p = v_mul(p, f);
    p = v_fma(e, v_set(-0x1.05c61p-29f), v_mul(p, z));
    p = v_fma(v_set(-0.5f), z, p);
    p = v_add(p, f);
    return v_fma(e, v_set(0x1.62e43p-1f), p);
}

#if defined(REIN_ISA_avx512) || defined(REIN_ISA_avx2)

/* The sums of the two halves of 16 partials. */
#ifdef REIN_ISA_avx512
REIN_INLINE __m256 v_low8(const vec p[REIN_V16]) { return _mm512_castps512_ps256(p[0]); }
REIN_INLINE __m256 v_high8(const vec p[REIN_V16]) { return _mm512_extractf32x8_ps(p[0], 1); }
#else
REIN_INLINE __m256 v_low8(const vec p[REIN_V16]) { return p[0]; }
REIN_INLINE __m256 v_high8(const vec p[REIN_V16]) { return p[1]; }
#endif

/** tree16 of tensor/ops.h over the 16 partial sums in p. */
REIN_INLINE float v_tree16(const vec p[REIN_V16]) {
    __m256 a = _mm256_add_ps(v_low8(p), v_high8(p));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}

/** Largest of the 16 lanes in p. */
REIN_INLINE float v_max16(const vec p[REIN_V16]) {
    __m256 a = _mm256_max_ps(v_low8(p), v_high8(p));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_shuffle_ps(b, b, 1)));
}

/** to[j * ldt + i] = from[i * ldf + j] for 8 x 8 elements. */
REIN_INLINE void v_transpose8(float *to, int64_t ldt, const float *from, int64_t ldf) {
    __m256 r[8], t[8];
    for (int i = 0; i < 4; i++) { /* rows i and i + 4 side by side, so that what follows stays within halves */
        const float *low = from + i * ldf, *high = from + (i + 4) * ldf;
        r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
        r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low + 4)), _mm_loadu_ps(high + 4), 1);
    }
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int h = 0; h < 8; h += 4) {
        _mm256_storeu_ps(to + (h + 0) * ldt, _mm256_shuffle_ps(t[h], t[h + 2], 0x44));
        _mm256_storeu_ps(to + (h + 1) * ldt, _mm256_shuffle_ps(t[h], t[h + 2], 0xee));
        _mm256_storeu_ps(to + (h + 2) * ldt, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44));
        _mm256_storeu_ps(to + (h + 3) * ldt, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xee));
    }
}

#else

REIN_INLINE float v_tree16(const vec p[REIN_V16]) {
    float f[16];
    memcpy(f, p, sizeof f);
    for (int width = 8; width > 0; width /= 2)
        for (int i = 0; i < width; i++) f[i] += f[i + width];
    return f[0];
}

REIN_INLINE float v_max16(const vec p[REIN_V16]) {
    float f[16];
    memcpy(f, p, sizeof f);
    for (int width = 8; width > 0; width /= 2)
        for (int i = 0; i < width; i++) f[i] = f[i] > f[i + width] ? f[i] : f[i + width];
    return f[0];
}

REIN_INLINE void v_transpose8(float *to, int64_t ldt, const float *from, int64_t ldf) {
    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 8; i++) to[j * ldt + i] = from[i * ldf + j];
}

#endif

/** to[j * ldt + i] = from[i * ldf + j], i < rows, j < cols. */
REIN_INLINE void v_transpose(float *to, int64_t ldt, const float *from, int64_t ldf, int64_t rows, int64_t cols) {
    int64_t i = 0, j = 0;
    for (; i + 8 <= rows; i += 8) {
        for (j = 0; j + 8 <= cols; j += 8) v_transpose8(to + j * ldt + i, ldt, from + i * ldf + j, ldf);
        for (; j < cols; j++)
            for (int64_t k = i; k < i + 8; k++) to[j * ldt + k] = from[k * ldf + j];
    }
    for (; i < rows; i++)
        for (j = 0; j < cols; j++) to[j * ldt + i] = from[i * ldf + j];
}

#endif
