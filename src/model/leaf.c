/* Log-probs and gradients of a planned forest, part by part; see leaf.h. */
#include "model/leaf.h"

#include <string.h>

/* Grow scratch; the old content is lost. */
static rein_status reserve(void *pointer, int64_t *cap, int64_t n, size_t size) {
    if (n <= *cap) return REIN_OK;
    void *none = NULL, *old;
    memcpy(&old, pointer, sizeof old);
    rein_free(old);
    memcpy(pointer, &none, sizeof none);
    *cap = 0;
    REIN_TRY(rein_alloc(pointer, n, size));
    *cap = n;
    return REIN_OK;
}

rein_status rein_leaf_init(rein_leaf *leaf, const rein_model *model) {
    *leaf = (rein_leaf){.part = -1};
    return rein_pass_init(&leaf->pass, model, true);
}

void rein_leaf_deinit(rein_leaf *leaf) {
    rein_pass_deinit(&leaf->pass);
    rein_batch_deinit(&leaf->batch);
    rein_free(leaf->kv);
    rein_free(leaf->dkv);
    rein_free(leaf->dx);
    rein_free(leaf->seg);
    rein_free(leaf->read);
    rein_free(leaf->read_tok);
    rein_free(leaf->read_value);
    rein_free(leaf->dkv_stride);
    rein_free(leaf->range);
    rein_arena_deinit(&leaf->carried);
    *leaf = (rein_leaf){0};
}

rein_status rein_leaf_begin(rein_leaf *leaf, const rein_forest *forest, const rein_forest_plan *plan,
                            const rein_leaf_sampling *sampling) {
    leaf->forest = forest;
    leaf->plan = plan;
    leaf->sampling = *sampling;
    leaf->part = -1;
    rein_arena_deinit(&leaf->carried);
    REIN_TRY(rein_arena_alloc(&leaf->carried, &leaf->carry, (size_t)forest->n_span * sizeof *leaf->carry));
    REIN_TRY(rein_arena_alloc(&leaf->carried, &leaf->member, (size_t)forest->n_span * sizeof *leaf->member));
    for (int64_t s = 0; s < forest->n_span; s++) leaf->member[s] = -1;
    return REIN_OK;
}

void rein_leaf_teach(rein_leaf *leaf, const rein_leaf *teacher, float beta) {
    leaf->teacher = teacher;
    leaf->beta = beta;
}

/* ---- the part as a batch ---- */

int64_t rein_seg_panels(int64_t pos, int64_t n) {
    return (pos + n - 1) / REIN_LANES - pos / REIN_LANES + 1;
}

int64_t rein_seg_floats(const rein_model *m, int64_t panels) {
    return m->cfg.L * 2 * m->cfg.K * panels * REIN_LANES * m->cfg.D;
}

/* Rows, ids and positions of the part's spans, and each span's place in the key-value pool. */
static rein_status lay_rows(rein_leaf *leaf, const rein_part *part) {
    const rein_forest *f = leaf->forest;
    const rein_model *m = leaf->pass.model;
    rein_batch *b = &leaf->batch;
    int64_t floats = 0, segs = 0;
    REIN_TRY(rein_batch_reserve(b, part->tokens, part->n_entry));
    b->T = 0;
    b->n_runs = part->n_entry;
    for (int64_t i = 0; i < part->n_entry; i++) {
        const rein_span *s = &f->span[part->entry[i]];
        b->runs[i] = (rein_run){.row = b->T, .n = s->n, .pos = s->pos, .parent = -1, .context = part->context[i]};
        for (int64_t t = 0; t < s->n; t++) {
            b->ids[b->T] = f->ids[s->tok + t];
            b->span[b->T] = (uint32_t)part->entry[i];
            b->pos[b->T++] = s->pos + t;
        }
        floats += rein_seg_floats(m, rein_seg_panels(s->pos, s->n));
        for (int64_t p = part->entry[i]; p >= 0; p = f->span[p].parent) segs++;
    }
    REIN_TRY(reserve(&leaf->kv, &leaf->cap_kv, floats, sizeof(float)));
    memset(leaf->kv, 0, (size_t)floats * sizeof(float)); /* unused lanes of a panel are zero */
    return reserve(&leaf->seg, &leaf->cap_seg, segs, sizeof *leaf->seg);
}

