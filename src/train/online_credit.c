/* From rewards to advantages; see online_loop.h. */
#include <math.h>

#include "base/sum.h"
#include "reward/reward.h"
#include "rl/kl.h"
#include "train/online_loop.h"

/* The rewards of the step as a table: reward functions (or the totals), then the trainer's own penalties. */
typedef struct reward_table {
    double *value;                       /* (N, n) */
    double weight[REIN_SCORE_PARTS + 2]; /* (n) */
    int64_t n_func, n;                   /* columns of the environment, and all */
} reward_table;

/* A completion that nothing has scored stays without a reward: a penalty alone would make it one. */
static bool scored(const double *row, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        if (!isnan(row[k])) return true;
    return false;
}

static void fill_row(reward_table *t, const rein_online *o, int64_t i) {
    const rein_train_args *a = o->t.args;
    const rein_score *s = &o->rollouts.score[i];
    const rein_gen_sequence *seq = &o->rollouts.gen.seq[i];
    double *row = t->value + i * t->n;
    for (int64_t k = 0; k < t->n_func; k++)
        row[k] = rein_rollouts_failed(&o->rollouts, i) ? (double)NAN : s->n_func > 0 ? s->func[k].value : s->total;
    int64_t k = t->n_func;
    bool counts = scored(row, t->n_func);
    if (a->soft_overlong_cache > 0)
        row[k++] = counts ? rein_soft_overlong(seq->n, o->opt.max_completion_length, a->soft_overlong_cache)
                          : (double)NAN;
    if (a->missing_eos_penalty > 0)
        row[k] = !counts ? (double)NAN : seq->finish == REIN_FINISH_LENGTH ? -a->missing_eos_penalty : 0;
}

static rein_status make_table(reward_table *t, const rein_online *o) {
    const rein_train_args *a = o->t.args;
    const rein_score *score = o->rollouts.score;
    t->n_func = score[0].n_func > 0 ? score[0].n_func : 1;
    t->n = t->n_func + (a->soft_overlong_cache > 0) + (a->missing_eos_penalty > 0);
    for (int64_t i = 0; i < o->N; i++)
        if (score[i].n_func != score[0].n_func)
            return rein_fail(REIN_ERR_MISMATCH, "answer %lld has %d reward functions, answer 0 has %d", (long long)i,
                             score[i].n_func, score[0].n_func);
    for (int64_t k = 0; k < t->n; k++) t->weight[k] = k < score[0].n_func ? score[0].weight[k] : 1;
    REIN_TRY(rein_alloc(&t->value, o->N * t->n, sizeof *t->value));
    for (int64_t i = 0; i < o->N; i++) fill_row(t, o, i);
    return REIN_OK;
}

/* ---- KL between the sampling policy and the reference ---- */

static const float *old_logp(const rein_group_batch *b) { return b->old_logp; }
static const float *ref_logp(const rein_group_batch *b) { return b->ref_logp; }

/* Per token into tokens.kl, per completion into sum (N). */
static rein_status measure_kl(rein_online *o, double *sum) {
    rein_online_tokens *k = &o->tokens;
    const int64_t *at = k->rows.offset;
    double *old;
    int64_t tokens = 0;
    REIN_TRY(rein_alloc(&old, at[o->N] + 1, sizeof *old));
    rein_online_gather(old, o, old_logp);
    rein_online_gather(k->kl, o, ref_logp);
    for (int64_t i = 0; i < o->N; i++) {
        sum[i] = 0;
        for (int64_t t = at[i]; t < at[i + 1]; t++) {
            k->kl[t] = k->rows.mask[t] ? rein_kl_value(o->opt.kl_estimator, old[t], k->kl[t]) : 0;
            sum[i] += k->kl[t];
            tokens += k->rows.mask[t];
        }
    }
    o->report.kl_sum = rein_pairwise_sum(sum, o->N) / (double)o->N;
    o->report.kl = tokens > 0 ? rein_pairwise_sum(sum, o->N) / (double)tokens : 0;
    rein_free(old);
    return REIN_OK;
}

/* ---- advantages ---- */

static rein_advantage_args advantage_args(const rein_online *o, const reward_table *table, const int64_t *length,
                                          const double *kl) {
    return (rein_advantage_args){.reward = table->value,
                                 .weight = table->weight,
                                 .N = o->N,
                                 .G = o->G,
                                 .n_func = table->n,
                                 .options = o->opt.credit,
                                 .length = length,
                                 .kl = o->ref ? kl : NULL,
                                 .allow_missing = o->rollouts.score[0].n_func > 0 || o->rollouts.transcript};
}

