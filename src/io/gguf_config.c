/* config.json and generation_config.json from GGUF metadata; see gguf_config.h. */
#include "io/gguf_config.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/math64.h"
#include "io/internal.h"

static const rein_gguf_arch archs[] = {
    {"llama", "llama", "LlamaForCausalLM", .permuted = true},
    {"llama", "mistral", "MistralForCausalLM", .permuted = true},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", .sliding_keys = true},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", .sliding_keys = true},
    {"smollm3", "smollm3", "SmolLM3ForCausalLM", .permuted = true, .sliding_keys = true, .no_rope_interval = 4},
};

const rein_gguf_arch *rein_gguf_arch_find(const char *name, size_t len) {
    for (size_t i = 0; i < REIN_COUNT(archs); i++)
        if (strlen(archs[i].gguf) == len && memcmp(archs[i].gguf, name, len) == 0) return &archs[i];
    return NULL;
}

const rein_gguf_arch *rein_gguf_arch_of(const rein_model_config *config) {
    const char *name = rein_model_family_name(config->family);
    for (size_t i = 0; i < REIN_COUNT(archs); i++)
        if (strcmp(archs[i].model_type, name) == 0) return &archs[i];
    return NULL;
}

rein_status rein_gguf_arch_read(const rein_gguf_arch **out, const rein_gguf *g) {
    const char *name;
    size_t len;
    REIN_TRY(rein_gguf_string(&name, &len, g, "general.architecture"));
    *out = rein_gguf_arch_find(name, len);
    if (*out) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT,
                     "%s: 'general.architecture' is '%.*s', supported are llama, qwen2, qwen3 and smollm3",
                     rein_gguf_path(g), (int)(len < 64 ? len : 64), name);
}

/* ---- keys of the architecture ---- */

typedef struct reader {
    const rein_gguf *g;
    const rein_gguf_arch *arch;
    rein_str *out;
    char key[96]; /* of the last look-up */
} reader;

static bool has(reader *r, const char *suffix) {
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch->gguf, suffix);
    return rein_gguf_value_find(r->g, r->key) != NULL;
}

static rein_status get_int(int64_t *out, reader *r, const char *suffix) {
    (void)has(r, suffix);
    return rein_gguf_int(out, r->g, r->key);
}

static rein_status get_float(double *out, reader *r, const char *suffix) {
    (void)has(r, suffix);
    return rein_gguf_float(out, r->g, r->key);
}

/* Keys that are used below, or whose only acceptable value is checked. */
static rein_status check_keys(const reader *r) {
    static const char *const known[] = {
        "attention.causal",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.layer_norm_rms_epsilon",
        "attention.value_length",
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "rope.dimension_count",
        "rope.freq_base",
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "vocab_size",
    };
    size_t n = strlen(r->arch->gguf);
    for (int64_t i = 0; i < rein_gguf_value_count(r->g); i++) {
        const rein_gguf_value *v = rein_gguf_value_at(r->g, i);
        if (strncmp(v->key, r->arch->gguf, n) != 0 || v->key[n] != '.') continue;
        size_t k = 0;
        while (k < REIN_COUNT(known) && strcmp(v->key + n + 1, known[k]) != 0) k++;
        if (k == REIN_COUNT(known))
            return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' at byte %lld is not supported", rein_gguf_path(r->g),
                             v->key, (long long)v->at);
    }
    return REIN_OK;
}

/* What would make it another model: parts of one, or attention to later tokens. */
static rein_status check_whole(reader *r) {
    int64_t parts = 0;
    bool causal = true;
    if (rein_gguf_value_find(r->g, "split.count")) REIN_TRY(rein_gguf_int(&parts, r->g, "split.count"));
    if (parts > 1)
        return rein_fail(REIN_ERR_FORMAT, "%s: this is one of %lld parts; join them first (llama-gguf-split --merge)",
                         rein_gguf_path(r->g), (long long)parts);
    if (has(r, "attention.causal")) REIN_TRY(rein_gguf_bool(&causal, r->g, r->key));
    if (!causal) return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' is false", rein_gguf_path(r->g), r->key);
    return REIN_OK;
}

/* ---- writing members ---- */

static void put_key(rein_str *s, const char *key) { rein_str_printf(s, ",\n  \"%s\": ", key); }

static void put_int(rein_str *s, const char *key, int64_t value) {
    put_key(s, key);
    rein_str_printf(s, "%lld", (long long)value);
}

static void put_text(rein_str *s, const char *key, const char *text) {
    put_key(s, key);
    rein_str_printf(s, "\"%s\"", text);
}

