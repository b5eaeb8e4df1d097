/* The table of the network's tensors; see table.h. */
#include "model/table.h"

#include <stdio.h>
#include <string.h>

/* ---- the table ---- */

static int64_t add(rein_table *t, rein_param_kind kind, int64_t rows, int64_t cols, const char *name) {
    rein_param *p = &t->tensor[t->n];
    *p = (rein_param){.kind = kind, .rows = rows, .cols = cols, .offset = t->n_float};
    snprintf(p->name, sizeof p->name, "%s", name);
    t->n_float += rein_param_floats(rows, cols);
    return t->n++;
}

static int64_t add_layered(rein_table *t, rein_param_kind kind, int64_t rows, int64_t cols, int64_t l,
                           const char *name) {
    char full[80];
    snprintf(full, sizeof full, "model.layers.%lld.%s", (long long)l, name);
    return add(t, kind, rows, cols, full);
}

/* q, k, v (and gate, up) must touch each other to be one linear layer: take padding back between them. */
static int64_t add_joined(rein_table *t, rein_param_kind kind, int64_t rows, int64_t cols, int64_t l,
                          const char *name) {
    const rein_param *before = &t->tensor[t->n - 1];
    t->n_float = before->offset + before->rows * before->cols;
    return add_layered(t, kind, rows, cols, l, name);
}

static void add_attention(rein_table *t, const rein_model_config *c, int64_t l) {
    int64_t *y = t->layer[l], HD = c->H * c->D, KD = c->K * c->D;
    y[REIN_T_ATTN_NORM] = add_layered(t, REIN_PARAM_NORM, 1, c->C, l, "input_layernorm.weight");
    y[REIN_T_Q] = add_layered(t, REIN_PARAM_MATRIX, HD, c->C, l, "self_attn.q_proj.weight");
    y[REIN_T_K] = add_joined(t, REIN_PARAM_MATRIX, KD, c->C, l, "self_attn.k_proj.weight");
    y[REIN_T_V] = add_joined(t, REIN_PARAM_MATRIX, KD, c->C, l, "self_attn.v_proj.weight");
    if (c->qkv_bias) {
        y[REIN_T_Q_BIAS] = add_layered(t, REIN_PARAM_BIAS, 1, HD, l, "self_attn.q_proj.bias");
        y[REIN_T_K_BIAS] = add_joined(t, REIN_PARAM_BIAS, 1, KD, l, "self_attn.k_proj.bias");
        y[REIN_T_V_BIAS] = add_joined(t, REIN_PARAM_BIAS, 1, KD, l, "self_attn.v_proj.bias");
    }
    if (c->qk_norm) {
        y[REIN_T_Q_NORM] = add_layered(t, REIN_PARAM_NORM, 1, c->D, l, "self_attn.q_norm.weight");
        y[REIN_T_K_NORM] = add_layered(t, REIN_PARAM_NORM, 1, c->D, l, "self_attn.k_norm.weight");
    }
    y[REIN_T_O] = add_layered(t, REIN_PARAM_MATRIX, c->C, HD, l, "self_attn.o_proj.weight");
    if (c->o_bias) y[REIN_T_O_BIAS] = add_layered(t, REIN_PARAM_BIAS, 1, c->C, l, "self_attn.o_proj.bias");
}

static void add_ffn(rein_table *t, const rein_model_config *c, int64_t l) {
    int64_t *y = t->layer[l];
    y[REIN_T_FFN_NORM] = add_layered(t, REIN_PARAM_NORM, 1, c->C, l, "post_attention_layernorm.weight");
    y[REIN_T_GATE] = add_layered(t, REIN_PARAM_MATRIX, c->F, c->C, l, "mlp.gate_proj.weight");
    y[REIN_T_UP] = add_joined(t, REIN_PARAM_MATRIX, c->F, c->C, l, "mlp.up_proj.weight");
    y[REIN_T_DOWN] = add_layered(t, REIN_PARAM_MATRIX, c->C, c->F, l, "mlp.down_proj.weight");
}

