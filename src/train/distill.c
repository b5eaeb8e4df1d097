/* Distillation; see distill.h. */
#include "train/distill.h"

#include <string.h>

#include "base/random.h"
#include "gen/generate.h"

/* In the order of the metrics. */
enum { LOSS, ENTROPY, ON_POLICY, LENGTH };
static const char *const metrics[] = {"loss", "entropy", "on_policy", "completions/mean_length", NULL};

typedef struct distill {
    rein_model *teacher;
    rein_leaf leaf; /* of the teacher */
    bool prompts;   /* rows have no answers that are used */
    bool sampled;   /* the batch's answers are the policy's */
    int64_t items;  /* tokens of the batch that count */
} distill;

/* ---- set-up ---- */

static void distill_close(rein_offline *o) {
    distill *d = o->state;
    if (!d) return;
    rein_leaf_deinit(&d->leaf);
    rein_model_destroy(d->teacher);
}

static rein_status load_teacher(rein_offline *o, distill *d) {
    const rein_train_args *a = o->t.args;
    rein_model_options frozen = {.frozen = true, .max_pos = a->max_model_length};
    rein_tokenizer *tok = NULL;
    rein_status status = rein_start_model(&d->teacher, &tok, a->teacher_model, o->t.dev, &frozen);
    int64_t size = tok ? rein_tokenizer_vocab_size(tok) : 0;
    rein_tokenizer_destroy(tok);
    REIN_TRY(status);
    if (d->teacher->cfg.V != o->t.model->cfg.V || size != rein_tokenizer_vocab_size(o->t.tokenizer))
        return rein_fail(REIN_ERR_USAGE,
                         "teacher '%s' has a vocabulary of %lld (model) and %lld (tokenizer), the policy %lld and %lld",
                         a->teacher_model, (long long)d->teacher->cfg.V, (long long)size, (long long)o->t.model->cfg.V,
                         (long long)rein_tokenizer_vocab_size(o->t.tokenizer));
    return rein_leaf_init(&d->leaf, d->teacher);
}

/* Sampled answers fit behind every prompt, in both models. */
static rein_status check_room(const rein_offline *o, const distill *d) {
    const int64_t room = o->t.model->n_pos < d->teacher->n_pos ? o->t.model->n_pos : d->teacher->n_pos;
    const int64_t more = d->prompts || o->t.args->lmbda > 0 ? o->t.args->max_new_tokens : 0;
    for (int64_t s = 0; s < o->data.n_seq; s++) {
        int64_t n = o->data.first[s + 1] - o->data.first[s], prompt = o->data.prompt[s];
        if (prompt == 0)
            return rein_fail(REIN_ERR_FORMAT, "row %lld has an empty prompt, behind which nothing can be sampled",
                             (long long)s + 1);
        if (prompt + more <= room && n <= room) continue;
        return rein_fail(REIN_ERR_USAGE,
                         "row %lld: a prompt of %lld tokens and max_new_tokens %lld exceed %lld positions",
                         (long long)s + 1, (long long)prompt, (long long)more, (long long)room);
    }
    return REIN_OK;
}

static rein_status distill_load(rein_offline *o) {
    distill *d = o->state;
    const rein_train_args *a = o->t.args;
    if (!a->teacher_model) return rein_fail(REIN_ERR_USAGE, "option --teacher_model is missing");
    if (a->seq_kd && a->lmbda == 1)
        return rein_fail(REIN_ERR_USAGE,
                         "seq_kd is given, but lmbda is 1: every step is on-policy, so nothing would read it");
    d->prompts = a->lmbda == 1 || a->seq_kd;
    if (a->env && !d->prompts)
        return rein_fail(REIN_ERR_USAGE, "env '%s' has prompts and no answers: lmbda must be 1, or seq_kd true",
                         a->env);
    o->reads = REIN_READS_DIVERGENCE | REIN_READS_ENTROPY;
    o->temperature = (float)a->distill_temperature;
    REIN_TRY(load_teacher(o, d));
    rein_leaf_teach(&o->t.leaf, &d->leaf, (float)a->distill_beta);
    if (a->env) {
        REIN_TRY(rein_offline_load_tasks(o));
        return check_room(o, d);
    }
    REIN_TRY(rein_offline_load_rows(
        o, (rein_dataset_options){.format = d->prompts ? REIN_DATASET_PROMPT : REIN_DATASET_ANSWERED,
                                  .completion_only = true}));
    return check_room(o, d);
}

static rein_status distill_note(rein_offline *o) {
    const distill *d = o->state;
    char hex[REIN_XXH_HEX];
    rein_model_hash(d->teacher, hex);
    return rein_rundir_note(o->t.run, "teacher.hash", hex);
}

/* ---- the batch ---- */

/* Held-out rows are measured on their own answers where they have them. */
static bool is_on_policy(const rein_offline *o) {
    const distill *d = o->state;
    const rein_train_args *a = o->t.args;
    if (o->held) return d->prompts && !a->seq_kd;
    return rein_random_uniform((uint64_t)a->seed, REIN_STREAM_MIX, (uint32_t)o->t.step, 0, 0, 0) < a->lmbda;
}