/* A number that Python reads as a float, from one that was an f32. */
static void put_float(rein_str *s, const char *key, double value) {
    put_key(s, key);
    size_t at = s->len;
    if ((double)(float)value == value)
        rein_json_put_f32(s, (float)value);
    else
        rein_json_put_f64(s, value);
    if (!s->failed && !strpbrk(s->data + at, ".eE")) rein_str_puts(s, ".0");
}

static rein_status copy_int(reader *r, const char *suffix, const char *key) {
    int64_t value;
    REIN_TRY(get_int(&value, r, suffix));
    put_int(r->out, key, value);
    return REIN_OK;
}

/* ---- ids ---- */

static rein_status put_id(rein_str *s, const rein_gguf *g, const char *key, const char *gguf_key) {
    int64_t id;
    put_key(s, key);
    if (!rein_gguf_value_find(g, gguf_key)) {
        rein_str_puts(s, "null");
        return REIN_OK;
    }
    REIN_TRY(rein_gguf_int(&id, g, gguf_key));
    rein_str_printf(s, "%lld", (long long)id);
    return REIN_OK;
}

/* One id, or a list where the file has end-of-turn or end-of-message tokens of their own. */
static rein_status put_eos(rein_str *s, const rein_gguf *g) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    int64_t id[REIN_COUNT(keys)];
    int n = 0;
    for (size_t i = 0; i < REIN_COUNT(keys); i++) {
        if (!rein_gguf_value_find(g, keys[i])) continue;
        REIN_TRY(rein_gguf_int(&id[n], g, keys[i]));
        bool seen = false;
        for (int k = 0; k < n; k++) seen = seen || id[k] == id[n];
        if (!seen) n++;
    }
    put_key(s, "eos_token_id");
    if (n == 0) rein_str_puts(s, "null");
    if (n == 1) rein_str_printf(s, "%lld", (long long)id[0]);
    for (int i = 0; n > 1 && i < n; i++) rein_str_printf(s, i ? ", %lld" : "[%lld", (long long)id[i]);
    if (n > 1) rein_str_putc(s, ']');
    return REIN_OK;
}

static rein_status put_ids(rein_str *s, const rein_gguf *g) {
    REIN_TRY(put_id(s, g, "bos_token_id", "tokenizer.ggml.bos_token_id"));
    REIN_TRY(put_eos(s, g));
    REIN_TRY(put_id(s, g, "pad_token_id", "tokenizer.ggml.padding_token_id"));
    return REIN_OK;
}

/* ---- shape ---- */

static rein_status put_heads(reader *r, int64_t *D) {
    int64_t C, H, K, value, rotary;
    REIN_TRY(get_int(&C, r, "embedding_length"));
    REIN_TRY(get_int(&H, r, "attention.head_count"));
    K = H;
    if (has(r, "attention.head_count_kv")) REIN_TRY(rein_gguf_int(&K, r->g, r->key));
    if (H < 1)
        return rein_fail(REIN_ERR_FORMAT, "%s: '%s.attention.head_count' is %lld", rein_gguf_path(r->g), r->arch->gguf,
                         (long long)H);
    *D = C / H;
    if (has(r, "attention.key_length")) REIN_TRY(rein_gguf_int(D, r->g, r->key));
    value = rotary = *D;
    if (has(r, "attention.value_length")) REIN_TRY(rein_gguf_int(&value, r->g, r->key));
    if (value == *D && has(r, "rope.dimension_count")) REIN_TRY(rein_gguf_int(&rotary, r->g, r->key));
    if (value != *D || rotary != *D)
        return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' is %lld, supported is the heads' size %lld",
                         rein_gguf_path(r->g), r->key, (long long)(value != *D ? value : rotary), (long long)*D);
    put_int(r->out, "num_attention_heads", H);
    put_int(r->out, "num_key_value_heads", K);
    put_int(r->out, "head_dim", *D);
    return REIN_OK;
}

/* Rows of the embedding, and in what the weights are: that of their matrices, f32 if those are quantised. */
static rein_status put_embedding(reader *r) {
    const rein_tensor_view *v = rein_gguf_find(r->g, "token_embd.weight");
    if (!v || v->n_dim != 2)
        return rein_fail(REIN_ERR_FORMAT, "%s: matrix 'token_embd.weight' is missing", rein_gguf_path(r->g));
    int64_t V = v->shape[0];
    if (has(r, "vocab_size")) REIN_TRY(rein_gguf_int(&V, r->g, r->key));
    if (V != v->shape[0])
        return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' is %lld, but 'token_embd.weight' has %lld rows",
                         rein_gguf_path(r->g), r->key, (long long)V, (long long)v->shape[0]);
    const char *dtype = rein_torch_dtype_name(v->dtype);
    put_int(r->out, "vocab_size", V);
    put_text(r->out, "torch_dtype", dtype ? dtype : "float32");
    return REIN_OK;
}

