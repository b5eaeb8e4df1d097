/* A model as a GGUF file; see export.h. Keys and tensor order are those of llama.cpp's convert_hf_to_gguf.py. */
#include "io/gguf_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/export.h"
#include "io/gguf_names.h"

/* What a file is made of. */
typedef struct job {
    rein_source *s;
    const rein_model_config *config;
    const rein_gguf_arch *arch;
    const rein_export_options *options;
    rein_gguf_meta meta;
    rein_arena arena;
    rein_tensor_out *list;  /* (n) */
    rein_tensor_view *view; /* (n) what the list points to */
    int64_t n;
    unsigned char *rows; /* of q and k, permuted */
    float *factors;      /* rope_freqs.weight; NULL without Llama 3's scaling */
} job;

/* ---- metadata ---- */

static void put_int(job *j, const char *suffix, int64_t value) {
    char key[96];
    snprintf(key, sizeof key, "%s.%s", j->arch->gguf, suffix);
    rein_gguf_put_u32(&j->meta, key, (uint32_t)value); /* config.json's limits are below 2^31 */
}

static void put_float(job *j, const char *suffix, double value) {
    char key[96];
    snprintf(key, sizeof key, "%s.%s", j->arch->gguf, suffix);
    rein_gguf_put_f32(&j->meta, key, (float)value);
}

/* llama.h, enum llama_ftype: of most matrices; quantised mixes have no number of their own. */
static void put_file_type(job *j) {
    static const struct {
        rein_dtype dtype;
        uint32_t number;
    } types[] = {{REIN_F32, 0}, {REIN_F16, 1}, {REIN_Q8_0, 7}, {REIN_BF16, 32}};
    rein_dtype dtype = REIN_F32;
    bool quantised = false;
    for (int64_t i = 0; i < j->n; i++) {
        if (j->list[i].n_dim == 2) dtype = j->list[i].dtype;
        quantised = quantised || rein_dtype_block(j->list[i].dtype) > 1;
    }
    for (size_t i = 0; i < REIN_COUNT(types); i++)
        if (types[i].dtype == dtype) rein_gguf_put_u32(&j->meta, "general.file_type", types[i].number);
    if (quantised) rein_gguf_put_u32(&j->meta, "general.quantization_version", 2);
}

static void put_numbers(job *j) {
    const rein_model_config *c = j->config;
    put_int(j, "vocab_size", c->V);
    put_int(j, "context_length", c->max_position_embeddings);
    put_int(j, "embedding_length", c->C);
    put_int(j, "block_count", c->L);
    put_int(j, "feed_forward_length", c->F);
    put_int(j, "attention.head_count", c->H);
    put_int(j, "attention.head_count_kv", c->K);
    put_int(j, "attention.key_length", c->D);
    put_int(j, "attention.value_length", c->D);
    put_float(j, "attention.layer_norm_rms_epsilon", c->rms_norm_eps);
    put_int(j, "rope.dimension_count", c->D);
    put_float(j, "rope.freq_base", c->rope_theta);
    if (c->initializer_range != 0.02) rein_gguf_put_f64(&j->meta, REIN_GGUF_KEY_INIT, c->initializer_range);
}

static void put_ids(job *j) {
    static const char *const eos[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                      "tokenizer.ggml.eom_token_id"};
    const rein_model_config *c = j->config;
    if (c->bos_id >= 0) rein_gguf_put_u32(&j->meta, "tokenizer.ggml.bos_token_id", (uint32_t)c->bos_id);
    for (int i = 0; i < c->n_eos && i < (int)REIN_COUNT(eos); i++)
        rein_gguf_put_u32(&j->meta, eos[i], (uint32_t)c->eos_id[i]);
    if (c->pad_id >= 0) rein_gguf_put_u32(&j->meta, "tokenizer.ggml.padding_token_id", (uint32_t)c->pad_id);
}

/* Llama 3's scaling is a tensor of divisors; the numbers behind it are kept unless they are those of every Llama 3.x.
 */
