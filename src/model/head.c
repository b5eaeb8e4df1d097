/* The head of the transformer: final norm, logits and log-probs of the rows that are read, block by block; see pass.h. */
#include <string.h>

#include "model/pass.h"

static rein_status reserve(float **buffer, int64_t *cap, int64_t n) {
    if (n <= *cap) return REIN_OK;
    rein_free(*buffer);
    *buffer = NULL;
    *cap = 0;
    REIN_TRY(rein_alloc(buffer, n, sizeof(float)));
    *cap = n;
    return REIN_OK;
}

/* Room for a block of `rows` rows and `reads` reads. */
static rein_status reserve_block(rein_pass *pass, int64_t rows, int64_t reads, bool backward) {
    int64_t C = pass->model->cfg.C, V = pass->model->cfg.V;
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
    REIN_TRY(reserve(&pass->stat, &pass->cap_stat, 3 * reads));
    REIN_TRY(reserve(&pass->logits, &pass->cap_logits, rows * V));
    if (backward) REIN_TRY(reserve(&pass->dlogits, &pass->cap_dlogits, rows * V));
    return REIN_OK;
}

/* Logits of the n rows in pass->head_row. Normalised rows stay in the second half of head_x, raw ones in the first. */
static void block_logits(rein_pass *pass, int64_t n) {
    const rein_model *m = pass->model;
    rein_device *dev = m->dev;
    int64_t C = m->cfg.C;
    float *raw = pass->head_x, *normed = pass->head_x + pass->cap_head * C;
    rein_weight rows = {.rows = pass->x, .N = pass->cap_T, .K = C, .dtype = REIN_F32}; /* a table to gather from */
    dev->ops->embed(dev, raw, rows, pass->head_row, n);
    dev->ops->rmsnorm(dev, normed, C, pass->head_rstd, raw, C, m->norm.w, n, 1, C, (float)m->cfg.rms_norm_eps);
    dev->ops->linear(dev, pass->logits, m->cfg.V, normed, C, m->head.w, NULL, n);
}

/* Reads from `at` on that share at most `most` distinct rows; fills head_row and block_read. Returns their end. */
static int64_t gather_block(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, int64_t most,
                            int64_t *rows) {
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

rein_status rein_head_logprob(rein_pass *pass, const rein_read *reads, int64_t n, float *logp, float *entropy) {
    const rein_model *m = pass->model;
    REIN_TRY(reserve_block(pass, n < pass->block_rows ? n : pass->block_rows, n, false));
    for (int64_t at = 0; at < n;) {
        int64_t rows, end = gather_block(pass, reads, at, n, pass->block_rows, &rows);
        block_logits(pass, rows);
        m->dev->ops->logprob(m->dev, logp + at, pass->stat, entropy ? entropy + at : NULL, pass->logits,
                             pass->block_read, end - at, m->cfg.V);
        at = end;
    }
    return REIN_OK;
}

/* Reads from `at` on whose rows fill whole ranges of the plan, from range *range on, up to block_rows rows; the ranges
 * in rows of the block go to pass->local. A row that nothing reads has no gradient and so no place in any sum. */
static int64_t gather_ranges(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, const rein_plan *plan,
                             int64_t *range, int64_t *rows, int64_t *n_local) {
    int64_t i = at;
    *rows = *n_local = 0;
    for (; *range < plan->n && i < n; (*range)++) {
        int64_t begin = *rows, first = i;
        REIN_ASSERT(reads[i].row >= plan->range[*range][0]);
        for (; i < n && reads[i].row < plan->range[*range][1]; i++) {
            bool same = *rows > begin && reads[i].row == reads[i - 1].row;
            if (!same && *rows == pass->block_rows) {
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

/* Backward of the reads in pass->block_read over the n_local ranges of the block. */
static void block_backward(rein_pass *pass, const float *dlogp, int64_t n_reads, int64_t rows, int64_t n_local,
                           float *dx, rein_grads *gr) {
    const rein_model *m = pass->model;
    rein_device *dev = m->dev;
    const rein_ops *op = dev->ops;
    int64_t C = m->cfg.C, V = m->cfg.V;
    float *raw = pass->head_x, *normed = pass->head_x + pass->cap_head * C;
    float *dhead = gr->tied_head ? gr->tied_head : rein_grad_at(gr->flat, m->head.grad);
    rein_plan local = {.n = n_local, .range = (const int64_t(*)[2])pass->local};
    block_logits(pass, rows);
    op->logprob(dev, pass->stat + 2 * n_reads, pass->stat, NULL, pass->logits, pass->block_read, n_reads, V);
    op->logprob_bwd(dev, pass->dlogits, dlogp, pass->stat, pass->logits, pass->block_read, n_reads, rows, V);
    if (dhead) op->linear_dw(dev, dhead, pass->dlogits, V, normed, C, &local, V, C);
    op->linear_dx(dev, pass->head_dx, pass->dlogits, V, m->head.w, rows);
    op->rmsnorm_bwd(dev, pass->head_dx, rein_grad_at(gr->flat, m->norm.grad), pass->head_dx, C, raw, C, m->norm.w,
                    pass->head_rstd, &local, rows, 1, C, 0);
    for (int64_t i = 0; i < rows; i++)
        memcpy(dx + pass->head_row[i] * C, pass->head_dx + i * C, (size_t)C * sizeof(float));
}

rein_status rein_head_backward(rein_pass *pass, const rein_read *reads, int64_t n, const float *dlogp,
                               const rein_plan *plan, int64_t T, float *dx, rein_grads *gr) {
    memset(dx, 0, (size_t)(T * pass->model->cfg.C) * sizeof(float));
    REIN_TRY(reserve_block(pass, pass->block_rows, n, true));
    int64_t range = 0;
    for (int64_t at = 0; at < n;) {
        int64_t rows, n_local, end = gather_ranges(pass, reads, at, n, plan, &range, &rows, &n_local);
        REIN_ASSERT(end > at);
        block_backward(pass, dlogp + at, end - at, rows, n_local, dx, gr);
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
