/* Rows of sequences to the loss and the metrics of a batch; see loss.h. */
#include <math.h>
#include <stddef.h>

#include "rl/loss_types.h"
#include "base/sum.h"

/* Sum of one double member over the rows by the canonical tree. */
static double total(const rein_loss_row *row, int64_t n, size_t member) {
    rein_pairwise sum = {0};
    for (int64_t i = 0; i < n; i++)
        rein_pairwise_add(&sum, *(const double *)(const void *)((const char *)&row[i] + member));
    return rein_pairwise_total(&sum);
}

/* Fraction of a sequence's ratios outside; NaN where no token counts, unless the ratio is the sequence's. */
static double fraction(double count, const rein_loss_row *row, bool shared) {
    if (shared) return count;
    return row->tokens > 0 ? count / (double)row->tokens : NAN;
}

void rein_loss_finish(rein_loss_metrics *out, const rein_loss_row *row, int64_t n, const rein_loss_options *opt) {
    bool shared = opt->importance_sampling_level == REIN_LEVEL_SEQUENCE;
    *out = (rein_loss_metrics){.sequences = n, .low_min = NAN, .high_max = NAN};
    for (int64_t i = 0; i < n; i++) {
        out->tokens += row[i].tokens;
        out->nonfinite += row[i].nonfinite;
        out->low_min = fmin(out->low_min, fraction(row[i].low, &row[i], shared));
        out->high_max = fmax(out->high_max, fraction(row[i].high, &row[i], shared));
        out->ratio_max_deviation = fmax(out->ratio_max_deviation, row[i].deviation);
    }
    double tokens = out->tokens > 0 ? (double)out->tokens : 1, sequences = n > 0 ? (double)n : 1;
    double clipped_of = shared ? sequences : tokens;
    double low = total(row, n, offsetof(rein_loss_row, low)), high = total(row, n, offsetof(rein_loss_row, high));
    out->loss = total(row, n, offsetof(rein_loss_row, loss));
    out->kl = total(row, n, offsetof(rein_loss_row, kl)) / tokens;
    out->entropy = total(row, n, offsetof(rein_loss_row, entropy)) / tokens;
    out->low_mean = low / clipped_of;
    out->high_mean = high / clipped_of;
    out->region_mean = (low + high) / clipped_of;
    out->ratio_mean = total(row, n, offsetof(rein_loss_row, ratio)) / tokens;
    out->weight_mean = total(row, n, offsetof(rein_loss_row, weight)) / sequences;
}

int rein_loss_metrics_list(rein_loss_metric out[REIN_LOSS_METRICS_MAX], const rein_loss_metrics *m,
                           const rein_loss_options *opt) {
    int n = 0;
    out[n++] = (rein_loss_metric){"entropy", m->entropy};
    if (opt->beta > 0) out[n++] = (rein_loss_metric){"kl", m->kl};
    if (rein_loss_class_of(opt->loss_type)->clips) {
        out[n++] = (rein_loss_metric){"clip_ratio/low_mean", m->low_mean};
        out[n++] = (rein_loss_metric){"clip_ratio/low_min", m->low_min};
        out[n++] = (rein_loss_metric){"clip_ratio/high_mean", m->high_mean};
        out[n++] = (rein_loss_metric){"clip_ratio/high_max", m->high_max};
        out[n++] = (rein_loss_metric){"clip_ratio/region_mean", m->region_mean};
    }
    if (opt->loss_type == REIN_LOSS_CISPO) out[n++] = (rein_loss_metric){"cispo_clip_ratio", m->high_mean};
    if (opt->loss_type == REIN_LOSS_VESPO) out[n++] = (rein_loss_metric){"vespo/phi_seq_mean", m->weight_mean};
    out[n++] = (rein_loss_metric){"ratio/mean", m->ratio_mean};
    out[n++] = (rein_loss_metric){"ratio/max_deviation", m->ratio_max_deviation};
    return n;
}
