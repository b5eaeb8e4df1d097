/* A model's life: making, reading, writing and hashing it; see model.h. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "model/lora.h"
#include "model/rope.h"
#include "model/table.h"
#include "model/value.h"

/* ---- operands ---- */

/* Norm or bias i of the table (-1: none); a frozen one is copied to *copies, as f32. */
static rein_vector vector(const rein_model *m, int64_t i, float **copies) {
    if (i < 0) return (rein_vector){.grad = -1};
    const rein_table *t = m->table;
    int64_t n = t->tensor[i].cols;
    if (!m->source) return (rein_vector){m->w + t->tensor[i].offset, t->tensor[i].offset};
    float *copy = *copies;
    rein_table_values(t, i, copy, 0, n);
    *copies += rein_param_floats(1, n);
    return (rein_vector){copy, -1};
}

static void add_part(const rein_model *m, rein_linear *lin, int64_t weight, int64_t bias, float **copies) {
    rein_product *p = &lin->part[lin->n++];
    *p = (rein_product){.w = rein_table_weight(m->table, weight), .col = lin->N,
                        .grad = m->source ? -1 : m->table->tensor[weight].offset, .bias = vector(m, bias, copies)};
    lin->N += p->w.N;
    lin->K = p->w.K;
}

/* Tensors that touch each other in the flat array are one product. */
static void join_parts(const rein_model *m, rein_linear *lin) {
    if (m->source) return;
    lin->part[0].w.N = lin->N;
    lin->n = 1;
}

static void bind_layer(rein_model *m, int64_t l, float **copies) {
    const int64_t *of = m->table->layer[l];
    rein_layer *y = &m->layer[l];
    y->attn_norm = vector(m, of[REIN_T_ATTN_NORM], copies);
    y->q_norm = vector(m, of[REIN_T_Q_NORM], copies);
    y->k_norm = vector(m, of[REIN_T_K_NORM], copies);
    y->ffn_norm = vector(m, of[REIN_T_FFN_NORM], copies);
    add_part(m, &y->qkv, of[REIN_T_Q], of[REIN_T_Q_BIAS], copies);
    add_part(m, &y->qkv, of[REIN_T_K], of[REIN_T_K_BIAS], copies);
    add_part(m, &y->qkv, of[REIN_T_V], of[REIN_T_V_BIAS], copies);
    join_parts(m, &y->qkv);
    add_part(m, &y->o, of[REIN_T_O], of[REIN_T_O_BIAS], copies);
    add_part(m, &y->gate_up, of[REIN_T_GATE], -1, copies);
    add_part(m, &y->gate_up, of[REIN_T_UP], -1, copies);
    join_parts(m, &y->gate_up);
    add_part(m, &y->down, of[REIN_T_DOWN], -1, copies);
}

/* Everything but packed copies, from where the table says that the tensors lie. */
static rein_status bind(rein_model *m) {
    const rein_table *t = m->table;
    int64_t floats = 0;
    for (int64_t i = 0; i < t->n && m->source; i++)
        if (t->tensor[i].kind != REIN_PARAM_MATRIX) floats += rein_param_floats(1, t->tensor[i].cols);
    REIN_TRY(rein_alloc(&m->layer, m->cfg.L, sizeof *m->layer));
    REIN_TRY(rein_alloc(&m->vectors, floats, sizeof *m->vectors));
    float *copies = m->vectors;
    for (int64_t l = 0; l < m->cfg.L; l++) bind_layer(m, l, &copies);
    m->norm = vector(m, t->norm, &copies);
    m->embed = rein_table_weight(t, t->embed);
    m->embed_grad = m->source ? -1 : t->tensor[t->embed].offset;
    m->head = (rein_product){.w = rein_table_weight(t, t->head), .bias = {.grad = -1},
                             .grad = m->source ? -1 : t->tensor[t->head].offset};
    return REIN_OK;
}

/* ---- packed copies ---- */

/* The i-th product of the model, or NULL past the last. */
static rein_product *product_at(const rein_model *m, int64_t i) {
    for (int64_t l = 0; l < m->cfg.L; l++) {
        rein_layer *y = &m->layer[l];
        rein_linear *all[] = {&y->qkv, &y->o, &y->gate_up, &y->down};
        for (size_t k = 0; k < REIN_COUNT(all); k++) {
            if (i < all[k]->n) return &all[k]->part[i];
            i -= all[k]->n;
        }
    }
    return i == 0 ? (rein_product *)(uintptr_t)&m->head : NULL;
}

static void pack(const rein_model *m, const rein_product *p) {
    if (p->packed) m->dev->ops->pack(m->dev, p->packed, p->w.rows, p->w.N, p->w.K);
}

