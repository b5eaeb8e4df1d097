/* The head of the transformer: final norm, logits and what is read off them, block by block; see pass.h. */
#include "model/head.h"

#include <string.h>

rein_status rein_head_grow(float **buffer, int64_t *cap, int64_t n) {
    if (n <= *cap) return REIN_OK;
    rein_free(*buffer);
    *buffer = NULL;
    *cap = 0;
    REIN_TRY(rein_alloc(buffer, n, sizeof(float)));
    *cap = n;
    return REIN_OK;
}

rein_status rein_head_reserve(rein_pass *pass, int64_t rows, int64_t reads) {
    int64_t C = pass->model->cfg.C;
    if (rows > pass->cap_head) {
        rein_free(pass->head_x);
        rein_free(pass->head_dx);
        rein_free(pass->head_rstd);
        rein_free(pass->head_row);
        rein_free(pass->local);
        pass->head_x = pass->head_dx = pass->head_rstd = NULL;
        pass->head_row = NULL;
        pass->local = NULL;
        pass->cap_head = 0;
        REIN_TRY(rein_alloc(&pass->head_x, 2 * rows * C, sizeof(float)));
        REIN_TRY(rein_alloc(&pass->head_dx, rows * C, sizeof(float)));
        REIN_TRY(rein_alloc(&pass->head_rstd, rows, sizeof(float)));
        REIN_TRY(rein_alloc(&pass->head_row, rows, sizeof *pass->head_row));
        REIN_TRY(rein_alloc(&pass->local, rows, sizeof *pass->local));
        pass->cap_head = rows;
    }
    if (reads > pass->cap_read) {
        REIN_TRY(rein_realloc(&pass->block_read, pass->cap_read, reads, sizeof *pass->block_read));
        pass->cap_read = reads;
    }
    return REIN_OK;
}

/* The same, with logits. */
static rein_status reserve_block(rein_pass *pass, int64_t rows, int64_t reads, bool backward) {
    int64_t V = pass->model->cfg.V;
    REIN_TRY(rein_head_reserve(pass, rows, reads));
    REIN_TRY(rein_head_grow(&pass->stat, &pass->cap_stat, 8 * reads));
    REIN_TRY(rein_head_grow(&pass->logits, &pass->cap_logits, rows * V));
    return backward ? rein_head_grow(&pass->dlogits, &pass->cap_dlogits, rows * V) : REIN_OK;
}

void rein_head_norm(rein_pass *pass, int64_t n) {
    const rein_model *m = pass->model;
    rein_device *dev = m->dev;
    int64_t C = m->cfg.C;
    float *raw = rein_head_raw(pass);
    rein_weight rows = {.rows = pass->x, .N = pass->cap_T, .K = C, .dtype = REIN_F32}; /* a table to gather from */
    dev->ops->embed(dev, raw, rows, pass->head_row, n);
    dev->ops->rmsnorm(dev, rein_head_normed(pass), C, pass->head_rstd, raw, C, m->norm.w, n, 1, C,
                      (float)m->cfg.rms_norm_eps);
}

/* Logits of the n rows in pass->head_row. */
static void block_logits(rein_pass *pass, int64_t n) {
    const rein_model *m = pass->model;
    rein_head_norm(pass, n);
    m->dev->ops->linear(m->dev, pass->logits, m->cfg.V, rein_head_normed(pass), m->cfg.C, m->head.w, NULL, n);
}

int64_t rein_head_gather(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, int64_t most, int64_t *rows) {
    int64_t i = at;
    *rows = 0;
    for (; i < n; i++) {
        bool same = *rows > 0 && pass->head_row[*rows - 1] == (int32_t)reads[i].row;
        if (!same && *rows == most) break;
        if (!same) pass->head_row[(*rows)++] = (int32_t)reads[i].row;
        pass->block_read[i - at] = reads[i];
        pass->block_read[i - at].row = *rows - 1;
    }
    return i;
}

