/*
 * exp and log in single precision as fixed sequences of fma, basic operations, bit moves and selects: no tables and no
 * branches, so that vectors run the same operations in every lane. Polynomials: Cephes (Moshier, netlib.org/cephes,
 * single/expf.c and single/logf.c), evaluated by Horner's rule with fma.
 */
#include "tensor/mathf.h"

#include <math.h>

#include "tensor/bits.h"

float rein_expf(float x) {
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    float t = fmaf(x, 0x1.715476p+0f, magic);
    float n = t - magic;
    float r = fmaf(n, -0x1.62e43p-1f, x); /* x - n log 2, with log 2 in two parts */
    r = fmaf(n, 0x1.05c61p-29f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p, r * r, r);
    p = p + 1.0f;
    /* times 2^n: the low bits of t are n, and p is in (0.7, 1.42), so the sum of exponents cannot leave the format */
    float y = rein_float_of(rein_bits_of(p) + (rein_bits_of(t) << 23));
    y = x < -0x1.5d589ep+6f ? 0.0f : y;
    y = x > 0x1.62e42ep+6f ? INFINITY : y;
    return x != x ? x : y;
}

float rein_logf(float x) {
    const uint32_t root_half = 0x3f3504f3; /* bits of sqrt(1/2): the mantissa is taken in [sqrt(1/2), sqrt(2)) */
    int tiny = x < 0x1p-126f;
    float scaled = tiny ? x * 0x1p+23f : x;
    uint32_t u = rein_bits_of(scaled) - root_half;
    float e = (float)((int32_t)u >> 23) - (tiny ? 23.0f : 0.0f);
    float f = rein_float_of((u & 0x007fffff) + root_half) - 1.0f;
    float z = f * f;
    float p = 7.0376836292e-2f;
    p = fmaf(p, f, -1.1514610310e-1f);
    p = fmaf(p, f, 1.1676998740e-1f);
    p = fmaf(p, f, -1.2420140846e-1f);
    p = fmaf(p, f, 1.4249322787e-1f);
    p = fmaf(p, f, -1.6668057665e-1f);
    p = fmaf(p, f, 2.0000714765e-1f);
    p = fmaf(p, f, -2.4999993993e-1f);
    p = fmaf(p, f, 3.3333331174e-1f);
    p = p * f;
    p = fmaf(e, -0x1.05c61p-29f, p * z); /* log 2 in two parts, the small one first */
    p = fmaf(-0.5f, z, p);
    p = p + f;
    float y = fmaf(e, 0x1.62e43p-1f, p);
    y = x == INFINITY ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x < 0.0f || x != x ? NAN : y;
}