/* Paths of the runs: an entry's own segment is its last; ancestors' are copied in front. Parents follow their children,
 * so walking backwards every parent's path is ready. */
static void lay_paths(rein_leaf *leaf, const rein_part *part) {
    const rein_forest *f = leaf->forest;
    const rein_model *m = leaf->pass.model;
    rein_batch *b = &leaf->batch;
    int64_t floats = 0, segs = 0;
    for (int64_t i = b->n_runs - 1; i >= 0; i--) {
        rein_run *r = &b->runs[i];
        const rein_span *s = &f->span[part->entry[i]];
        for (int64_t j = i + 1; j < b->n_runs && s->parent >= 0; j++) {
            if (part->entry[j] != s->parent) continue;
            r->parent = j;
            break;
        }
        r->root = r->parent < 0 ? i : b->runs[r->parent].root;
        rein_seg *path = leaf->seg + segs;
        if (r->parent >= 0) {
            r->n_seg = b->runs[r->parent].n_seg;
            memcpy(path, b->runs[r->parent].seg, (size_t)r->n_seg * sizeof *path);
        }
        int64_t panels = rein_seg_panels(s->pos, s->n);
        path[r->n_seg++] = (rein_seg){.base = leaf->kv + floats, .pos0 = s->pos, .n = s->n, .panels = panels,
                                      .layer_stride = rein_seg_floats(m, panels) / m->cfg.L};
        r->seg = path;
        segs += r->n_seg;
        floats += rein_seg_floats(m, panels);
    }
}

/* ---- reads ---- */

static void add_read(rein_leaf *leaf, int64_t row, int64_t tok) {
    const rein_leaf_sampling *s = &leaf->sampling;
    rein_read *r = &leaf->read[leaf->n_read];
    *r = (rein_read){.row = row, .target = leaf->forest->ids[tok], .temperature = s->temperature};
    if (s->kept) {
        r->kept = s->kept[tok].ids;
        r->n_kept = (int32_t)s->kept[tok].n;
    }
    leaf->read_tok[leaf->n_read++] = tok;
}

/* Reads in order of rows: in the forward pass of every wanted token of the part's own spans, in the backward pass of every
 * wanted token that is predicted at one of their rows. They differ in the first tokens of spans whose parent is context. */
static rein_status list_reads(rein_leaf *leaf, const rein_part *part, bool backward) {
    const rein_forest *f = leaf->forest;
    int64_t most = part->tokens + f->n_span;
    if (most > leaf->cap_read) {
        int64_t cap = leaf->cap_read, cap2 = leaf->cap_read, cap3 = 2 * leaf->cap_read;
        REIN_TRY(reserve(&leaf->read, &cap, most, sizeof *leaf->read));
        REIN_TRY(reserve(&leaf->read_tok, &cap2, most, sizeof *leaf->read_tok));
        REIN_TRY(reserve(&leaf->read_value, &cap3, 2 * most, sizeof *leaf->read_value));
        leaf->cap_read = most;
    }
    leaf->n_read = 0;
    for (int64_t i = 0; i < part->n_entry; i++) {
        const rein_span *s = &f->span[part->entry[i]];
        int64_t row = leaf->batch.runs[i].row;
        if (part->context[i] && backward) continue;
        for (int64_t t = 1; t < s->n && !part->context[i]; t++)
            if (f->want[s->tok + t] & REIN_WANT_TOKEN) add_read(leaf, row + t - 1, s->tok + t);
        for (int64_t c = leaf->plan->first_child[part->entry[i]]; c >= 0; c = leaf->plan->next_child[c])
            if (f->want[f->span[c].tok] & REIN_WANT_TOKEN && (backward || leaf->member[c] == leaf->part))
                add_read(leaf, row + s->n - 1, f->span[c].tok);
    }
    return REIN_OK;
}

