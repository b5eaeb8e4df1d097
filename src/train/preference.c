/* Training on preferences; see preference.h. */
#include "train/preference.h"

#include "base/sum.h"
#include "rl/preference.h"

/* In the order of the metrics. */
enum { LOSS, REWARD_CHOSEN, REWARD_REJECTED, LOGPS_CHOSEN, LOGPS_REJECTED, ENTROPY, REWARD_ACCURACIES, REWARD_MARGINS };
enum { KL = REWARD_ACCURACIES };
static const char *const pair_metrics[] = {"loss",
                                           "rewards/chosen",
                                           "rewards/rejected",
                                           "logps/chosen",
                                           "logps/rejected",
                                           "entropy",
                                           "rewards/accuracies",
                                           "rewards/margins",
                                           NULL};
static const char *const single_metrics[] = {
    "loss", "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected", "entropy", "kl", NULL};

typedef struct preference {
    rein_preference_options loss;
    rein_model *ref; /* NULL: the loss needs none */
    rein_leaf ref_leaf;
    float *ref_logp; /* (n_tok) */
    int64_t cap_tok;
    double *slope; /* (batch, 2) of the mean loss: by unit, its last two spans */
    int64_t *row;  /* (batch) rows of the batch */
} preference;

/* ---- set-up ---- */

static void preference_close(rein_offline *o) {
    preference *p = o->state;
    if (!p) return;
    rein_leaf_deinit(&p->ref_leaf);
    rein_model_destroy(p->ref);
    rein_free(p->ref_logp);
    rein_free(p->slope);
    rein_free(p->row);
}

/* The reference policy, unless the loss needs none. */
static rein_status load_reference(rein_offline *o, preference *p) {
    rein_train_args a = *o->t.args;
    bool needs = rein_preference_needs_reference(p->loss.loss_type) && !a.reference_free;
    if (!needs && a.ref_model)
        return rein_fail(REIN_ERR_USAGE, "ref_model '%s' is given, but %s, so nothing would read it", a.ref_model,
                         a.reference_free ? "reference_free is true" : "this loss_type has no reference");
    if (a.reference_free && !rein_preference_needs_reference(p->loss.loss_type))
        return rein_fail(REIN_ERR_USAGE, "reference_free is given, but this loss_type has no reference");
    if (!needs) return REIN_OK;
    if (!a.ref_model) a.ref_model = "init";
    REIN_TRY(rein_start_reference(&p->ref, &a, o->t.dev));
    if (p->ref->cfg.V != o->t.model->cfg.V)
        return rein_fail(REIN_ERR_USAGE, "reference '%s' has a vocabulary of %lld, the policy %lld", a.ref_model,
                         (long long)p->ref->cfg.V, (long long)o->t.model->cfg.V);
    return rein_leaf_init(&p->ref_leaf, p->ref);
}

static rein_status check_options(const rein_train_args *a) {
    bool kto = a->preference_loss_type == REIN_PREFERENCE_KTO;
    if (a->truncation_mode == REIN_TRUNCATION_END)
        return rein_fail(REIN_ERR_USAGE, "truncation_mode keep_end would cut the prompt that both answers share");
    if (kto && a->per_device_train_batch_size < 2)
        return rein_fail(REIN_ERR_USAGE, "loss_type kto reads each prompt with another row's answer: "
                                         "per_device_train_batch_size must be 2 or more");
    if (!kto && (a->desirable_weight != 1 || a->undesirable_weight != 1))
        return rein_fail(REIN_ERR_USAGE, "desirable_weight and undesirable_weight belong to loss_type kto");
    return REIN_OK;
}

static rein_status preference_load(rein_offline *o) {
    preference *p = o->state;
    const rein_train_args *a = o->t.args;
    int64_t batch = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    bool kto = a->preference_loss_type == REIN_PREFERENCE_KTO;
    p->loss = (rein_preference_options){.loss_type = (rein_preference_type)a->preference_loss_type,
                                        .beta = a->preference_beta,
                                        .label_smoothing = a->label_smoothing,
                                        .simpo_gamma = a->simpo_gamma,
                                        .desirable_weight = a->desirable_weight,
                                        .undesirable_weight = a->undesirable_weight};
    REIN_TRY(check_options(a));
    REIN_TRY(rein_preference_check(&p->loss));
    o->reads = REIN_READS_LOGP | REIN_READS_ENTROPY;
    REIN_TRY(rein_alloc(&p->slope, 2 * batch, sizeof *p->slope));
    REIN_TRY(rein_alloc(&p->row, batch, sizeof *p->row));
    REIN_TRY(load_reference(o, p));
    return rein_offline_load_rows(
        o, (rein_dataset_options){.format = kto ? REIN_DATASET_LABELLED : REIN_DATASET_PREFERENCE,
                                  .completion_only = true});
}