static rein_status put_llama3(job *j) {
    const rein_model_config *c = j->config;
    if (strcmp(j->arch->gguf, "llama") != 0)
        return rein_fail(REIN_ERR_FORMAT, "%s: llama.cpp has no rope_type llama3 of a %s model", rein_source_path(j->s),
                         j->arch->gguf);
    REIN_TRY(rein_alloc(&j->factors, c->D / 2, sizeof *j->factors));
    rein_gguf_rope_factors(j->factors, c);
    if (c->rope_low_freq_factor == 1 && c->rope_high_freq_factor == 4 && c->rope_original_max_position == 8192)
        return REIN_OK;
    rein_gguf_put_f64(&j->meta, REIN_GGUF_KEY_LOW, c->rope_low_freq_factor);
    rein_gguf_put_f64(&j->meta, REIN_GGUF_KEY_HIGH, c->rope_high_freq_factor);
    rein_gguf_put_u32(&j->meta, REIN_GGUF_KEY_ORIGINAL, (uint32_t)c->rope_original_max_position);
    return REIN_OK;
}

static void put_scaling(job *j, const char *type) {
    char key[96];
    snprintf(key, sizeof key, "%s.rope.scaling.type", j->arch->gguf);
    rein_gguf_put_string(&j->meta, key, type, strlen(type));
    put_float(j, "rope.scaling.factor", j->config->rope_factor);
}

/* GGUF has keys for factor and original length; all else must be as it is without a key. */
static rein_status put_yarn(job *j) {
    const rein_model_config *c = j->config;
    if (c->rope_beta_fast != 32 || c->rope_beta_slow != 1 || c->rope_attention_factor != 0 || c->rope_mscale != 0 ||
        c->rope_mscale_all_dim != 0 || !c->rope_truncate)
        return rein_fail(REIN_ERR_FORMAT,
                         "%s: of rope_type yarn, GGUF takes factor and original_max_position_embeddings only",
                         rein_source_path(j->s));
    put_scaling(j, "yarn");
    put_int(j, "rope.scaling.original_context_length", c->rope_original_max_position);
    return REIN_OK;
}

static rein_status put_rope(job *j) {
    switch (j->config->rope_scaling) {
    case REIN_ROPE_NONE:
        return REIN_OK;
    case REIN_ROPE_LLAMA3:
        return put_llama3(j);
    case REIN_ROPE_YARN:
        return put_yarn(j);
    case REIN_ROPE_LINEAR:
        put_scaling(j, "linear");
        return REIN_OK;
    default:
        break;
    }
    return rein_fail(REIN_ERR_FORMAT, "%s: this rope_type has no form in GGUF", rein_source_path(j->s));
}

/* llama.cpp fixes by the architecture which layers have a window or no rotary embedding. */
static rein_status check_layers(const job *j) {
    const rein_model_config *c = j->config;
    int64_t interval = j->arch->no_rope_interval;
    for (int64_t l = 0; l < c->L; l++) {
        if (c->window[l] != 0)
            return rein_fail(REIN_ERR_FORMAT, "%s: layer %lld has a sliding window of %d, which has no form in GGUF",
                             rein_source_path(j->s), (long long)l, c->window[l]);
        if (c->no_rope[l] != (interval != 0 && (l + 1) % interval == 0))
            return rein_fail(
                REIN_ERR_FORMAT,
                "%s: layer %lld has %s rotary embedding, but llama.cpp wants none in every %lldth layer only",
                rein_source_path(j->s), (long long)l, c->no_rope[l] ? "no" : "a", (long long)interval);
    }
    return REIN_OK;
}

static rein_status put_metadata(job *j) {
    if (j->config->n_eos > 3)
        return rein_fail(REIN_ERR_FORMAT, "%s: 'eos_token_id' has %d entries, GGUF has room for 3",
                         rein_source_path(j->s), j->config->n_eos);
    rein_gguf_put_string(&j->meta, "general.architecture", j->arch->gguf, strlen(j->arch->gguf));
    rein_gguf_put_string(&j->meta, "general.type", "model", 5);
    put_file_type(j);
    put_numbers(j);
    REIN_TRY(put_rope(j));
    REIN_TRY(rein_gguf_export_tokenizer(&j->meta, j->s));
    put_ids(j);
    return REIN_OK;
}

/* ---- tensors ---- */

