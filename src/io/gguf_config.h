/* Between GGUF metadata and config.json. */
#ifndef REIN_IO_GGUF_CONFIG_H
#define REIN_IO_GGUF_CONFIG_H

#include "io/gguf_format.h"
#include "io/hf_config.h"

/** Keys of ours, for what llama.cpp has no key for; without them the usual value is taken and checked. */
#define REIN_GGUF_KEY_INIT     "rein.initializer_range"
#define REIN_GGUF_KEY_LOW      "rein.rope.low_freq_factor"
#define REIN_GGUF_KEY_HIGH     "rein.rope.high_freq_factor"
#define REIN_GGUF_KEY_ORIGINAL "rein.rope.original_context_length"

/** How a family of llama.cpp's relates to Hugging Face's. */
typedef struct rein_gguf_arch {
    const char *gguf, *model_type, *architecture; /* "llama", "llama", "LlamaForCausalLM" */
    bool permuted;                                /* q and k rows; see rein_gguf_permute_rows */
    bool sliding_keys;                            /* config.json says use_sliding_window */
    int64_t no_rope_interval;                     /* every n-th layer has no rotary embedding; 0: all have it */
} rein_gguf_arch;

/** By general.architecture, or by config.json's model_type; NULL if unknown. */
const rein_gguf_arch *rein_gguf_arch_find(const char *name, size_t len);
const rein_gguf_arch *rein_gguf_arch_of(const rein_model_config *config);

/** The file's architecture. REIN_ERR_FORMAT naming it if rein does not have it. */
REIN_NODISCARD rein_status rein_gguf_arch_read(const rein_gguf_arch **out, const rein_gguf *g);

/**
 * config.json made of the metadata; appended. Numbers stored as f32 are written as the shortest decimal that reads back
 * to the same f32.
 *
 * @return REIN_ERR_FORMAT naming file and key: a missing or unknown key of the architecture, a value that
 *         contradicts a tensor, rotary factors that no known scaling gives.
 */
REIN_NODISCARD rein_status rein_gguf_config_text(rein_str *out, const rein_gguf *g);

/** generation_config.json: begin, padding and end-of-sequence ids (eos, eot and eom of the metadata); appended. */
REIN_NODISCARD rein_status rein_gguf_generation_text(rein_str *out, const rein_gguf *g);

/** Llama 3's divisors of the rotary frequencies, as convert_hf_to_gguf.py computes rope_freqs.weight: out (D/2). */
void rein_gguf_rope_factors(float *out, const rein_model_config *config);

#endif
