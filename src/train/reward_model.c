/* Training reward models; see reward_model.h. */
#include "train/reward_model.h"

#include "rl/preference.h"

/* In the order of the metrics. */
enum { LOSS, ACCURACY, MARGIN, MIN_REWARD, MEAN_REWARD, MAX_REWARD };
static const char *const metrics[] = {"loss", "accuracy", "margin", "min_reward", "mean_reward", "max_reward", NULL};

typedef struct reward_model {
    double *slope;  /* (batch, 2) of the mean loss: by unit, chosen and rejected */
    double *margin; /* (batch) of the rows of the batch */
} reward_model;

static void reward_close(rein_offline *o) {
    reward_model *r = o->state;
    if (!r) return;
    rein_free(r->slope);
    rein_free(r->margin);
}

static rein_status start_with_head(rein_model **model, rein_tokenizer **tok, const rein_train_args *a,
                                   rein_device *dev) {
    rein_train_args with = *a;
    if (!a->model_name_or_path) return rein_fail(REIN_ERR_USAGE, "option --model_name_or_path is missing");
    with.value_head = REIN_VALUE_LINEAR;
    return rein_start_policy(model, tok, &with, dev);
}

static rein_status reward_load(rein_offline *o) {
    reward_model *r = o->state;
    const rein_train_args *a = o->t.args;
    int64_t batch = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    if (a->truncation_mode == REIN_TRUNCATION_END)
        return rein_fail(REIN_ERR_USAGE, "truncation_mode keep_end would cut the prompt that both answers share");
    o->reads = REIN_READS_SCORE;
    REIN_TRY(rein_alloc(&r->slope, 2 * batch, sizeof *r->slope));
    REIN_TRY(rein_alloc(&r->margin, batch, sizeof *r->margin));
    return rein_offline_load_rows(o, (rein_dataset_options){.format = REIN_DATASET_RANKED});
}

/* The part of sequence s behind its prompt, below `parent`; its last token is scored. */
static rein_status add_answer(rein_offline *o, int64_t s, int64_t parent) {
    const rein_dataset *d = &o->data;
    int64_t at = d->first[s] + d->prompt[s], n = d->first[s + 1] - at;
    if (n == 0) /* cut off within the prompt */
        return rein_fail(REIN_ERR_FORMAT, "max_length leaves nothing of an answer behind a prompt of %lld tokens",
                         (long long)d->prompt[s]);
    REIN_TRY(rein_forest_add(&o->forest, parent, d->ids + at, NULL, n, NULL));
    o->forest.want[o->forest.n_tok - 1] = REIN_WANT_SCORE;
    return REIN_OK;
}

static rein_status reward_gather(rein_offline *o, const int64_t *unit, int64_t n) {
    reward_model *r = o->state;
    const rein_dataset *d = &o->data;
    for (int64_t i = 0; i < n; i++) {
        int64_t s = 2 * rein_offline_row(o, unit[i]), prompt = -1;
        if (d->prompt[s] > 0)
            REIN_TRY(rein_forest_add(&o->forest, -1, d->ids + d->first[s], NULL, d->prompt[s], &prompt));
        REIN_TRY(add_answer(o, s, prompt));
        REIN_TRY(add_answer(o, s + 1, prompt));
        r->margin[i] = d->margin[s];
        rein_offline_unit_end(o);
    }
    return REIN_OK;
}

/* The last token of a span. */
static int64_t last_token(const rein_offline *o, int64_t span) {
    return o->forest.span[span].tok + o->forest.span[span].n - 1;
}

static rein_status reward_measure(rein_offline *o) {
    reward_model *r = o->state;
    const double center = o->t.args->center_rewards_coefficient;
    for (int64_t i = 0; i < o->n; i++) {
        double chosen = (double)o->out.score[last_token(o, o->last_span[i] - 2)];
        double rejected = (double)o->out.score[last_token(o, o->last_span[i] - 1)];
        double x = chosen - rejected - r->margin[i], sum = chosen + rejected;
        r->slope[2 * i] = (rein_logistic_slope(x) + 2 * center * sum) / (double)o->n;
        r->slope[2 * i + 1] = (-rein_logistic_slope(x) + 2 * center * sum) / (double)o->n;
        rein_offline_put(o, LOSS, i, rein_logistic_loss(x) + center * sum * sum, 1);
        rein_offline_put(o, ACCURACY, i, chosen > rejected, 1);
        rein_offline_put(o, MARGIN, i, chosen - rejected, 1);
        rein_offline_put(o, MIN_REWARD, i, chosen < rejected ? chosen : rejected, 1);
        rein_offline_put(o, MEAN_REWARD, i, sum / 2, 1);
        rein_offline_put(o, MAX_REWARD, i, chosen > rejected ? chosen : rejected, 1);
    }
    return REIN_OK;
}

static void reward_gradient(rein_offline *o, int64_t part) {
    const reward_model *r = o->state;
    REIN_ASSERT(part < 0);
    for (int64_t i = 0; i < 2 * o->n; i++)
        o->grad.score[last_token(o, o->last_span[i / 2] - 2 + i % 2)] = (float)r->slope[i];
}

const rein_offline_class rein_reward_model_class = {.name = "reward",
                                                    .metric = metrics,
                                                    .lowest = 1U << MIN_REWARD,
                                                    .highest = 1U << MAX_REWARD,
                                                    .state_size = sizeof(reward_model),
                                                    .whole = true,
                                                    .start = start_with_head,
                                                    .load = reward_load,
                                                    .gather = reward_gather,
                                                    .measure = reward_measure,
                                                    .gradient = reward_gradient,
                                                    .close = reward_close};

rein_status rein_reward_model_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                  const rein_train_watch *watch) {
    return rein_offline_run(&rein_reward_model_class, args, config_yaml, dev, watch);
}

rein_status rein_reward_model_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                     int64_t step, rein_commit *out, rein_str *journal) {
    return rein_offline_replay(&rein_reward_model_class, args, dev, checkpoint, step, out, journal);
}