static rein_status preference_note(rein_offline *o) {
    const preference *p = o->state;
    char hex[REIN_XXH_HEX];
    rein_model_hash(o->t.model, hex);
    if (o->t.step == 0) REIN_TRY(rein_rundir_note(o->t.run, "model.start", hex));
    if (!p->ref) return rein_rundir_note(o->t.run, "reference", "none");
    REIN_TRY(rein_rundir_note(o->t.run, "reference", o->t.args->ref_model ? o->t.args->ref_model : "init"));
    rein_model_hash(p->ref, hex);
    return rein_rundir_note(o->t.run, "reference.hash", hex);
}

/* ---- the batch ---- */

/* The answer of sequence `s`, at most `most` tokens of it, below `parent`. */
static rein_status add_answer(rein_offline *o, int64_t s, int64_t parent, int64_t most) {
    const rein_dataset *d = &o->data;
    int64_t at = d->first[s] + d->prompt[s], n = d->first[s + 1] - at;
    return rein_forest_add(&o->forest, parent, d->ids + at, d->loss + at, n < most ? n : most, NULL);
}

/* The prompt of sequence `s`; *span -1: it has none. */
static rein_status add_prompt(rein_offline *o, int64_t s, int64_t *span) {
    const rein_dataset *d = &o->data;
    *span = -1;
    return d->prompt[s] > 0 ? rein_forest_add(&o->forest, -1, d->ids + d->first[s], NULL, d->prompt[s], span) : REIN_OK;
}

static rein_status gather_pairs(rein_offline *o, const int64_t *unit, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t s = 2 * rein_offline_row(o, unit[i]), prompt;
        REIN_TRY(add_prompt(o, s, &prompt));
        REIN_TRY(add_answer(o, s, prompt, INT64_MAX));
        REIN_TRY(add_answer(o, s + 1, prompt, INT64_MAX));
        rein_offline_unit_end(o);
    }
    return REIN_OK;
}

/* The unit whose answer unit i's prompt is read with: the one before it in its micro-batch of B, the first's is the
 * last. The only one of a micro-batch (held-out rows may end so) takes the one before that. */
static int64_t mismatched(int64_t i, int64_t n, int64_t B) {
    int64_t begin = i / B * B, end = begin + B < n ? begin + B : n;
    if (i > begin) return i - 1;
    return end - 1 > begin || i == 0 ? end - 1 : i - 1;
}

static rein_status gather_singles(rein_offline *o, const int64_t *unit, int64_t n) {
    preference *p = o->state;
    const int64_t B = o->t.args->per_device_train_batch_size;
    for (int64_t i = 0; i < n; i++) p->row[i] = rein_offline_row(o, unit[i]);
    for (int64_t i = 0; i < n; i++) {
        int64_t prompt, room = o->t.model->n_pos - o->data.prompt[p->row[i]];
        REIN_TRY(add_prompt(o, p->row[i], &prompt));
        REIN_TRY(add_answer(o, p->row[i], prompt, INT64_MAX));
        REIN_TRY(add_answer(o, p->row[mismatched(i, n, B)], prompt, room));
        rein_offline_unit_end(o);
    }
    return REIN_OK;
}

static rein_status reference_forward(rein_offline *o) {
    preference *p = o->state;
    if (!p->ref) return REIN_OK;
    if (o->forest.n_tok > p->cap_tok) {
        rein_free(p->ref_logp);
        p->ref_logp = NULL;
        p->cap_tok = 0;
        REIN_TRY(rein_alloc(&p->ref_logp, 2 * o->forest.n_tok, sizeof *p->ref_logp));
        p->cap_tok = 2 * o->forest.n_tok;
    }
    REIN_TRY(rein_leaf_begin(&p->ref_leaf, &o->forest, &o->plan, &(rein_leaf_sampling){.temperature = 1}));
    for (int64_t k = 0; k < o->plan.n_part; k++)
        REIN_TRY(rein_leaf_forward(&p->ref_leaf, k, &(rein_leaf_values){.logp = p->ref_logp}));
    return REIN_OK;
}

/* ---- loss ---- */

/* Sums over the tokens that count of a span; *entropy is added to. */
static rein_scored_answer answer(const rein_offline *o, int64_t span, double *entropy) {
    const preference *p = o->state;
    const rein_span *sp = &o->forest.span[span];
    rein_scored_answer a = {0};
    for (int64_t k = sp->tok; k < sp->tok + sp->n; k++) {
        if (!o->forest.want[k]) continue;
        a.logp += (double)o->out.logp[k];
        if (p->ref) a.ref_logp += (double)p->ref_logp[k];
        *entropy += (double)o->out.entropy[k];
        a.n++;
    }
    return a;
}

