/* Building, reading and writing adapters; see lora.h. Their arithmetic in a pass is in linear.c. */
#include "model/lora.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "io/safetensors.h"
#include "model/table.h"
#include "model/value.h"

#define PREFIX "base_model.model."

enum { MODULES = 7 };

/* The i-th linear layer of a layer, in the order of the adapter's tensors. */
static rein_product *module_at(rein_layer *y, int i, const char **name) {
    static const char *const names[MODULES] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                               "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                               "mlp.down_proj"};
    rein_product *const all[MODULES] = {&y->qkv.part[0],     &y->qkv.part[1],     &y->qkv.part[2], &y->o.part[0],
                                        &y->gate_up.part[0], &y->gate_up.part[1], &y->down.part[0]};
    *name = names[i];
    return all[i];
}

/* ---- the table of what is trained ---- */

static int64_t add(rein_model *m, rein_param_kind kind, int64_t rows, int64_t cols, const char *module,
                   const char *what) {
    rein_param *p = &m->param[m->n_param++];
    *p = (rein_param){.kind = kind, .rows = rows, .cols = cols, .offset = m->n_float};
    snprintf(p->name, sizeof p->name, PREFIX "%s.%s", module, what);
    m->n_float += rein_param_floats(rows, cols);
    return p->offset;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* One adapted product; its activations come after those of the same layer's earlier ones. */
static void add_adapter(rein_model *m, rein_product *p, const char *module, rein_lora_match how, uint32_t stream,
                        int64_t *floats) {
    rein_lora *lo = m->lora;
    rein_adapter *ad = &lo->list[lo->n++];
    int64_t N = p->w.N;
    *ad = (rein_adapter){.of = p, .r = how.r, .scale = how.scale, .magnitude = -1, .stream = stream, .u = *floats};
    ad->a_at = add(m, REIN_PARAM_MATRIX, how.r, p->w.K, module, "lora_A.weight");
    ad->b_at = add(m, REIN_PARAM_MATRIX, N, how.r, module, "lora_B.weight");
    *floats += rein_param_floats(1, how.r);
    if (lo->config.use_dora) {
        ad->magnitude = add(m, REIN_PARAM_NORM, 1, N, module, "lora_magnitude_vector");
        ad->z = *floats;
        *floats += rein_param_floats(1, N);
    }
    p->adapter = ad;
    lo->N = larger(lo->N, N);
    lo->R = larger(lo->R, how.r);
}

static rein_status add_module(rein_model *m, rein_lora_matcher *matcher, int64_t l, int i, int64_t *floats) {
    const rein_lora_config *c = &m->lora->config;
    rein_lora_match how;
    const char *name;
    char module[64];
    rein_product *p = module_at(&m->layer[l], i, &name);
    snprintf(module, sizeof module, "model.layers.%lld.%s", (long long)l, name);
    REIN_TRY(rein_lora_match_module(&how, matcher, module));
    if (how.adapted) add_adapter(m, p, module, how, (uint32_t)(l * MODULES + i), floats);
    bool bias = c->bias == REIN_LORA_BIAS_ALL || (c->bias == REIN_LORA_BIAS_LORA_ONLY && how.adapted);
    if (bias && p->bias.w)
        p->bias.grad = add(m, REIN_PARAM_BIAS, 1, p->w.N, module, how.adapted ? "base_layer.bias" : "bias");
    if (m->n_param > 0 && l < m->first) m->first = l;
    return REIN_OK;
}

static rein_status refuse_target(rein_lora_matcher *matcher, const char *module) {
    rein_lora_match how;
    REIN_TRY(rein_lora_match_module(&how, matcher, module));
    if (!how.adapted) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "target_modules adapts '%s'; train it whole, by modules_to_save", module);
}

static rein_status list_modules(rein_model *m, rein_lora_matcher *matcher) {
    const rein_table *t = m->table;
    rein_param *whole = t->tensor;
    for (int64_t l = 0; l < m->cfg.L; l++) {
        int64_t floats = 0;
        for (int i = 0; i < MODULES; i++) REIN_TRY(add_module(m, matcher, l, i, &floats));
        m->lora->row_floats = larger(m->lora->row_floats, floats);
    }
    REIN_TRY(refuse_target(matcher, "lm_head"));
    REIN_TRY(refuse_target(matcher, "model.embed_tokens"));
    if (rein_lora_saves(matcher, "model.embed_tokens")) {
        m->embed_grad = add(m, REIN_PARAM_MATRIX, whole[t->embed].rows, whole[t->embed].cols, "model.embed_tokens", "weight");
        m->first = 0;
    }
    if (rein_lora_saves(matcher, "lm_head"))
        m->head.grad = add(m, REIN_PARAM_MATRIX, whole[t->embed].rows, whole[t->embed].cols, "lm_head", "weight");
    return rein_lora_matcher_check(matcher);
}

/* ---- memory and operands ---- */

