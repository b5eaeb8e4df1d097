/* A model with its adapter as one dense model; see rein_model_merge in model.h. */
#include <string.h>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/lora.h"
#include "model/table.h"

static void merge_bias(const rein_product *p, float *out) {
    if (p->bias.w) memcpy(out, p->bias.w, (size_t)p->w.N * sizeof(float));
}

/* What the layer's products have instead of the base's tensors. */
static void merge_layer(const rein_model *m, const rein_table *t, int64_t l, float *flat) {
    static const rein_layer_tensor weight[] = {REIN_T_Q, REIN_T_K, REIN_T_V, REIN_T_O, REIN_T_GATE, REIN_T_UP, REIN_T_DOWN};
    static const rein_layer_tensor bias[] = {REIN_T_Q_BIAS, REIN_T_K_BIAS, REIN_T_V_BIAS, REIN_T_O_BIAS};
    const rein_layer *y = &m->layer[l];
    const rein_product *all[] = {&y->qkv.part[0],     &y->qkv.part[1],     &y->qkv.part[2], &y->o.part[0],
                                 &y->gate_up.part[0], &y->gate_up.part[1], &y->down.part[0]};
    for (size_t i = 0; i < REIN_COUNT(weight); i++) {
        if (all[i]->adapter) rein_lora_merged(all[i]->adapter, flat + t->tensor[t->layer[l][weight[i]]].offset);
        if (i < REIN_COUNT(bias) && t->layer[l][bias[i]] >= 0)
            merge_bias(all[i], flat + t->tensor[t->layer[l][bias[i]]].offset);
    }
}

static void merge(const rein_model *m, const rein_table *t, float *flat) {
    const rein_table *base = m->table;
    for (int64_t i = 0; i < base->n; i++) /* both tables have the same order; a head that is no more tied comes last */
        rein_table_values(base, i, flat + t->tensor[i].offset, 0, base->tensor[i].rows * base->tensor[i].cols);
    for (int64_t l = 0; l < m->cfg.L; l++) merge_layer(m, t, l, flat);
    int64_t n = m->cfg.V * m->cfg.C;
    rein_dequantize(flat + t->tensor[t->embed].offset, m->embed.dtype, m->embed.rows, 0, n);
    if (t->head != t->embed) rein_dequantize(flat + t->tensor[t->head].offset, m->head.w.dtype, m->head.w.rows, 0, n);
}

static rein_status write(const rein_table *t, const float *flat, const rein_model_config *cfg, const char *dir) {
    rein_tensor_out *list;
    rein_status status;
    REIN_TRY(rein_model_config_save(cfg, dir));
    REIN_TRY(rein_alloc(&list, t->n, sizeof *list));
    for (int64_t i = 0; i < t->n; i++) {
        const rein_param *p = &t->tensor[i];
        bool matrix = p->kind == REIN_PARAM_MATRIX;
        list[i] = (rein_tensor_out){.name = p->name, .dtype = REIN_F32, .n_dim = matrix ? 2 : 1,
                                    .shape = {matrix ? p->rows : p->cols, matrix ? p->cols : 0},
                                    .f32 = flat + p->offset};
    }
    status = rein_tensors_write_model(dir, list, t->n, 0);
    rein_free(list);
    return status;
}

rein_status rein_model_merge(const rein_model *m, const char *dir) {
    rein_model_config cfg = m->cfg;
    rein_table *t;
    float *flat = NULL;
    rein_status status;
    REIN_ASSERT(m->source);
    cfg.dtype = REIN_F32;
    if (m->embed.rows != m->head.w.rows) cfg.tie_word_embeddings = false; /* one of the two was trained apart */
    REIN_TRY(rein_table_create(&t, &cfg));
    REIN_TRY_OUT(status, rein_alloc(&flat, t->n_float, sizeof *flat), out);
    merge(m, t, flat);
    status = write(t, flat, &cfg, dir);
out:
    rein_free(flat);
    rein_table_destroy(t);
    return status;
}