rein_status rein_table_create(rein_table **out, const rein_model_config *c) {
    rein_table *t;
    rein_status status;
    int64_t most = 3 + REIN_T_LAYER * c->L;
    REIN_TRY(rein_alloc(&t, 1, sizeof *t));
    REIN_TRY_OUT(status, rein_alloc(&t->tensor, most, sizeof *t->tensor), fail);
    REIN_TRY_OUT(status, rein_alloc(&t->rows, most, sizeof *t->rows), fail);
    REIN_TRY_OUT(status, rein_alloc(&t->dtype, most, sizeof *t->dtype), fail);
    REIN_TRY_OUT(status, rein_alloc(&t->layer, c->L, sizeof *t->layer), fail);
    t->embed = add(t, REIN_PARAM_MATRIX, c->V, c->C, "model.embed_tokens.weight");
    for (int64_t l = 0; l < c->L; l++) {
        for (int i = 0; i < REIN_T_LAYER; i++) t->layer[l][i] = -1;
        add_attention(t, c, l);
        add_ffn(t, c, l);
    }
    t->norm = add(t, REIN_PARAM_NORM, 1, c->C, "model.norm.weight");
    t->head = c->tie_word_embeddings ? t->embed : add(t, REIN_PARAM_MATRIX, c->V, c->C, "lm_head.weight");
    *out = t;
    return REIN_OK;
fail:
    rein_table_destroy(t);
    return status;
}

void rein_table_destroy(rein_table *t) {
    if (!t) return;
    rein_free(t->tensor);
    rein_free(t->rows);
    rein_free(t->dtype);
    rein_free(t->layer);
    rein_free(t);
}

rein_weight rein_table_weight(const rein_table *t, int64_t i) {
    return (rein_weight){.rows = t->rows[i], .N = t->tensor[i].rows, .K = t->tensor[i].cols, .dtype = t->dtype[i]};
}

/* ---- reading ---- */

static rein_status require(const rein_tensor_view **out, const rein_source *s, const rein_param *p) {
    bool matrix = p->kind == REIN_PARAM_MATRIX;
    int64_t shape[2] = {matrix ? p->rows : p->cols, p->cols};
    *out = rein_source_find(s, p->name);
    return rein_tensor_require(*out, rein_source_path(s), p->name, shape, matrix ? 2 : 1);
}

static rein_status no_other(const rein_table *t, const rein_source *s) {
    for (int64_t i = 0; i < rein_source_count(s); i++) {
        const char *name = rein_source_at(s, i)->name;
        bool known = t->head == t->embed && strcmp(name, "lm_head.weight") == 0; /* some writers store both */
        for (int64_t k = 0; k < t->n && !known; k++) known = strcmp(name, t->tensor[k].name) == 0;
        if (!known)
            return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' belongs to no part of this model", rein_source_path(s),
                             name);
    }
    return REIN_OK;
}

rein_status rein_table_read(rein_table *t, float *flat, const rein_source *s) {
    for (int64_t i = 0; i < t->n; i++) {
        const rein_param *p = &t->tensor[i];
        const rein_tensor_view *v = NULL;
        REIN_TRY(require(&v, s, p));
        t->dtype[i] = flat ? REIN_F32 : v->dtype;
        t->rows[i] = flat ? flat + p->offset : v->data;
        if (flat)
            REIN_TRY(rein_tensor_to_f32(flat + p->offset, v));
        else if (!rein_dtype_is_weight(v->dtype) || p->cols % rein_dtype_block(v->dtype) != 0)
            return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has dtype %s, which no frozen weight of %lld columns can have",
                             v->file, p->name, rein_dtype_name(v->dtype), (long long)p->cols);
    }
    return no_other(t, s);
}

/* ---- values ---- */

void rein_table_values(const rein_table *t, int64_t i, float *out, int64_t first, int64_t n) {
    if (n > 0) rein_dequantize(out, t->dtype[i], t->rows[i], first, n);
}

void rein_param_hash(const rein_param *p, rein_xxh *h) {
    rein_xxh_update(h, p->name, strlen(p->name) + 1);
    rein_xxh_update(h, &p->rows, sizeof p->rows);
    rein_xxh_update(h, &p->cols, sizeof p->cols);
}

void rein_table_hash(const rein_table *t, rein_xxh *h) {
    enum { BLOCK = 4096 };
    float block[BLOCK];
    for (int64_t i = 0; i < t->n; i++) {
        int64_t n = t->tensor[i].rows * t->tensor[i].cols;
        rein_param_hash(&t->tensor[i], h);
        for (int64_t at = 0; at < n; at += BLOCK) {
            int64_t count = n - at < BLOCK ? n - at : BLOCK;
            rein_table_values(t, i, block, at, count);
            rein_xxh_update(h, block, (size_t)count * sizeof *block);
        }
    }
}