static int64_t packed_floats(const rein_model *m) {
    const rein_ops *op = m->dev->ops;
    int64_t n = m->head.grad >= 0 ? op->packed_size(m->head.w.N, m->head.w.K) : 0;
    for (int64_t i = 0; i < m->lora->n; i++) {
        const rein_adapter *ad = &m->lora->list[i];
        n += op->packed_size(ad->r, ad->of->w.K) + op->packed_size(ad->of->w.N, ad->r);
    }
    return n;
}

static rein_weight operand(const rein_model *m, int64_t offset, int64_t N, int64_t K, float **packed) {
    rein_weight w = {.rows = m->w + offset, .packed = *packed, .N = N, .K = K, .dtype = REIN_F32};
    *packed += m->dev->ops->packed_size(N, K);
    return w;
}

/* Trained copies of the base's tensors start as these, and take their place. */
static void take_over(rein_model *m, float **packed) {
    const rein_table *t = m->table;
    for (int64_t l = 0; l < m->cfg.L; l++)
        for (int i = 0; i < MODULES; i++) {
            const char *name;
            rein_product *p = module_at(&m->layer[l], i, &name);
            if (p->bias.grad < 0) continue;
            memcpy(m->w + p->bias.grad, p->bias.w, (size_t)p->w.N * sizeof(float));
            p->bias.w = m->w + p->bias.grad;
        }
    if (m->head.grad >= 0) {
        rein_table_values(t, t->head, m->w + m->head.grad, 0, m->cfg.V * m->cfg.C);
        m->head.packed = *packed;
        m->head.w = operand(m, m->head.grad, m->cfg.V, m->cfg.C, packed);
    }
    if (m->embed_grad >= 0) {
        rein_table_values(t, t->embed, m->w + m->embed_grad, 0, m->cfg.V * m->cfg.C);
        m->embed = (rein_weight){.rows = m->w + m->embed_grad, .N = m->cfg.V, .K = m->cfg.C, .dtype = REIN_F32};
    }
}

static rein_status bind(rein_model *m) {
    rein_lora *lo = m->lora;
    int64_t norms = 0;
    for (int64_t i = 0; i < lo->n; i++) norms += lo->config.use_dora ? 3 * lo->list[i].of->w.N : 0;
    REIN_TRY(rein_alloc(&m->w, m->n_float, sizeof(float)));
    REIN_TRY(rein_alloc(&lo->packed, packed_floats(m), sizeof(float)));
    REIN_TRY(rein_alloc(&lo->norms, norms, sizeof(float)));
    float *packed = lo->packed, *norm = lo->norms;
    for (int64_t i = 0; i < lo->n; i++) {
        rein_adapter *ad = &lo->list[i];
        ad->a = operand(m, ad->a_at, ad->r, ad->of->w.K, &packed);
        ad->b = operand(m, ad->b_at, ad->of->w.N, ad->r, &packed);
        ad->norm = norm;
        norm += lo->config.use_dora ? 3 * ad->of->w.N : 0;
    }
    take_over(m, &packed);
    if (m->value) rein_value_bind(m);
    return REIN_OK;
}

/* The adapter of m->lora->config, with A, B and magnitudes zero. */
static rein_status build(rein_model *m) {
    rein_lora *lo = m->lora;
    rein_lora_matcher *matcher;
    REIN_TRY(rein_alloc(&m->param, m->cfg.L * MODULES * 4 + 2, sizeof *m->param));
    REIN_TRY(rein_alloc(&lo->list, m->cfg.L * MODULES, sizeof *lo->list));
    lo->K = larger(m->cfg.C, larger(m->cfg.H * m->cfg.D, m->cfg.F)); /* gradients of any layer's input are added */
    REIN_TRY(rein_lora_matcher_create(&matcher, &lo->config));
    rein_status status = list_modules(m, matcher);
    rein_lora_matcher_destroy(matcher);
    REIN_TRY(status);
    if (m->value) REIN_TRY(rein_value_add(m));
    rein_model_base_hash(m, lo->base_hash);
    return bind(m);
}

void rein_lora_destroy(rein_lora *lo) {
    if (!lo) return;
    rein_arena_deinit(&lo->arena);
    rein_free(lo->list);
    rein_free(lo->packed);
    rein_free(lo->norms);
    rein_free(lo);
}

void rein_lora_pack(rein_model *m) {
    const rein_ops *op = m->dev->ops;
    for (int64_t i = 0; i < m->lora->n; i++) {
        const rein_adapter *ad = &m->lora->list[i];
        int64_t N = ad->of->w.N;
        op->pack(m->dev, (float *)(uintptr_t)ad->a.packed, ad->a.rows, ad->a.N, ad->a.K);
        op->pack(m->dev, (float *)(uintptr_t)ad->b.packed, ad->b.rows, ad->b.N, ad->b.K);
        if (ad->magnitude < 0) continue;
        op->adapted_norm(m->dev, ad->norm, ad->of->w, ad->a.rows, ad->b.rows, ad->scale, ad->r);
        for (int64_t n = 0; n < N; n++) {
            ad->norm[N + n] = m->w[ad->magnitude + n] / ad->norm[n];
            ad->norm[2 * N + n] = 1 / ad->norm[n];
        }
    }
}