/* ---- rotary embedding ---- */

void rein_gguf_rope_factors(float *out, const rein_model_config *c) {
    double original = (double)c->rope_original_max_position;
    for (int64_t i = 0; i < c->D / 2; i++) {
        double wavelength = 2 * 3.14159265358979323846 * rein_pow64(c->rope_theta, (double)(2 * i) / (double)c->D);
        double smooth =
            (original / wavelength - c->rope_low_freq_factor) / (c->rope_high_freq_factor - c->rope_low_freq_factor);
        if (wavelength < original / c->rope_high_freq_factor)
            out[i] = 1;
        else if (wavelength > original / c->rope_low_freq_factor)
            out[i] = (float)c->rope_factor;
        else
            out[i] = (float)(1 / ((1 - smooth) / c->rope_factor + smooth));
    }
}

/* The three numbers behind rope_freqs.weight: ours if the file has them, else those of every Llama 3.x. */
static rein_status llama3_numbers(rein_model_config *c, const rein_gguf *g) {
    c->rope_low_freq_factor = 1;
    c->rope_high_freq_factor = 4;
    c->rope_original_max_position = 8192;
    if (rein_gguf_value_find(g, REIN_GGUF_KEY_LOW))
        REIN_TRY(rein_gguf_float(&c->rope_low_freq_factor, g, REIN_GGUF_KEY_LOW));
    if (rein_gguf_value_find(g, REIN_GGUF_KEY_HIGH))
        REIN_TRY(rein_gguf_float(&c->rope_high_freq_factor, g, REIN_GGUF_KEY_HIGH));
    if (rein_gguf_value_find(g, REIN_GGUF_KEY_ORIGINAL))
        REIN_TRY(rein_gguf_int(&c->rope_original_max_position, g, REIN_GGUF_KEY_ORIGINAL));
    return REIN_OK;
}

/* The file's factors must be those of Llama 3's scaling with these numbers, to 1e-5 (the converter rounds to f32). */
static rein_status check_factors(const rein_model_config *c, const rein_gguf *g, const float *found) {
    float *wanted;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&wanted, c->D / 2, sizeof *wanted));
    rein_gguf_rope_factors(wanted, c);
    for (int64_t i = 0; i < c->D / 2 && status == REIN_OK; i++) {
        double difference = (double)found[i] - (double)wanted[i];
        if (!(difference <= 1e-5 * (double)wanted[i] && -difference <= 1e-5 * (double)wanted[i]))
            status = rein_fail(REIN_ERR_FORMAT,
                               "%s: rope_freqs.weight[%lld] is %g, but Llama 3's scaling by %g of %lld positions gives "
                               "%g; other rotary factors are not supported",
                               rein_gguf_path(g), (long long)i, (double)found[i], c->rope_factor,
                               (long long)c->rope_original_max_position, (double)wanted[i]);
    }
    rein_free(wanted);
    return status;
}

static rein_status put_llama3(reader *r, const rein_tensor_view *freqs, double theta, int64_t D) {
    rein_model_config c = {.D = D, .rope_theta = theta, .rope_scaling = REIN_ROPE_LLAMA3};
    if (freqs->dtype != REIN_F32 || freqs->n != D / 2)
        return rein_fail(REIN_ERR_FORMAT, "%s: 'rope_freqs.weight' has %lld elements of %s, expected %lld of F32",
                         rein_gguf_path(r->g), (long long)freqs->n, rein_dtype_name(freqs->dtype), (long long)(D / 2));
    const float *found = freqs->data;
    c.rope_factor = (double)found[freqs->n - 1];
    REIN_TRY(llama3_numbers(&c, r->g));
    REIN_TRY(check_factors(&c, r->g, found));
    put_key(r->out, "rope_scaling");
    rein_str_puts(r->out, "{\n    \"rope_type\": \"llama3\"");
    put_float(r->out, "factor", c.rope_factor);
    put_float(r->out, "high_freq_factor", c.rope_high_freq_factor);
    put_float(r->out, "low_freq_factor", c.rope_low_freq_factor);
    put_int(r->out, "original_max_position_embeddings", c.rope_original_max_position);
    rein_str_puts(r->out, "\n  }");
    return REIN_OK;
}