/* f32 weights get a packed copy. Others are unpacked from the file's type as they are used: memory is that of the file. */
static rein_status make_packed(rein_model *m) {
    const rein_ops *op = m->dev->ops;
    rein_product *p;
    int64_t n = 0;
    for (int64_t i = 0; (p = product_at(m, i)); i++)
        if (p->w.dtype == REIN_F32) n += op->packed_size(p->w.N, p->w.K);
    REIN_TRY(rein_alloc(&m->packed, n, sizeof(float)));
    n = 0;
    for (int64_t i = 0; (p = product_at(m, i)); i++) {
        if (p->w.dtype != REIN_F32) continue;
        p->w.packed = p->packed = m->packed + n;
        n += op->packed_size(p->w.N, p->w.K);
        if (p->grad < 0) pack(m, p);
    }
    return REIN_OK;
}

void rein_model_pack(rein_model *m) {
    const rein_product *p;
    for (int64_t i = 0; (p = product_at(m, i)); i++)
        if (p->grad >= 0) pack(m, p);
    if (m->lora) rein_lora_pack(m);
}

/* ---- life ---- */

/* A model whose table is there and knows where the tensors lie, or (source NULL) has all of them in a flat array. */
static rein_status create(rein_model **out, const rein_model_config *cfg, rein_device *dev, int64_t max_pos) {
    rein_model *m;
    rein_status status;
    REIN_TRY(rein_alloc(&m, 1, sizeof *m));
    m->cfg = *cfg;
    m->dev = dev;
    m->n_pos = max_pos > 0 ? max_pos : cfg->max_position_embeddings;
    REIN_TRY_OUT(status, rein_table_create(&m->table, cfg), fail);
    REIN_TRY_OUT(status, rein_rope_table(&m->rope, &m->cfg, m->n_pos), fail);
    *out = m;
    return REIN_OK;
fail:
    rein_model_destroy(m);
    return status;
}

/* All tensors in the flat array, all trained. */
static rein_status make_full(rein_model *m) {
    rein_table *t = m->table;
    m->n_param = t->n;
    m->n_float = t->n_float;
    REIN_TRY(rein_alloc(&m->param, m->n_param, sizeof *m->param));
    memcpy(m->param, t->tensor, (size_t)m->n_param * sizeof *m->param);
    if (m->value) REIN_TRY(rein_value_add(m));
    REIN_TRY(rein_alloc(&m->w, m->n_float, sizeof(float)));
    for (int64_t i = 0; i < t->n; i++) {
        t->rows[i] = m->w + t->tensor[i].offset;
        t->dtype[i] = REIN_F32;
    }
    if (m->value) rein_value_bind(m);
    REIN_TRY(bind(m));
    return make_packed(m);
}

rein_status rein_model_create(rein_model **out, const rein_model_config *cfg, rein_device *dev, int64_t max_pos) {
    rein_model *m;
    REIN_TRY(create(&m, cfg, dev, max_pos));
    rein_status status = make_full(m);
    if (status != REIN_OK) {
        rein_model_destroy(m);
        return status;
    }
    *out = m;
    return REIN_OK;
}

void rein_model_destroy(rein_model *m) {
    if (!m) return;
    rein_lora_destroy(m->lora);
    rein_free(m->value);
    rein_table_destroy(m->table);
    rein_source_close(m->source);
    rein_free(m->param);
    rein_free(m->layer);
    rein_free(m->w);
    rein_free(m->vectors);
    rein_free(m->packed);
    rein_free(m->rope);
    rein_free(m);
}

void rein_model_init(rein_model *m, uint64_t seed) {
    REIN_ASSERT(!m->source);
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        float *w = m->w + p->offset;
        for (int64_t k = 0; k < p->rows * p->cols; k++) {
            if (p->kind == REIN_PARAM_MATRIX)
                w[k] = (float)(m->cfg.initializer_range * rein_random_normal(seed, REIN_STREAM_INIT, (uint32_t)i,
                                                                             (uint32_t)k, (uint32_t)(k >> 32), 0));
            else
                w[k] = p->kind == REIN_PARAM_NORM ? 1.0f : 0.0f;
        }
    }
    rein_model_pack(m);
}

/* First parameter that is none of the network's tensors: of an adapter, else of a value head. */
static int64_t own_params(const rein_model *m) { return m->lora ? 0 : rein_value_first(m); }

int64_t rein_model_trained(const rein_model *m) {
    int64_t n = 0;
    for (int64_t i = 0; i < m->n_param; i++) n += m->param[i].rows * m->param[i].cols;
    return n;
}