/* ---- a new adapter ---- */

static void init(rein_model *m, uint64_t seed) {
    for (int64_t i = 0; i < m->lora->n; i++) {
        const rein_adapter *ad = &m->lora->list[i];
        double bound = 1 / sqrt((double)ad->a.K);
        for (int64_t k = 0; k < ad->a.N * ad->a.K; k++) {
            double x = rein_random_uniform(seed, REIN_STREAM_INIT, ad->stream, (uint32_t)k, (uint32_t)(k >> 32), 1);
            m->w[ad->a_at + k] = (float)(bound * (2 * x - 1));
        }
    }
    rein_lora_pack(m);
    for (int64_t i = 0; i < m->lora->n; i++) {
        const rein_adapter *ad = &m->lora->list[i];
        if (ad->magnitude >= 0) memcpy(m->w + ad->magnitude, ad->norm, (size_t)ad->b.N * sizeof(float));
    }
}

rein_status rein_lora_create(rein_model *m, const rein_lora_config *config, uint64_t seed) {
    rein_str text = {0};
    rein_status status;
    REIN_TRY(rein_lora_config_check(config));
    REIN_TRY(rein_alloc(&m->lora, 1, sizeof *m->lora));
    REIN_TRY_OUT(status, rein_peft_config_write(&text, config), out); /* a copy that owns its strings */
    REIN_TRY_OUT(status, rein_peft_config_parse(&m->lora->config, &m->lora->arena, "lora", text.data, text.len), out);
    REIN_TRY_OUT(status, build(m), out);
    init(m, seed);
out:
    rein_str_deinit(&text);
    return status;
}

/* ---- files ---- */

/* An adapter of another program names no hash; then shapes must do. */
static rein_status check_base(const rein_model *m, const char *path) {
    rein_tensors *t;
    rein_status status = REIN_OK;
    REIN_TRY(rein_tensors_open(&t, path));
    const char *hash = rein_tensors_metadata(t, REIN_LORA_BASE_KEY);
    if (hash && strcmp(hash, m->lora->base_hash) != 0)
        status = rein_fail(REIN_ERR_MISMATCH, "%s: the adapter was trained on a base with hash %s; '%s' has %s", path, hash,
                           rein_source_path(m->source), m->lora->base_hash);
    rein_tensors_close(t);
    return status;
}

rein_status rein_lora_restore(rein_model *m, const char *path) {
    REIN_TRY(check_base(m, path));
    return rein_params_read_some(m, m->w, 0, rein_value_first(m), path);
}

rein_status rein_lora_read(rein_model *m, const char *dir) {
    char *path;
    REIN_TRY(rein_alloc(&m->lora, 1, sizeof *m->lora));
    REIN_TRY(rein_peft_config_load(&m->lora->config, &m->lora->arena, dir));
    rein_status status = build(m);
    if (status != REIN_OK) return rein_error_prefix(status, "%s", dir);
    REIN_TRY(rein_path_format(&m->lora->arena, &path, "%s/adapter_model.safetensors", dir));
    return rein_lora_restore(m, path);
}

rein_status rein_lora_save(const rein_model *m, const char *dir) {
    rein_lora_config config = m->lora->config;
    rein_arena arena = {0};
    rein_str text = {0};
    char *path;
    rein_status status;
    config.base = rein_source_path(m->source);
    REIN_TRY_OUT(status, rein_peft_config_write(&text, &config), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/adapter_config.json", dir), out);
    REIN_TRY_OUT(status, rein_file_write(path, text.data, text.len), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/adapter_model.safetensors", dir), out);
    status = rein_params_write_some(m, m->w, 0, rein_value_first(m), path);
out:
    rein_str_deinit(&text);
    rein_arena_deinit(&arena);
    return status;
}

/* ---- merging ---- */

void rein_lora_merged(const rein_adapter *ad, float *out) {
    const rein_weight *w = &ad->of->w;
    const float *a = ad->a.rows, *b = ad->b.rows;
    rein_dequantize(out, w->dtype, w->rows, 0, w->N * w->K);
    for (int64_t n = 0; n < w->N; n++)
        for (int64_t k = 0; k < w->K; k++) {
            float c = 0;
            for (int64_t r = 0; r < ad->r; r++) c = fmaf(b[n * ad->r + r], a[r * w->K + k], c);
            c = fmaf(ad->scale, c, out[n * w->K + k]);
            out[n * w->K + k] = ad->magnitude < 0 ? c : c * ad->norm[w->N + n];
        }
}