static rein_dtype stored_dtype(const job *j, const rein_tensor_view *v) {
    if (v->n_dim < 2) return REIN_F32;
    if (!j->options->keep_dtype) return j->options->dtype;
    return v->dtype == REIN_F64 ? REIN_F32 : v->dtype;
}

static rein_status add_tensor(job *j, const rein_tensor_view *v) {
    char name[REIN_TENSOR_NAME_BYTES], *copy;
    if (j->config->tie_word_embeddings && strcmp(v->name, "lm_head.weight") == 0)
        return rein_fail(REIN_ERR_FORMAT, "%s: 'lm_head.weight' is there although config.json ties it to the embedding",
                         v->file);
    if (!rein_gguf_name_from_hf(name, v->name, j->config->L))
        return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has no name in GGUF", v->file, v->name);
    REIN_TRY(rein_arena_strdup(&j->arena, &copy, name, strlen(name)));
    j->view[j->n] = *v;
    rein_tensor_out *out = &j->list[j->n];
    *out = (rein_tensor_out){.name = copy, .dtype = stored_dtype(j, v), .n_dim = v->n_dim, .view = &j->view[j->n]};
    memcpy(out->shape, v->shape, sizeof v->shape);
    j->n++;
    return REIN_OK;
}

/* Rows of q and k in llama.cpp's order, still in the dtype that they have. */
static rein_status permute(job *j) {
    int64_t total = 0, used = 0;
    for (int64_t i = 0; i < j->n; i++)
        if (rein_gguf_rotary_heads(j->view[i].name, j->config))
            total += rein_dtype_bytes(j->view[i].dtype, j->view[i].n);
    REIN_TRY(rein_alloc(&j->rows, total, 1));
    for (int64_t i = 0; i < j->n; i++) {
        rein_tensor_view *v = &j->view[i];
        int64_t heads = rein_gguf_rotary_heads(v->name, j->config), bytes = rein_dtype_bytes(v->dtype, v->n);
        if (!heads) continue;
        if (v->n_dim < 1 || v->shape[0] != heads * j->config->D)
            return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has not %lld rows", v->file, v->name,
                             (long long)(heads * j->config->D));
        rein_gguf_permute_rows(j->rows + used, v->data, heads, j->config->D, bytes / v->shape[0], true);
        v->data = j->rows + used;
        used += bytes;
    }
    return REIN_OK;
}

static rein_status list_tensors(job *j) {
    int64_t n = rein_source_count(j->s);
    REIN_TRY(rein_alloc(&j->list, n + 1, sizeof *j->list)); /* and the rotary factors */
    REIN_TRY(rein_alloc(&j->view, n, sizeof *j->view));
    for (int64_t i = 0; i < n; i++) REIN_TRY(add_tensor(j, rein_source_at(j->s, i)));
    if (j->arch->permuted) REIN_TRY(permute(j));
    return REIN_OK;
}

static rein_status write_job(job *j, const char *path) {
    j->config = rein_source_config(j->s);
    j->arch = rein_gguf_arch_of(j->config);
    if (!j->arch)
        return rein_fail(REIN_ERR_FORMAT, "%s: models of type %s cannot be written as GGUF", rein_source_path(j->s),
                         rein_model_family_name(j->config->family));
    REIN_TRY(check_layers(j));
    REIN_TRY(list_tensors(j));
    REIN_TRY(put_metadata(j));
    if (j->factors)
        j->list[j->n++] = (rein_tensor_out){
            .name = "rope_freqs.weight", .dtype = REIN_F32, .n_dim = 1, .shape = {j->config->D / 2}, .f32 = j->factors};
    return rein_gguf_write(path, &j->meta, j->list, j->n);
}

rein_status rein_export_gguf(const char *path, rein_source *s, const rein_export_options *options) {
    job j = {.s = s, .options = options};
    if (rein_path_exists(path))
        return rein_fail(REIN_ERR_IO, "'%s' exists; nothing is overwritten, name another file", path);
    rein_status status = write_job(&j, path);
    rein_gguf_meta_deinit(&j.meta);
    rein_arena_deinit(&j.arena);
    rein_free(j.list);
    rein_free(j.view);
    rein_free(j.rows);
    rein_free(j.factors);
    return status;
}