rein_status rein_leaf_forward(rein_leaf *leaf, int64_t part_index, const rein_leaf_values *out) {
    const rein_part *part = &leaf->plan->part[part_index];
    leaf->part = part_index;
    REIN_TRY(lay_rows(leaf, part));
    lay_paths(leaf, part);
    REIN_TRY(rein_pass_forward(&leaf->pass, &leaf->batch));
    for (int64_t i = 0; i < part->n_entry; i++)
        if (!part->context[i]) leaf->member[part->entry[i]] = part_index;
    REIN_TRY(list_reads(leaf, part, false));
    float *value = leaf->read_value, *ent = leaf->read_value + leaf->cap_read;
    REIN_TRY(rein_head_logprob(&leaf->pass, leaf->read, leaf->n_read, value, out->entropy ? ent : NULL));
    for (int64_t i = 0; i < leaf->n_read; i++) {
        if (out->logp) out->logp[leaf->read_tok[i]] = value[i];
        if (out->entropy) out->entropy[leaf->read_tok[i]] = ent[i];
    }
    return REIN_OK;
}

/* ---- backward ---- */

/* The chunks of the part as ranges of its rows. */
static rein_status list_ranges(rein_leaf *leaf, const rein_part *part, rein_plan *out) {
    const rein_forest_plan *plan = leaf->plan;
    REIN_TRY(reserve(&leaf->range, &leaf->cap_range, part->end - part->begin, sizeof *leaf->range));
    int64_t row = 0; /* members fill the first rows in the plan's order */
    for (int64_t c = part->begin; c < part->end; c++) {
        leaf->range[c - part->begin][0] = row;
        row += plan->n_toks[c];
        leaf->range[c - part->begin][1] = row;
    }
    *out = (rein_plan){.n = part->end - part->begin, .range = (const int64_t(*)[2])leaf->range};
    return REIN_OK;
}

/* Gradients of keys and values: scratch for most spans, kept over parts for those that were context before or are now. */
static rein_status lay_dkv(rein_leaf *leaf, const rein_part *part) {
    const rein_model_config *c = &leaf->pass.model->cfg;
    rein_batch *b = &leaf->batch;
    int64_t floats = 0;
    REIN_TRY(reserve(&leaf->dkv_stride, &leaf->cap_stride, b->n_runs, sizeof *leaf->dkv_stride));
    for (int64_t i = 0; i < b->n_runs; i++) floats += 2 * c->K * c->D * (b->runs[i].pos + b->runs[i].n);
    REIN_TRY(reserve(&leaf->dkv, &leaf->cap_dkv, floats, sizeof(float)));
    floats = 0;
    for (int64_t i = 0; i < b->n_runs; i++) {
        rein_run *r = &b->runs[i];
        int64_t s = part->entry[i], size = 2 * c->K * c->D * (r->pos + r->n);
        if (r->context && !leaf->carry[s])
            REIN_TRY(rein_arena_alloc(&leaf->carried, &leaf->carry[s], (size_t)(size * c->L) * sizeof(float)));
        leaf->dkv_stride[i] = leaf->carry[s] ? size : 0;
        r->dkv = leaf->carry[s] ? leaf->carry[s] : leaf->dkv + floats;
        if (!leaf->carry[s]) floats += size;
    }
    return REIN_OK;
}

rein_status rein_leaf_backward(rein_leaf *leaf, const rein_leaf_gradient *dvalue, rein_grads *grads) {
    const rein_part *part = &leaf->plan->part[leaf->part];
    int64_t C = leaf->pass.model->cfg.C;
    rein_plan plan;
    REIN_TRY(list_ranges(leaf, part, &plan));
    REIN_TRY(lay_dkv(leaf, part));
    REIN_TRY(reserve(&leaf->dx, &leaf->cap_dx, leaf->batch.T * C, sizeof(float)));
    REIN_TRY(list_reads(leaf, part, true));
    for (int64_t i = 0; i < leaf->n_read; i++) leaf->read_value[i] = dvalue->logp ? dvalue->logp[leaf->read_tok[i]] : 0;
    REIN_TRY(rein_head_backward(&leaf->pass, leaf->read, leaf->n_read, leaf->read_value, &plan, leaf->batch.T, leaf->dx,
                                grads));
    return rein_pass_backward(&leaf->pass, &leaf->batch, leaf->dkv_stride, leaf->dx, &plan, grads);
}
