/* Rotary frequencies and their table; see rope.h. */
#include "model/rope.h"

#include <math.h>

#include "base/math64.h"

static const double TWO_PI = 6.28318530717958647692;

double rein_rope_base(const rein_model_config *c, int64_t n_pos) {
    if (c->rope_scaling != REIN_ROPE_DYNAMIC || n_pos <= c->max_position_embeddings) return c->rope_theta;
    double stretch = c->rope_factor * (double)n_pos / (double)c->max_position_embeddings - (c->rope_factor - 1);
    return c->rope_theta * rein_pow64(stretch, (double)c->D / (double)(c->D - 2));
}

/* ---- llama3 (Grattafiori et al. 2024, arXiv:2407.21783) ---- */

/* Low frequencies are divided by the factor, with a smooth passage to the high ones, which stay. */
static double llama3(const rein_model_config *c, double freq) {
    double wavelength = TWO_PI / freq, original = (double)c->rope_original_max_position;
    if (wavelength < original / c->rope_high_freq_factor) return freq;
    if (wavelength > original / c->rope_low_freq_factor) return freq / c->rope_factor;
    double smooth =
        (original / wavelength - c->rope_low_freq_factor) / (c->rope_high_freq_factor - c->rope_low_freq_factor);
    return (1 - smooth) * freq / c->rope_factor + smooth * freq;
}

/* ---- yarn (Peng et al. 2023, arXiv:2309.00071) ---- */

/* The pair of dimensions, as a real number, that makes `turns` turns within the original positions. */
static double yarn_pair(const rein_model_config *c, double turns) {
    double original = (double)c->rope_original_max_position;
    return (double)c->D * rein_log64(original / (turns * TWO_PI)) / (2 * rein_log64(c->rope_theta));
}

/* Pairs up to `low` keep their frequency, from `high` on it is divided by the factor. */
static double yarn(const rein_model_config *c, int64_t pair, double freq) {
    double low = yarn_pair(c, c->rope_beta_fast), high = yarn_pair(c, c->rope_beta_slow);
    if (c->rope_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    if (low < 0) low = 0;
    if (high > (double)(c->D - 1)) high = (double)(c->D - 1);
    if (low == high) high += 0.001; /* transformers' guard against a division by zero */
    double ramp = ((double)pair - low) / (high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return freq / c->rope_factor * ramp + freq * (1 - ramp);
}

static double yarn_scale(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * rein_log64(factor) + 1;
}

double rein_rope_attention(const rein_model_config *c) {
    if (c->rope_scaling != REIN_ROPE_YARN) return 1;
    if (c->rope_attention_factor > 0) return c->rope_attention_factor;
    if (c->rope_mscale > 0 && c->rope_mscale_all_dim > 0)
        return yarn_scale(c->rope_factor, c->rope_mscale) / yarn_scale(c->rope_factor, c->rope_mscale_all_dim);
    return yarn_scale(c->rope_factor, 1);
}

/* ---- the table ---- */

void rein_rope_frequencies(double *freq, const rein_model_config *c, int64_t n_pos) {
    double base = rein_rope_base(c, n_pos);
    for (int64_t i = 0; i < c->D / 2; i++) {
        double f = 1 / rein_pow64(base, (double)(2 * i) / (double)c->D);
        switch (c->rope_scaling) {
        case REIN_ROPE_LINEAR:
            f /= c->rope_factor;
            break;
        case REIN_ROPE_LLAMA3:
            f = llama3(c, f);
            break;
        case REIN_ROPE_YARN:
            f = yarn(c, i, f);
            break;
        case REIN_ROPE_NONE:
        case REIN_ROPE_DYNAMIC:
            break;
        }
        freq[i] = f;
    }
}

rein_status rein_rope_table(float **table, const rein_model_config *c, int64_t n_pos) {
    int64_t half = c->D / 2;
    double *freq, scale = rein_rope_attention(c);
    REIN_TRY(rein_alloc(&freq, half, sizeof *freq));
    rein_status status = rein_alloc(table, n_pos * half * 2, sizeof **table);
    if (status == REIN_OK) rein_rope_frequencies(freq, c, n_pos);
    for (int64_t t = 0; t < n_pos && status == REIN_OK; t++) {
        for (int64_t i = 0; i < half; i++) {
            float *cs = *table + (t * half + i) * 2;
            cs[0] = (float)(scale * rein_cos64((double)t * freq[i]));
            cs[1] = (float)(scale * rein_sin64((double)t * freq[i]));
        }
    }
    rein_free(freq);
    return status;
}