static rein_status add_unit(rein_offline *o, int64_t s, const rein_gen_sequence *sampled) {
    const rein_dataset *data = &o->data;
    const int64_t at = data->first[s], p = data->prompt[s];
    uint8_t *want = NULL;
    int64_t prompt;
    REIN_TRY(rein_forest_add(&o->forest, -1, data->ids + at, NULL, p, &prompt));
    if (!sampled) {
        REIN_TRY(rein_forest_add(&o->forest, prompt, data->ids + at + p, data->loss + at + p,
                                 data->first[s + 1] - at - p, NULL));
    } else {
        REIN_TRY(rein_alloc(&want, sampled->n, 1));
        memset(want, REIN_WANT_TOKEN, (size_t)sampled->n);
        rein_status status = rein_forest_add(&o->forest, prompt, sampled->ids, want, sampled->n, NULL);
        rein_free(want);
        REIN_TRY(status);
    }
    rein_offline_unit_end(o);
    return REIN_OK;
}

/* Answers of a model to the prompts of n units. */
static rein_status sample(rein_gen *out, rein_offline *o, const rein_model *model, const int64_t *unit, int64_t n) {
    const rein_train_args *a = o->t.args;
    int32_t eos[REIN_MAX_EOS];
    rein_gen_prompt *prompts;
    for (int i = 0; i < o->t.model->cfg.n_eos; i++) eos[i] = (int32_t)o->t.model->cfg.eos_id[i];
    rein_gen_options how = {.sampling = {.temperature = a->distill_temperature, .top_p = 1},
                            .max_new_tokens = a->max_new_tokens,
                            .max_batch = n,
                            .seed = (uint64_t)a->seed,
                            .stream = o->held ? REIN_STREAM_EVAL : REIN_STREAM_SAMPLE,
                            .step = o->held ? 0 : (uint32_t)o->t.step,
                            .eos = eos,
                            .n_eos = o->t.model->cfg.n_eos,
                            .forget_kept = true};
    REIN_TRY(rein_alloc(&prompts, n, sizeof *prompts));
    for (int64_t i = 0; i < n; i++) {
        int64_t s = rein_offline_row(o, unit[i]);
        prompts[i] = (rein_gen_prompt){.ids = o->data.ids + o->data.first[s],
                                       .n = o->data.prompt[s],
                                       .samples = 1,
                                       .id = o->held ? (uint32_t)unit[i] : (uint32_t)i};
    }
    rein_status status = rein_generate(out, model, prompts, n, &how, NULL, NULL);
    rein_free(prompts);
    return status;
}

static rein_status distill_gather(rein_offline *o, const int64_t *unit, int64_t n) {
    distill *d = o->state;
    rein_gen gen = {0};
    d->sampled = is_on_policy(o);
    const bool taught = !d->sampled && d->prompts;
    rein_status status = d->sampled || taught ? sample(&gen, o, taught ? d->teacher : o->t.model, unit, n) : REIN_OK;
    for (int64_t i = 0; i < n && status == REIN_OK; i++)
        status = add_unit(o, rein_offline_row(o, unit[i]), gen.seq ? &gen.seq[i] : NULL);
    rein_gen_deinit(&gen);
    d->items = 0;
    for (int64_t i = 0; i < o->forest.n_tok; i++) d->items += o->forest.want[i] == REIN_WANT_TOKEN;
    return status;
}

static rein_status teacher_begin(rein_offline *o) {
    distill *d = o->state;
    return rein_leaf_begin(&d->leaf, &o->forest, &o->plan, &(rein_leaf_sampling){.temperature = o->temperature});
}

static rein_status teacher_forward(rein_offline *o, int64_t part) {
    distill *d = o->state;
    return rein_leaf_forward(&d->leaf, part, &(rein_leaf_values){0});
}

/* ---- loss ---- */

static void distill_gradient(rein_offline *o, int64_t part) {
    const distill *d = o->state;
    const float each = 1.0f / (float)d->items;
    for (int64_t i = 0; i < o->forest.n_span; i++) {
        const rein_span *sp = &o->forest.span[i];
        for (int64_t k = sp->tok; k < sp->tok + sp->n && rein_offline_takes(o, i, part); k++)
            o->grad.divergence[k] = each;
    }
}

static rein_status distill_measure(rein_offline *o) {
    const distill *d = o->state;
    for (int64_t i = 0; i < o->n; i++) {
        const rein_span *sp = &o->forest.span[o->last_span[i] - 1];
        double loss = 0, entropy = 0, n = 0;
        for (int64_t k = sp->tok; k < sp->tok + sp->n; k++) {
            if (!o->forest.want[k]) continue;
            loss += (double)o->out.divergence[k];
            entropy += (double)o->out.entropy[k];
            n++;
        }
        rein_offline_put(o, LOSS, i, loss, n);
        rein_offline_put(o, ENTROPY, i, entropy, n);
        rein_offline_put(o, ON_POLICY, i, d->sampled, 1);
        rein_offline_put(o, LENGTH, i, n, 1);
    }
    return REIN_OK;
}

/* ---- whole runs ---- */

const rein_offline_class rein_distill_class = {.name = "distill",
                                               .metric = metrics,
                                               .state_size = sizeof(distill),
                                               .load = distill_load,
                                               .gather = distill_gather,
                                               .begin = teacher_begin,
                                               .part = teacher_forward,
                                               .measure = distill_measure,
                                               .gradient = distill_gradient,
                                               .note = distill_note,
                                               .close = distill_close};

rein_status rein_distill_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                             const rein_train_watch *watch) {
    return rein_offline_run(&rein_distill_class, args, config_yaml, dev, watch);
}

rein_status rein_distill_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                                rein_commit *out, rein_str *journal) {
    return rein_offline_replay(&rein_distill_class, args, dev, checkpoint, step, out, journal);
}
