/* Rows of the last layer that something is read of, gathered in blocks: what the head and the value head share. */
#ifndef REIN_MODEL_HEAD_H
#define REIN_MODEL_HEAD_H

#include "model/pass.h"

/** Grow a scratch array of floats; the old content is lost. */
REIN_NODISCARD rein_status rein_head_grow(float **buffer, int64_t *cap, int64_t n);

/** Room for a block of `rows` rows and `reads` reads, without logits. */
REIN_NODISCARD rein_status rein_head_reserve(rein_pass *pass, int64_t rows, int64_t reads);

/** Reads from `at` on that share at most `most` distinct rows; fills head_row and block_read. Returns their end. */
int64_t rein_head_gather(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, int64_t most, int64_t *rows);

/** Reads from `at` on whose rows fill whole ranges of the plan, from range *range on, up to `most` rows; the ranges
 *  in rows of the block go to pass->local. A row that nothing reads has no gradient and so no place in any sum. */
int64_t rein_head_gather_ranges(rein_pass *pass, const rein_read *reads, int64_t at, int64_t n, int64_t most,
                                const rein_plan *plan, int64_t *range, int64_t *rows, int64_t *n_local);

/** Final norm of the n rows in pass->head_row. */
void rein_head_norm(rein_pass *pass, int64_t n);

/** (rows, C) the block's rows as the last layer gave them, and after the final norm. */
static inline float *rein_head_raw(const rein_pass *pass) { return pass->head_x; }
static inline float *rein_head_normed(const rein_pass *pass) {
    return pass->head_x + pass->cap_head * pass->model->cfg.C;
}

#endif
