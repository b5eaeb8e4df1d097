/*
 * Elementary functions in single precision with fixed bits: written once here as scalar fma sequences and once over
 * vectors in cpu/vec.h; the two are tested equal over all floats. Within 2 ulp of the true value.
 *
 * exp: below -0x1.5d589ep+6 (-87.3365; results that would be subnormal) gives +0, above 0x1.62e42ep+6 (88.7228) +inf,
 * NaN stays NaN. log: of 0 of either sign is -inf, of anything below 0 NaN; subnormal arguments are scaled by 2^23.
 */
#ifndef REIN_TENSOR_MATHF_H
#define REIN_TENSOR_MATHF_H

float rein_expf(float x);
float rein_logf(float x);

#endif