int64_t rein_head_gather_ranges(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, int64_t most,
                                const rein_plan *plan, int64_t *range, int64_t *rows, int64_t *n_local) {
    int64_t i = at;
    *rows = *n_local = 0;
    for (; *range < plan->n && i < n; (*range)++) {
        int64_t begin = *rows, first = i;
        REIN_ASSERT(reads[i].row >= plan->range[*range][0]);
        for (; i < n && reads[i].row < plan->range[*range][1]; i++) {
            bool same = *rows > begin && reads[i].row == reads[i - 1].row;
            if (!same && *rows == most) {
                *rows = begin;
                return first;
            }
            if (!same) pass->head_row[(*rows)++] = (int32_t)reads[i].row;
            pass->block_read[i - at] = reads[i];
            pass->block_read[i - at].row = *rows - 1;
        }
        if (*rows == begin) continue;
        pass->local[*n_local][0] = begin;
        pass->local[(*n_local)++][1] = *rows;
    }
    return i;
}

/* ---- reads of a block ---- */

/* Scratch of n reads. */
typedef struct scratch {
    float *stat;         /* (n, 2) */
    float *spare;        /* (n) log-probs that nobody wants */
    float *entropy;      /* (n) */
    float *teacher_stat; /* (n, 2) */
    float *divergence;   /* (n, 2) */
} scratch;

static scratch scratch_of(const rein_pass *pass, int64_t n) {
    float *s = pass->stat;
    return (scratch){s, s + 2 * n, s + 3 * n, s + 4 * n, s + 6 * n};
}

/* Divergences of the block's n reads from the teacher's distributions at the same rows; makes the teacher's logits. */
static rein_status block_divergence(rein_pass *pass, int64_t rows, int64_t n, rein_teaching *t) {
    rein_pass *teacher = pass->teacher;
    rein_device *dev = pass->model->dev;
    scratch s = scratch_of(pass, n);
    int64_t V = pass->model->cfg.V;
    REIN_ASSERT(teacher && teacher->model->cfg.V == V);
    REIN_TRY(reserve_block(teacher, pass->cap_head, 0, false));
    memcpy(teacher->head_row, pass->head_row, (size_t)rows * sizeof *pass->head_row);
    block_logits(teacher, rows);
    *t = (rein_teaching){.logits = teacher->logits, .stat = s.teacher_stat, .beta = pass->beta};
    dev->ops->logprob(dev, s.spare, s.teacher_stat, NULL, teacher->logits, pass->block_read, n, V);
    dev->ops->divergence(dev, s.divergence, t, pass->logits, s.stat, pass->block_read, n, V);
    return REIN_OK;
}

static rein_status block_forward(rein_pass *pass, const rein_read_values *out, int64_t at, int64_t n, int64_t rows) {
    rein_device *dev = pass->model->dev;
    const rein_ops *op = dev->ops;
    scratch s = scratch_of(pass, n);
    int64_t V = pass->model->cfg.V;
    const rein_read *reads = pass->block_read;
    block_logits(pass, rows);
    op->logprob(dev, out->logp ? out->logp + at : s.spare, s.stat, out->entropy ? out->entropy + at : NULL,
                pass->logits, reads, n, V);
    if (out->best) op->logprob_best(dev, out->best + at, pass->logits, reads, n, V);
    if (out->mean_logp) op->logprob_mean(dev, out->mean_logp + at, s.stat, pass->logits, reads, n, V);
    if (!out->divergence) return REIN_OK;
    rein_teaching t;
    REIN_TRY(block_divergence(pass, rows, n, &t));
    for (int64_t i = 0; i < n; i++) out->divergence[at + i] = s.divergence[2 * i];
    return REIN_OK;
}

rein_status rein_head_forward(rein_pass *pass, const rein_read *reads, int64_t n, const rein_read_values *out) {
    REIN_TRY(reserve_block(pass, n < pass->block_rows ? n : pass->block_rows, n, false));
    for (int64_t at = 0; at < n;) {
        int64_t rows, end = rein_head_gather(pass, reads, at, n, pass->block_rows, &rows);
        REIN_TRY(block_forward(pass, out, at, end - at, rows));
        at = end;
    }
    return REIN_OK;
}

