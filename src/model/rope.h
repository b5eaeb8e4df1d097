/*
 * The table of the rotary embedding (Su et al. 2021, arXiv:2104.09864): frequencies, and what the kinds of scaling make
 * of them. Made once per model in f64, so that the sampler and the trainer of a run read the same numbers.
 */
#ifndef REIN_MODEL_ROPE_H
#define REIN_MODEL_ROPE_H

#include "io/hf_config.h"

/**
 * The base of the frequencies for a run of at most n_pos positions.
 *
 * `dynamic` raises it with the length (NTK-aware scaling), which transformers does anew for each sequence. A cache, and
 * the equality of sampler and trainer, need one base: it is that of a sequence of n_pos positions, or of
 * max_position_embeddings, if that is more. All other kinds: rope_theta.
 */
double rein_rope_base(const rein_model_config *config, int64_t n_pos);

/** What cos and sin are multiplied by; 1 but for `yarn`. */
double rein_rope_attention(const rein_model_config *config);

/** freq (D/2): radians a position of each pair of dimensions. */
void rein_rope_frequencies(double *freq, const rein_model_config *config, int64_t n_pos);

/** Caller owns *table (n_pos, D/2, 2): cos, sin. */
REIN_NODISCARD rein_status rein_rope_table(float **table, const rein_model_config *config, int64_t n_pos);

#endif
