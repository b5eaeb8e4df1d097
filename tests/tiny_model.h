/* A small random model for tests: two layers, grouped queries, odd sizes; qwen3's norms when `qk_norm`. */
#ifndef REIN_TINY_MODEL_H
#define REIN_TINY_MODEL_H

#include "model/model.h"
#include "testing.h"

static inline rein_model_config tiny_config(bool qk_norm) {
    return (rein_model_config){.family = qk_norm ? REIN_FAMILY_QWEN3 : REIN_FAMILY_LLAMA,
                               .V = 67, .C = 40, .L = 2, .H = 4, .K = 2, .D = 12, .F = 56,
                               .max_position_embeddings = 1024, .rms_norm_eps = 1e-5, .rope_theta = 10000,
                               .initializer_range = 0.3, .tie_word_embeddings = true, .qk_norm = qk_norm,
                               .bos_id = -1, .pad_id = -1, .eos_id = {1}, .n_eos = 1};
}

/* Three layers with windows and without rotary embedding in some: smollm3 has both. */
static inline rein_model_config tiny_windowed_config(int32_t window) {
    rein_model_config cfg = tiny_config(false);
    cfg.family = REIN_FAMILY_SMOLLM3;
    cfg.L = 3;
    cfg.no_rope[1] = true;
    cfg.window[1] = cfg.window[2] = window;
    return cfg;
}

static inline rein_model *tiny_model(rein_device *dev, uint64_t seed) {
    rein_model_config cfg = tiny_config(seed % 2 == 1);
    rein_model *m;
    OK(rein_model_create(&m, &cfg, dev, 0));
    rein_model_init(m, seed);
    return m;
}

#endif
