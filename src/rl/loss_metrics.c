/* Rows of sequences to the loss and the metrics of a batch; see loss.h. */
#include <math.h>
#include <stddef.h>

#include "base/sum.h"
#include "rl/loss_types.h"

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

/* Clip counts: means over tokens, or over sequences where a sequence has one ratio; extremes over sequences. */
static void finish_clips(rein_loss_metrics *out, const rein_loss_row *row, int64_t n, const rein_loss_options *opt) {
    bool shared = rein_loss_ratio_shared(opt);
    double tokens = out->tokens > 0 ? (double)out->tokens : 1, clipped_of = shared ? (n > 0 ? (double)n : 1) : tokens;
    double low = total(row, n, offsetof(rein_loss_row, low)), high = total(row, n, offsetof(rein_loss_row, high));
    out->low_min = out->high_max = NAN;
    for (int64_t i = 0; i < n; i++) {
        out->low_min = fmin(out->low_min, fraction(row[i].low, &row[i], shared));
        out->high_max = fmax(out->high_max, fraction(row[i].high, &row[i], shared));
    }
    out->low_mean = low / clipped_of;
    out->high_mean = high / clipped_of;
    out->region_mean = (low + high) / clipped_of;
    out->lower_mean = total(row, n, offsetof(rein_loss_row, lower)) / tokens;
}

void rein_loss_finish(rein_loss_metrics *out, const rein_loss_row *row, int64_t n, const rein_loss_options *opt) {
    int64_t top = 0, off_policy = 0;
    *out = (rein_loss_metrics){.sequences = n, .is_min = NAN, .is_max = NAN, .entropy_coef = opt->entropy_coef};
    for (int64_t i = 0; i < n; i++) {
        out->tokens += row[i].tokens;
        top += row[i].entropy_tokens;
        off_policy += row[i].off_policy;
        out->nonfinite += row[i].nonfinite;
        out->ratio_max_deviation = fmax(out->ratio_max_deviation, row[i].deviation);
        out->is_min = fmin(out->is_min, row[i].is_min);
        out->is_max = fmax(out->is_max, row[i].is_max);
        out->gap_max = fmax(out->gap_max, row[i].gap_max);
    }
    double tokens = out->tokens > 0 ? (double)out->tokens : 1, sequences = n > 0 ? (double)n : 1;
    out->policy_loss = total(row, n, offsetof(rein_loss_row, loss));
    out->loss = out->policy_loss - total(row, n, offsetof(rein_loss_row, bonus));
    out->kl = total(row, n, offsetof(rein_loss_row, kl)) / tokens;
    out->entropy = total(row, n, offsetof(rein_loss_row, entropy)) / tokens;
    out->entropy_top = total(row, n, offsetof(rein_loss_row, entropy_top)) / (top > 0 ? (double)top : 1);
    out->ratio_mean = total(row, n, offsetof(rein_loss_row, ratio)) / tokens;
    out->log_ratio_mean = total(row, n, offsetof(rein_loss_row, log_ratio)) / tokens;
    out->weight_mean = total(row, n, offsetof(rein_loss_row, weight)) / sequences;
    out->is_mean = total(row, n, offsetof(rein_loss_row, is_sum)) / tokens;
    out->gap_mean = total(row, n, offsetof(rein_loss_row, gap_sum)) / tokens;
    out->off_policy_fraction = (double)off_policy / tokens;
    finish_clips(out, row, n, opt);
}

/* A metric under its name where `listed`. */
static void put(rein_loss_metric *out, int *n, bool listed, const char *name, double value) {
    if (listed) out[(*n)++] = (rein_loss_metric){name, value};
}

int rein_loss_metrics_list(rein_loss_metric out[REIN_LOSS_METRICS_MAX], const rein_loss_metrics *m,
                           const rein_loss_options *opt) {
    unsigned own = rein_loss_class_of(opt->loss_type)->metrics;
    bool bonus = rein_loss_has_bonus(opt), clip = own & REIN_METRIC_CLIP, weighted = !isnan(m->is_min);
    int n = 0;
    put(out, &n, true, "entropy", m->entropy);
    put(out, &n, opt->beta > 0, "kl", m->kl);
    put(out, &n, bonus, "policy_loss", m->policy_loss);
    put(out, &n, bonus, "entropy_coef", m->entropy_coef);
    put(out, &n, clip, "clip_ratio/low_mean", m->low_mean);
    put(out, &n, clip, "clip_ratio/low_min", m->low_min);
    put(out, &n, clip, "clip_ratio/high_mean", m->high_mean);
    put(out, &n, clip, "clip_ratio/high_max", m->high_max);
    put(out, &n, clip, "clip_ratio/region_mean", m->region_mean);
    put(out, &n, own & REIN_METRIC_CISPO, "cispo_clip_ratio", m->high_mean);
    put(out, &n, own & REIN_METRIC_PHI, "vespo/phi_seq_mean", m->weight_mean);
    put(out, &n, own & REIN_METRIC_CLIPFRAC, "actor/pg_clipfrac", m->region_mean);
    put(out, &n, own & REIN_METRIC_LOWER, "actor/pg_clipfrac_lower", m->lower_mean);
    put(out, &n, own & REIN_METRIC_PPO_KL, "actor/ppo_kl", 0 - m->log_ratio_mean);
    put(out, &n, weighted, "sampling/importance_sampling_ratio/min", m->is_min);
    put(out, &n, weighted, "sampling/importance_sampling_ratio/mean", m->is_mean);
    put(out, &n, weighted, "sampling/importance_sampling_ratio/max", m->is_max);
    put(out, &n, weighted, "sampling/sampling_logp_difference/mean", m->gap_mean);
    put(out, &n, weighted, "sampling/sampling_logp_difference/max", m->gap_max);
    put(out, &n, opt->off_policy_mask_threshold > 0, "off_policy_fraction", m->off_policy_fraction);
    put(out, &n, true, "ratio/mean", m->ratio_mean);
    put(out, &n, true, "ratio/max_deviation", m->ratio_max_deviation);
    return n;
}