int64_t rein_model_count(const rein_model *m) {
    int64_t n = 0;
    for (int64_t i = own_params(m); i < m->n_param; i++) n += m->param[i].rows * m->param[i].cols;
    for (int64_t i = 0; i < m->table->n; i++) n += m->table->tensor[i].rows * m->table->tensor[i].cols;
    return n;
}

/* ---- hashes ---- */

static void hash(const rein_model *m, bool all, char hex[REIN_XXH_HEX]) {
    rein_xxh *h = NULL;
    if (rein_xxh_create(&h) != REIN_OK) REIN_ASSERT(false && "out of memory for a hash state");
    rein_table_hash(m->table, h);
    for (int64_t i = own_params(m); i < m->n_param && all; i++) {
        rein_param_hash(&m->param[i], h);
        rein_xxh_update(h, m->w + m->param[i].offset, (size_t)(m->param[i].rows * m->param[i].cols) * sizeof(float));
    }
    rein_xxh_hex(h, hex);
    rein_xxh_destroy(h);
}

void rein_model_hash(const rein_model *m, char hex[REIN_XXH_HEX]) { hash(m, true, hex); }

void rein_model_base_hash(const rein_model *m, char hex[REIN_XXH_HEX]) { hash(m, false, hex); }

/* ---- files ---- */

static rein_status load_frozen(rein_model *m, rein_source **source, const rein_model_options *o) {
    m->source = *source; /* it outlives the loading: weights stay in it */
    *source = NULL;
    REIN_TRY(rein_table_read(m->table, NULL, m->source));
    m->first = m->cfg.L;
    REIN_TRY(bind(m));
    REIN_TRY(make_packed(m));
    if (o->adapter) return rein_lora_read(m, o->adapter);
    if (o->lora) return rein_lora_create(m, o->lora, o->seed);
    if (!m->value) return REIN_OK;
    REIN_TRY(rein_value_add(m));
    REIN_TRY(rein_alloc(&m->w, m->n_float, sizeof(float)));
    rein_value_bind(m);
    return REIN_OK;
}

static rein_status load(rein_model **out, const char *path, rein_device *dev, const rein_model_options *o) {
    rein_source *source;
    rein_model *m = NULL;
    rein_status status;
    REIN_TRY(rein_source_open(&source, path));
    REIN_TRY_OUT(status, create(&m, rein_source_config(source), dev, o->max_pos), out);
    if (o->value_head != REIN_VALUE_NONE) {
        REIN_TRY_OUT(status, rein_alloc(&m->value, 1, sizeof *m->value), out);
        m->value->kind = o->value_head;
    }
    if (o->frozen || o->lora || o->adapter) {
        REIN_TRY_OUT(status, load_frozen(m, &source, o), out);
    } else {
        REIN_TRY_OUT(status, make_full(m), out);
        REIN_TRY_OUT(status, rein_table_read(m->table, m->w, source), out);
    }
    if (m->value) REIN_TRY_OUT(status, rein_value_load(m, (const char *const[]){o->adapter, path}, o->seed), out);
    rein_model_pack(m);
    *out = m;
    m = NULL;
out:
    rein_model_destroy(m);
    rein_source_close(source);
    return status;
}

rein_status rein_model_load(rein_model **out, const char *path, rein_device *dev, const rein_model_options *options) {
    rein_model_options o = options ? *options : (rein_model_options){0};
    rein_arena arena = {0};
    char *base;
    rein_status status;
    REIN_ASSERT(!(o.lora && o.adapter));
    if (!rein_peft_is_dir(path)) return load(out, path, dev, &o);
    if (o.adapter || o.lora)
        return rein_fail(REIN_ERR_USAGE, "'%s' is an adapter; name its base as the model, or merge it first", path);
    o.adapter = path;
    REIN_TRY_OUT(status, rein_peft_base(&base, &arena, path), out);
    status = load(out, base, dev, &o);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_model_restore(rein_model *m, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/%smodel.safetensors", dir, m->lora ? "adapter_" : ""), out);
    if (m->lora)
        status = rein_lora_restore(m, path);
    else if (!m->source)
        status = rein_params_read_some(m, m->w, 0, rein_value_first(m), path);
    if (status == REIN_OK && m->value) status = rein_value_restore(m, dir);
    if (status == REIN_OK) rein_model_pack(m);
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status save_own(const rein_model *m, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    if (m->lora) return rein_lora_save(m, dir);
    if (m->source) return rein_model_merge(m, dir);
    REIN_TRY_OUT(status, rein_model_config_save(&m->cfg, dir), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/model.safetensors", dir), out);
    REIN_TRY_OUT(status, rein_params_write_some(m, m->w, 0, rein_value_first(m), path), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_model_save(const rein_model *m, const char *dir) {
    REIN_TRY(save_own(m, dir));
    return m->value ? rein_value_save(m, dir) : REIN_OK;
}