/* rope.scaling.*: "linear" and "yarn" are given on as they are; config.json's reader says whether it has them. */
static rein_status put_scaling(reader *r) {
    const char *type = "none";
    size_t len = 4;
    double factor = 1;
    if (has(r, "rope.scaling.type")) REIN_TRY(rein_gguf_string(&type, &len, r->g, r->key));
    if (has(r, "rope.scaling.factor")) REIN_TRY(rein_gguf_float(&factor, r->g, r->key));
    put_key(r->out, "rope_scaling");
    if ((len == 4 && memcmp(type, "none", 4) == 0) || factor == 1) {
        rein_str_puts(r->out, "null");
        return REIN_OK;
    }
    rein_str_puts(r->out, "{\n    \"rope_type\": ");
    rein_json_put_string(r->out, type, len);
    put_float(r->out, "factor", factor);
    if (has(r, "rope.scaling.original_context_length"))
        REIN_TRY(copy_int(r, "rope.scaling.original_context_length", "original_max_position_embeddings"));
    rein_str_puts(r->out, "\n  }");
    return REIN_OK;
}

static rein_status put_rotary(reader *r, int64_t D) {
    const rein_tensor_view *freqs = rein_gguf_find(r->g, "rope_freqs.weight");
    double theta = 10000;
    if (has(r, "rope.freq_base")) REIN_TRY(get_float(&theta, r, "rope.freq_base"));
    if (!(D >= 2 && D % 2 == 0 && D <= 4096 && theta >= 1 && theta <= 1e15)) /* before anything is computed of them */
        return rein_fail(REIN_ERR_FORMAT, "%s: heads of size %lld with a rotary base of %g are not supported",
                         rein_gguf_path(r->g), (long long)D, theta);
    REIN_TRY(freqs ? put_llama3(r, freqs, theta, D) : put_scaling(r));
    put_float(r->out, "rope_theta", theta);
    return REIN_OK;
}

/* ---- the texts ---- */

static rein_status put_rest(reader *r) {
    double eps, range = 0.02;
    REIN_TRY(get_float(&eps, r, "attention.layer_norm_rms_epsilon"));
    put_float(r->out, "rms_norm_eps", eps);
    if (rein_gguf_value_find(r->g, REIN_GGUF_KEY_INIT)) REIN_TRY(rein_gguf_float(&range, r->g, REIN_GGUF_KEY_INIT));
    put_float(r->out, "initializer_range", range);
    put_text(r->out, "hidden_act", "silu");
    if (strcmp(r->arch->gguf, "qwen2") != 0) {
        put_key(r->out, "attention_bias");
        rein_str_puts(r->out, rein_gguf_find(r->g, "blk.0.attn_q.bias") ? "true" : "false");
    }
    put_key(r->out, "tie_word_embeddings");
    rein_str_puts(r->out, rein_gguf_find(r->g, "output.weight") ? "false" : "true");
    if (r->arch->sliding_keys) {
        put_key(r->out, "use_sliding_window");
        rein_str_puts(r->out, "false");
    }
    if (r->arch->no_rope_interval) put_int(r->out, "no_rope_layer_interval", r->arch->no_rope_interval);
    return REIN_OK;
}

rein_status rein_gguf_config_text(rein_str *out, const rein_gguf *g) {
    reader r = {.g = g, .out = out};
    int64_t D;
    REIN_TRY(rein_gguf_arch_read(&r.arch, g));
    REIN_TRY(check_keys(&r));
    REIN_TRY(check_whole(&r));
    rein_str_printf(out, "{\n  \"architectures\": [\"%s\"]", r.arch->architecture);
    put_text(out, "model_type", r.arch->model_type);
    REIN_TRY(copy_int(&r, "embedding_length", "hidden_size"));
    REIN_TRY(copy_int(&r, "block_count", "num_hidden_layers"));
    REIN_TRY(copy_int(&r, "feed_forward_length", "intermediate_size"));
    REIN_TRY(copy_int(&r, "context_length", "max_position_embeddings"));
    REIN_TRY(put_heads(&r, &D));
    REIN_TRY(put_embedding(&r));
    REIN_TRY(put_rotary(&r, D));
    REIN_TRY(put_rest(&r));
    REIN_TRY(put_ids(out, g));
    rein_str_puts(out, "\n}\n");
    return rein_str_check(out);
}

rein_status rein_gguf_generation_text(rein_str *out, const rein_gguf *g) {
    rein_str_puts(out, "{\n  \"_from_model_config\": true");
    REIN_TRY(put_ids(out, g));
    rein_str_puts(out, "\n}\n");
    return rein_str_check(out);
}
