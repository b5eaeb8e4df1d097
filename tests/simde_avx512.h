/* AVX-512 intrinsics of cpu/vec.h over SIMDe, with those that SIMDe 0.7.4 lacks; for the test build of the kernels. */
#ifndef REIN_SIMDE_AVX512_H
#define REIN_SIMDE_AVX512_H

#include <stdint.h>

#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

static inline simde__m512 fill_maskz_loadu_ps(simde__mmask16 m, const float *p) {
    float lane[16] = {0};
    for (int i = 0; i < 16; i++)
        if (m >> i & 1) lane[i] = p[i];
    return simde_mm512_loadu_ps(lane);
}

static inline void fill_mask_storeu_ps(float *p, simde__mmask16 m, simde__m512 a) {
    float lane[16];
    simde_mm512_storeu_ps(lane, a);
    for (int i = 0; i < 16; i++)
        if (m >> i & 1) p[i] = lane[i];
}

static inline simde__m256 fill_extractf32x8_ps(simde__m512 a, int half) {
    float lane[16];
    simde_mm512_storeu_ps(lane, a);
    return simde_mm256_loadu_ps(lane + 8 * half);
}

static inline simde__m512 fill_cvtepi32_ps(simde__m512i a) {
    int32_t from[16];
    float lane[16];
    simde_mm512_storeu_si512(from, a);
    for (int i = 0; i < 16; i++) lane[i] = (float)from[i];
    return simde_mm512_loadu_ps(lane);
}

static inline simde__m512i fill_srai_epi32(simde__m512i a, int n) {
    int32_t lane[16];
    simde_mm512_storeu_si512(lane, a);
    for (int i = 0; i < 16; i++) lane[i] >>= n;
    return simde_mm512_loadu_si512(lane);
}

#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_extractf32x8_ps
#undef _mm512_cvtepi32_ps
#undef _mm512_srai_epi32
#define _mm512_maskz_loadu_ps  fill_maskz_loadu_ps
#define _mm512_mask_storeu_ps  fill_mask_storeu_ps
#define _mm512_extractf32x8_ps fill_extractf32x8_ps
#define _mm512_cvtepi32_ps     fill_cvtepi32_ps
#define _mm512_srai_epi32      fill_srai_epi32

#endif