static rein_status measure_pairs(rein_offline *o) {
    preference *p = o->state;
    for (int64_t i = 0; i < o->n; i++) {
        double entropy = 0;
        rein_preference_loss l;
        rein_scored_answer chosen = answer(o, o->last_span[i] - 2, &entropy);
        rein_scored_answer rejected = answer(o, o->last_span[i] - 1, &entropy);
        rein_preference_pair(&l, &chosen, &rejected, &p->loss);
        p->slope[2 * i] = l.d_chosen / (double)o->n;
        p->slope[2 * i + 1] = l.d_rejected / (double)o->n;
        rein_offline_put(o, LOSS, i, l.loss, 1);
        rein_offline_put(o, REWARD_CHOSEN, i, l.reward_chosen, 1);
        rein_offline_put(o, REWARD_REJECTED, i, l.reward_rejected, 1);
        rein_offline_put(o, LOGPS_CHOSEN, i, chosen.logp, 1);
        rein_offline_put(o, LOGPS_REJECTED, i, rejected.logp, 1);
        rein_offline_put(o, ENTROPY, i, entropy, (double)(chosen.n + rejected.n));
        rein_offline_put(o, REWARD_ACCURACIES, i, l.reward_chosen > l.reward_rejected, 1);
        rein_offline_put(o, REWARD_MARGINS, i, l.reward_chosen - l.reward_rejected, 1);
    }
    return REIN_OK;
}

/* z of the micro-batch that unit `begin` opens. */
static double kl_baseline(const rein_offline *o, int64_t begin, int64_t end) {
    rein_pairwise sum = {0};
    double unused = 0;
    for (int64_t i = begin; i < end; i++) {
        rein_scored_answer a = answer(o, o->last_span[i] - 1, &unused);
        rein_pairwise_add(&sum, a.logp - a.ref_logp);
    }
    double mean = rein_pairwise_total(&sum) / (double)(end - begin);
    return mean > 0 ? mean : 0;
}

static void measure_single(rein_offline *o, int64_t i, double z) {
    preference *p = o->state;
    double entropy = 0;
    rein_preference_loss l;
    rein_scored_answer a = answer(o, o->last_span[i] - 2, &entropy);
    bool good = o->data.label[p->row[i]];
    rein_preference_single(&l, &a, good, z, &p->loss);
    p->slope[2 * i] = l.d_chosen / (double)o->n;
    p->slope[2 * i + 1] = 0;
    rein_offline_put(o, LOSS, i, l.loss, 1);
    rein_offline_put(o, REWARD_CHOSEN, i, good ? l.reward_chosen : 0, good);
    rein_offline_put(o, REWARD_REJECTED, i, good ? 0 : l.reward_chosen, !good);
    rein_offline_put(o, LOGPS_CHOSEN, i, good ? a.logp : 0, good);
    rein_offline_put(o, LOGPS_REJECTED, i, good ? 0 : a.logp, !good);
    rein_offline_put(o, ENTROPY, i, entropy, (double)a.n);
    rein_offline_put(o, KL, i, z, 1);
}

static rein_status measure_singles(rein_offline *o) {
    const int64_t B = o->t.args->per_device_train_batch_size;
    for (int64_t begin = 0; begin < o->n; begin += B) {
        int64_t end = begin + B < o->n ? begin + B : o->n;
        double z = kl_baseline(o, begin, end);
        for (int64_t i = begin; i < end; i++) measure_single(o, i, z);
    }
    return REIN_OK;
}

/* All of a batch at once: see rein_offline_class.whole. */
static void preference_gradient(rein_offline *o, int64_t part) {
    const preference *p = o->state;
    REIN_ASSERT(part < 0);
    for (int64_t i = 0; i < 2 * o->n; i++) {
        const rein_span *sp = &o->forest.span[o->last_span[i / 2] - 2 + i % 2];
        for (int64_t k = sp->tok; k < sp->tok + sp->n; k++) o->grad.logp[k] = (float)p->slope[i];
    }
}

/* ---- whole runs ---- */

const rein_offline_class rein_pairs_class = {.name = "dpo",
                                             .metric = pair_metrics,
                                             .state_size = sizeof(preference),
                                             .whole = true,
                                             .load = preference_load,
                                             .gather = gather_pairs,
                                             .begin = reference_forward,
                                             .measure = measure_pairs,
                                             .gradient = preference_gradient,
                                             .note = preference_note,
                                             .close = preference_close};
const rein_offline_class rein_singles_class = {.name = "dpo",
                                               .metric = single_metrics,
                                               .state_size = sizeof(preference),
                                               .whole = true,
                                               .load = preference_load,
                                               .gather = gather_singles,
                                               .begin = reference_forward,
                                               .measure = measure_singles,
                                               .gradient = preference_gradient,
                                               .note = preference_note,
                                               .close = preference_close};

static const rein_offline_class *class_of(const rein_train_args *a) {
    return a->preference_loss_type == REIN_PREFERENCE_KTO ? &rein_singles_class : &rein_pairs_class;
}

rein_status rein_dpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                         const rein_train_watch *watch) {
    return rein_offline_run(class_of(args), args, config_yaml, dev, watch);
}

rein_status rein_dpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                            rein_commit *out, rein_str *journal) {
    return rein_offline_replay(class_of(args), args, dev, checkpoint, step, out, journal);
}
