/* Supervised losses over log-probs; see sft.h. */
#include "rl/sft.h"

#include <math.h>

#include "base/math64.h"

static rein_status sequence_loss(double *loss, float *dlogp, const rein_loss_batch *batch, int64_t i, bool dft,
                                 double num_items) {
    double sum = 0;
    for (int64_t t = batch->offset[i]; t < batch->offset[i + 1]; t++) {
        float *gradient = dlogp + (t - batch->offset[0]);
        *gradient = 0;
        if (!batch->mask[t]) continue;
        if (!isfinite(batch->logp[t]))
            return rein_fail(REIN_ERR_NUMERIC, "log-prob of token %lld of sequence %lld is %g",
                             (long long)(t - batch->offset[i]), (long long)i, (double)batch->logp[t]);
        double logp = batch->logp[t], weight = dft ? rein_exp64(logp) : 1;
        sum += weight * -logp;
        *gradient = (float)(-weight / num_items);
    }
    *loss = sum / num_items;
    return REIN_OK;
}

rein_status rein_sft_loss(double *loss, float *dlogp, const rein_loss_batch *batch, rein_sft_loss_type type,
                          int64_t num_items) {
    if (num_items < 1) return rein_fail(REIN_ERR_ARG, "num_items is %lld: no token to train on", (long long)num_items);
    for (int64_t i = 0; i < batch->B; i++)
        REIN_TRY(sequence_loss(&loss[i], dlogp, batch, i, type == REIN_SFT_DFT, (double)num_items));
    return REIN_OK;
}
