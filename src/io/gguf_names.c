/* Tensor names of the families that rein knows; see gguf_names.h. GGUF's are from llama.cpp's gguf-py/constants.py. */
#include "io/gguf_names.h"

#include <stdio.h>
#include <string.h>

typedef struct name_pair {
    const char *gguf, *hf; /* without ".weight" or ".bias" */
} name_pair;

static const name_pair globals[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};

static const name_pair layers[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

static const char *const layer_prefix[2] = {"blk.", "model.layers."}; /* GGUF, Hugging Face */

static const char *side(const name_pair *pair, bool hf) { return hf ? pair->hf : pair->gguf; }

/* The pair whose name on this side is the first n bytes of the text. */
static const name_pair *find_pair(const name_pair *pairs, size_t n_pair, bool hf, const char *text, size_t n) {
    for (size_t i = 0; i < n_pair; i++)
        if (strlen(side(&pairs[i], hf)) == n && memcmp(side(&pairs[i], hf), text, n) == 0) return &pairs[i];
    return NULL;
}

/* A decimal layer number below L, without leading zeros, and the dot behind it; *text is moved behind both. */
static bool read_layer(int64_t *layer, const char **text, int64_t L) {
    const char *p = *text;
    *layer = 0;
    if (p[0] == '0' && p[1] != '.') return false;
    while (*p >= '0' && *p <= '9' && *layer < L) *layer = 10 * *layer + (*p++ - '0');
    if (p == *text || *p != '.' || *layer >= L) return false;
    *text = p + 1;
    return true;
}

static bool translate(char out[REIN_TENSOR_NAME_BYTES], const char *name, int64_t L, bool from_hf) {
    const char *prefix = layer_prefix[from_hf], *rest = name, *suffix = strrchr(name, '.');
    int64_t layer = -1;
    if (!suffix || (strcmp(suffix, ".weight") != 0 && strcmp(suffix, ".bias") != 0)) return false;
    if (strncmp(name, prefix, strlen(prefix)) == 0) {
        rest += strlen(prefix);
        if (!read_layer(&layer, &rest, L)) return false;
    }
    if (rest >= suffix) return false;
    size_t n = (size_t)(suffix - rest);
    const name_pair *pair = layer >= 0 ? find_pair(layers, REIN_COUNT(layers), from_hf, rest, n)
                                       : find_pair(globals, REIN_COUNT(globals), from_hf, rest, n);
    if (!pair) return false;
    if (layer < 0)
        snprintf(out, REIN_TENSOR_NAME_BYTES, "%s%s", side(pair, !from_hf), suffix);
    else
        snprintf(out, REIN_TENSOR_NAME_BYTES, "%s%lld.%s%s", layer_prefix[!from_hf], (long long)layer,
                 side(pair, !from_hf), suffix);
    return true;
}

bool rein_gguf_name_to_hf(char out[REIN_TENSOR_NAME_BYTES], const char *name, int64_t L) {
    return translate(out, name, L, false);
}

bool rein_gguf_name_from_hf(char out[REIN_TENSOR_NAME_BYTES], const char *name, int64_t L) {
    return translate(out, name, L, true);
}

int64_t rein_gguf_rotary_heads(const char *name, const rein_model_config *config) {
    if (strstr(name, ".self_attn.q_proj.")) return config->H;
    return strstr(name, ".self_attn.k_proj.") ? config->K : 0;
}

void rein_gguf_permute_rows(void *dst, const void *src, int64_t heads, int64_t D, int64_t row_bytes, bool to_gguf) {
    unsigned char *to = dst;
    const unsigned char *from = src;
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t s = 0; s < 2; s++) {
            for (int64_t j = 0; j < D / 2; j++) {
                int64_t gguf = h * D + 2 * j + s, hf = h * D + s * (D / 2) + j;
                memcpy(to + (to_gguf ? gguf : hf) * row_bytes, from + (to_gguf ? hf : gguf) * row_bytes,
                       (size_t)row_bytes);
            }
        }
    }
}
