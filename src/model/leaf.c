/* Log-probs and gradients of a planned forest, part by part; see leaf.h. */
#include "model/leaf.h"

#include <string.h>

#include "model/value.h"

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
    rein_free(leaf->read_best);
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

void rein_leaf_teach(rein_leaf *leaf, rein_leaf *teacher, float beta) {
    leaf->teacher = teacher;
    leaf->pass.teacher = teacher ? &teacher->pass : NULL;
    leaf->pass.beta = beta;
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

enum { READ_ARRAYS = 4 }; /* log-prob, entropy, mean, divergence; or one array of values */

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

static rein_status reserve_reads(rein_leaf *leaf, int64_t most) {
    if (most <= leaf->cap_read) return REIN_OK;
    int64_t cap[] = {leaf->cap_read, leaf->cap_read, leaf->cap_read, READ_ARRAYS * leaf->cap_read};
    REIN_TRY(reserve(&leaf->read, &cap[0], most, sizeof *leaf->read));
    REIN_TRY(reserve(&leaf->read_tok, &cap[1], most, sizeof *leaf->read_tok));
    REIN_TRY(reserve(&leaf->read_best, &cap[2], most, sizeof *leaf->read_best));
    REIN_TRY(reserve(&leaf->read_value, &cap[3], READ_ARRAYS * most, sizeof *leaf->read_value));
    leaf->cap_read = most;
    return REIN_OK;
}

/* Reads in order of rows. Of tokens with REIN_WANT_TOKEN: in the forward pass those of the part's own spans, in the backward
 * pass those that are predicted at one of their rows; they differ in the first tokens of spans whose parent is context.
 * Of tokens with REIN_WANT_SCORE: at their own rows, after what is predicted there; read_tok is then ~token. */
static rein_status list_reads(rein_leaf *leaf, const rein_part *part, bool backward, bool tokens, bool scores) {
    const rein_forest *f = leaf->forest;
    REIN_TRY(reserve_reads(leaf, 2 * part->tokens + f->n_span));
    leaf->n_read = 0;
    for (int64_t i = 0; i < part->n_entry; i++) {
        const rein_span *s = &f->span[part->entry[i]];
        bool own = !part->context[i];
        if (!own && backward) continue;
        for (int64_t t = own ? 0 : s->n - 1; t < s->n; t++) {
            int64_t row = leaf->batch.runs[i].row + t, tok = s->tok + t;
            if (tokens && t + 1 < s->n && f->want[tok + 1] & REIN_WANT_TOKEN) add_read(leaf, row, tok + 1);
            for (int64_t c = t + 1 < s->n ? -1 : leaf->plan->first_child[part->entry[i]]; c >= 0 && tokens;
                 c = leaf->plan->next_child[c])
                if (f->want[f->span[c].tok] & REIN_WANT_TOKEN && (backward || leaf->member[c] == leaf->part))
                    add_read(leaf, row, f->span[c].tok);
            if (!scores || !own || !(f->want[tok] & REIN_WANT_SCORE)) continue;
            add_read(leaf, row, tok);
            leaf->read_tok[leaf->n_read - 1] = ~tok;
        }
    }
    return REIN_OK;
}

/* Array k of the reads, NULL where `of` is. */
static float *array(const rein_leaf *leaf, int k, const void *of) {
    return of ? leaf->read_value + k * leaf->cap_read : NULL;
}

/* ---- forward ---- */

static void scatter(const rein_leaf *leaf, float *to, const float *from) {
    for (int64_t i = 0; i < leaf->n_read && to; i++) to[leaf->read_tok[i]] = from[i];
}

static rein_status read_logits(rein_leaf *leaf, const rein_part *part, const rein_leaf_values *out) {
    if (!out->logp && !out->entropy && !out->mean_logp && !out->divergence && !out->best) return REIN_OK;
    REIN_TRY(list_reads(leaf, part, false, true, false));
    REIN_ASSERT(!out->divergence || (leaf->teacher && leaf->teacher->part == leaf->part));
    rein_read_values v = {array(leaf, 0, out->logp), array(leaf, 1, out->entropy), array(leaf, 2, out->mean_logp),
                          array(leaf, 3, out->divergence), out->best ? leaf->read_best : NULL};
    REIN_TRY(rein_head_forward(&leaf->pass, leaf->read, leaf->n_read, &v));
    scatter(leaf, out->logp, v.logp);
    scatter(leaf, out->entropy, v.entropy);
    scatter(leaf, out->mean_logp, v.mean_logp);
    scatter(leaf, out->divergence, v.divergence);
    for (int64_t i = 0; i < leaf->n_read && out->best; i++) out->best[leaf->read_tok[i]] = v.best[i];
    return REIN_OK;
}

static rein_status read_values(rein_leaf *leaf, const rein_part *part, const rein_leaf_values *out) {
    if (!out->value && !out->score) return REIN_OK;
    REIN_TRY(list_reads(leaf, part, false, out->value != NULL, out->score != NULL));
    REIN_TRY(rein_value_forward(&leaf->pass, leaf->read, leaf->n_read, leaf->read_value));
    for (int64_t i = 0; i < leaf->n_read; i++) {
        int64_t tok = leaf->read_tok[i];
        *(tok < 0 ? &out->score[~tok] : &out->value[tok]) = leaf->read_value[i];
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
    REIN_TRY(read_logits(leaf, part, out));
    return read_values(leaf, part, out);
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

/* The gradients of the reads' tokens as array k, NULL where there are none. */
static const float *collect(rein_leaf *leaf, int k, const float *from) {
    float *to = array(leaf, k, from);
    for (int64_t i = 0; i < leaf->n_read && to; i++) to[i] = from[leaf->read_tok[i]];
    return to;
}

static rein_status logits_backward(rein_leaf *leaf, const rein_part *part, const rein_leaf_gradient *d,
                                   const rein_plan *plan, rein_grads *grads) {
    REIN_TRY(list_reads(leaf, part, true, true, false));
    REIN_ASSERT(!d->divergence || (leaf->teacher && leaf->teacher->part == leaf->part));
    rein_read_gradient g = {collect(leaf, 0, d->logp), collect(leaf, 1, d->entropy), collect(leaf, 2, d->mean_logp),
                            collect(leaf, 3, d->divergence)};
    return rein_head_backward(&leaf->pass, leaf->read, leaf->n_read, &g, plan, leaf->dx, grads);
}

static rein_status values_backward(rein_leaf *leaf, const rein_part *part, const rein_leaf_gradient *d,
                                   const rein_plan *plan, rein_grads *grads) {
    REIN_TRY(list_reads(leaf, part, true, d->value != NULL, d->score != NULL));
    for (int64_t i = 0; i < leaf->n_read; i++) {
        int64_t tok = leaf->read_tok[i];
        leaf->read_value[i] = tok < 0 ? d->score[~tok] : d->value[tok];
    }
    return rein_value_backward(&leaf->pass, leaf->read, leaf->n_read, leaf->read_value, plan, leaf->value_detach, leaf->dx,
                               grads);
}

rein_status rein_leaf_backward(rein_leaf *leaf, const rein_leaf_gradient *d, rein_grads *grads) {
    const rein_part *part = &leaf->plan->part[leaf->part];
    int64_t C = leaf->pass.model->cfg.C;
    rein_plan plan;
    REIN_TRY(list_ranges(leaf, part, &plan));
    REIN_TRY(lay_dkv(leaf, part));
    REIN_TRY(reserve(&leaf->dx, &leaf->cap_dx, leaf->batch.T * C, sizeof(float)));
    memset(leaf->dx, 0, (size_t)(leaf->batch.T * C) * sizeof(float));
    bool logits = d->logp || d->entropy || d->mean_logp || d->divergence, values = d->value || d->score;
    if (logits) REIN_TRY(logits_backward(leaf, part, d, &plan, grads));
    if (values) REIN_TRY(values_backward(leaf, part, d, &plan, grads));
    if (!logits && leaf->value_detach) return REIN_OK; /* the trunk has no gradient */
    return rein_pass_backward(&leaf->pass, &leaf->batch, leaf->dkv_stride, leaf->dx, &plan, grads);
}