static const float *from(const float *x, int64_t at) { return x ? x + at : NULL; }

/* dlogits of the block's n reads, whose gradients begin at `at`. */
static rein_status logits_backward(rein_pass *pass, const rein_read_gradient *g, int64_t at, int64_t n, int64_t rows) {
    rein_device *dev = pass->model->dev;
    const rein_ops *op = dev->ops;
    scratch s = scratch_of(pass, n);
    int64_t V = pass->model->cfg.V;
    const rein_read *reads = pass->block_read;
    block_logits(pass, rows);
    op->logprob(dev, s.spare, s.stat, g->entropy ? s.entropy : NULL, pass->logits, reads, n, V);
    if (g->logp)
        op->logprob_bwd(dev, pass->dlogits, g->logp + at, s.stat, pass->logits, reads, n, rows, V);
    else
        memset(pass->dlogits, 0, (size_t)(rows * V) * sizeof(float));
    if (!g->entropy && !g->mean_logp && !g->divergence) return REIN_OK;
    rein_distribution_gradient d = {.entropy = from(g->entropy, at),
                                    .mean_logp = from(g->mean_logp, at),
                                    .divergence = from(g->divergence, at),
                                    .entropy_is = s.entropy,
                                    .divergence_is = s.divergence};
    if (g->divergence) REIN_TRY(block_divergence(pass, rows, n, &d.teaching));
    op->distribution_bwd(dev, pass->dlogits, &d, s.stat, pass->logits, reads, n, rows, V);
    return REIN_OK;
}

/* From dlogits of the block, over its n_local ranges, to dx and the gradients of weights. */
static void block_backward(rein_pass *pass, int64_t rows, int64_t n_local, float *dx, rein_grads *gr) {
    const rein_model *m = pass->model;
    rein_device *dev = m->dev;
    const rein_ops *op = dev->ops;
    int64_t C = m->cfg.C, V = m->cfg.V;
    float *dhead = gr->tied_head ? gr->tied_head : rein_grad_at(gr->flat, m->head.grad);
    rein_plan local = {.n = n_local, .range = (const int64_t(*)[2])pass->local};
    if (dhead) op->linear_dw(dev, dhead, pass->dlogits, V, rein_head_normed(pass), C, &local, V, C);
    op->linear_dx(dev, pass->head_dx, pass->dlogits, V, m->head.w, rows);
    op->rmsnorm_bwd(dev, pass->head_dx, rein_grad_at(gr->flat, m->norm.grad), pass->head_dx, C, rein_head_raw(pass), C,
                    m->norm.w, pass->head_rstd, &local, rows, 1, C, 0);
    for (int64_t i = 0; i < rows; i++)
        memcpy(dx + pass->head_row[i] * C, pass->head_dx + i * C, (size_t)C * sizeof(float));
}

rein_status rein_head_backward(rein_pass *pass, const rein_read *reads, int64_t n, const rein_read_gradient *g,
                               const rein_plan *plan, float *dx, rein_grads *gr) {
    REIN_TRY(reserve_block(pass, pass->block_rows, n, true));
    int64_t range = 0;
    for (int64_t at = 0; at < n;) {
        int64_t rows, n_local,
            end = rein_head_gather_ranges(pass, reads, at, n, pass->block_rows, plan, &range, &rows, &n_local);
        REIN_ASSERT(end > at);
        REIN_TRY(logits_backward(pass, g, at, end - at, rows));
        block_backward(pass, rows, n_local, dx, gr);
        at = end;
    }
    return REIN_OK;
}

rein_status rein_head_logits(rein_pass *pass, const int64_t *rows, int64_t n, float **logits) {
    REIN_TRY(reserve_block(pass, n, 0, false));
    for (int64_t i = 0; i < n; i++) pass->head_row[i] = (int32_t)rows[i];
    block_logits(pass, n);
    *logits = pass->logits;
    return REIN_OK;
}