static rein_status advantages(rein_online *o, const reward_table *table, int64_t *length, double *kl) {
    for (int64_t i = 0; i < o->N; i++) length[i] = rein_tokens_count(&o->tokens.rows, i);
    if (o->ref && !o->opt.full_kl) REIN_TRY(measure_kl(o, kl));
    const rein_advantage_args args = advantage_args(o, table, length, kl);
    REIN_TRY(rein_advantages(o->advantage, &o->report.reward, NULL, &args));
    const rein_advantage_token_args per_token = {.rows = o->tokens.rows,
                                                 .advantage = o->advantage,
                                                 .early = o->tokens.early,
                                                 .turn = o->t.args->turn_credit ? o->tokens.turn : NULL,
                                                 .kl = o->ref ? o->tokens.kl : NULL,
                                                 .value = o->tokens.value,
                                                 .bootstrap = o->tokens.bootstrap,
                                                 .options = o->opt.credit};
    return rein_advantage_tokens(o->tokens.advantage, o->tokens.ret, &per_token);
}

/* ---- turn by turn: what was still to come ---- */

static int64_t most_turns(const rein_online *o) {
    int64_t most = 1;
    for (int64_t i = 0; i < o->N; i++)
        if (o->rollouts.gen.seq[i].n_turn > most) most = o->rollouts.gen.seq[i].n_turn;
    return most;
}

/* The table as it stands before turn j: without what earlier turns earned; nothing of episodes that had ended. */
static void advance_table(reward_table *table, const rein_online *o, int64_t j) {
    for (int64_t i = 0; i < o->N; i++) {
        double *row = table->value + i * table->n;
        const rein_transcript *t = &o->rollouts.transcript[i];
        bool over = j >= o->rollouts.gen.seq[i].n_turn;
        if (!over && j > 0) row[0] -= t->turn[j - 1].reward;
        for (int64_t k = 0; over && k < table->n; k++) row[k] = (double)NAN;
    }
}

/* Advantages of turn j, (N), to its tokens. */
static void put_turn(rein_online *o, const double *advantage, int64_t j) {
    for (int64_t i = 0; i < o->N; i++) {
        const rein_gen_sequence *s = &o->rollouts.gen.seq[i];
        if (j >= s->n_turn) continue;
        for (int64_t q = s->turn[j].begin; q < s->turn[j].end; q++) {
            int64_t at = o->tokens.rows.offset[i] + q;
            o->tokens.advantage[at] = o->tokens.rows.mask[at] ? advantage[i] : 0;
        }
    }
}

/* For estimators that compare within a group: at each turn, the episodes that came as far, by what they earned from it on
 * (Zeng et al. 2025, arXiv:2505.11821, speak of turn-level advantages). */
static rein_status advantages_by_turn(rein_online *o, reward_table *table, int64_t *length, double *kl) {
    double *of_turn;
    REIN_TRY(advantages(o, table, length, kl));
    if (rein_advantage_kl_per_token(o->opt.credit.estimator)) return REIN_OK; /* GAE's steps are turns already */
    REIN_TRY(rein_alloc(&of_turn, o->N, sizeof *of_turn));
    rein_status status = REIN_OK;
    for (int64_t j = 0, most = most_turns(o); j < most && status == REIN_OK; j++) {
        advance_table(table, o, j);
        const rein_advantage_args args = advantage_args(o, table, length, kl);
        status = rein_advantages(of_turn, NULL, NULL, &args);
        put_turn(o, of_turn, j);
    }
    rein_free(of_turn);
    return status;
}

static double *advantage_of(const rein_group_batch *b) { return b->advantage; }

bool rein_online_per_token(const rein_online *o) {
    return o->t.args->turn_credit || rein_advantage_kl_per_token(o->opt.credit.estimator);
}

rein_status rein_online_credit(rein_online *o) {
    reward_table table = {0};
    int64_t *length = NULL;
    double *kl = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&length, o->N, sizeof *length), out);
    REIN_TRY_OUT(status, rein_alloc(&kl, o->N, sizeof *kl), out);
    REIN_TRY_OUT(status, make_table(&table, o), out);
    REIN_TRY_OUT(status, (o->t.args->turn_credit ? advantages_by_turn(o, &table, length, kl) : advantages(o, &table, length, kl)), out);
    rein_online_scatter(o, o->tokens.advantage, advantage_of);
    if (o->critic) rein_online_targets(o);
out:
    rein_free(table.value);
    rein_free(length);
    rein_free(kl);
    return status;
}
