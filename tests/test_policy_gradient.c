/*
 * Gradients of the policy losses and of PPO's value loss through a whole model: along the gradient the loss changes as the
 * gradient says.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "model/leaf.h"
#include "model/value.h"
#include "rl/loss.h"
#include "rl/value.h"
#include "tiny_model.h"

enum { PROMPTS = 2, GROUP = 3, ANSWERS = PROMPTS * GROUP, MOST = 256 };

/* Answers to prompts, and what a step knows of them before its updates. Token arrays are those of the forest. */
typedef struct step {
    rein_forest forest;
    rein_forest_plan plan;
    int64_t offset[ANSWERS + 1]; /* an answer's tokens; the next prompt, masked, is counted to the one before */
    uint8_t mask[MOST];
    float old_logp[MOST], ref_logp[MOST];
    double advantage[MOST], old_value[MOST], ret[MOST];
} step;

static double draw(uint32_t salt, int64_t t) {
    return rein_random_normal(11, REIN_STREAM_DATA, salt, (uint32_t)t, 0, 0);
}

static int64_t add_span(rein_forest *f, int64_t parent, int64_t n, uint32_t salt, int64_t V) {
    int32_t ids[32];
    uint8_t want[32];
    int64_t span;
    for (int64_t t = 0; t < n; t++)
        ids[t] = (int32_t)rein_random_below((uint64_t)V, 7, REIN_STREAM_DATA, salt, (uint32_t)t, 0, 0);
    memset(want, parent >= 0 ? REIN_WANT_TOKEN : 0, sizeof want);
    OK(rein_forest_add(f, parent, ids, want, n, &span));
    return span;
}

static void open_step(step *s, const rein_model *m) {
    int64_t answer = 0;
    *s = (step){0};
    for (uint32_t p = 0; p < PROMPTS; p++) {
        int64_t root = add_span(&s->forest, -1, 5 + p, 100 + p, m->cfg.V);
        for (uint32_t k = 0; k < GROUP; k++) {
            int64_t span = add_span(&s->forest, root, 4 + 3 * k + p, 10 * p + k, m->cfg.V);
            s->offset[answer++] = s->forest.span[span].tok;
        }
    }
    s->offset[answer] = s->forest.n_tok;
    assert_true(s->forest.n_tok <= MOST);
    for (int64_t t = 0; t < s->forest.n_tok; t++) {
        s->mask[t] = s->forest.want[t] == REIN_WANT_TOKEN && t % 7 != 2;
        s->old_value[t] = draw(3, t);
        s->ret[t] = 2 * draw(4, t);
    }
    for (int64_t i = 0; i < ANSWERS; i++)
        for (int64_t t = s->offset[i]; t < s->offset[i + 1]; t++) s->advantage[t] = draw(5, i);
    OK(rein_forest_plan_make(&s->plan, &s->forest, 20));
}

static void close_step(step *s) {
    rein_forest_plan_deinit(&s->plan);
    rein_forest_deinit(&s->forest);
}

/* ---- losses of all tokens, and their gradients ---- */

typedef struct values {
    float logp[MOST], entropy[MOST], value[MOST];
    float dlogp[MOST], dentropy[MOST], dvalue[MOST];
} values;

static double policy_loss(values *v, const step *s, const rein_loss_options *opt) {
    rein_loss_row row[ANSWERS];
    rein_loss_metrics metrics;
    int64_t tokens = rein_loss_count(s->mask, s->forest.n_tok);
    rein_loss_batch batch = {.B = ANSWERS, .offset = s->offset, .logp = v->logp, .old_logp = s->old_logp,
                             .ref_logp = s->ref_logp, .entropy = v->entropy, .mask = s->mask, .advantage = s->advantage};
    rein_loss_scope scope = {.sequences = ANSWERS, .tokens = tokens, .entropy_tokens = tokens, .generation_tokens = tokens,
                             .generation_sequences = ANSWERS, .max_completion_length = 16, .processes = 1,
                             .gradient_accumulation_steps = 1, .steps_per_generation = 1,
                             .entropy_coef = opt->entropy_coef};
    rein_loss_divisors div = rein_loss_norm(opt, &scope);
    OK(rein_loss_policy(row, v->dlogp, v->dentropy, &batch, opt, &div));
    rein_loss_finish(&metrics, row, ANSWERS, opt);
    assert_int_equal(metrics.nonfinite, 0);
    return metrics.loss;
}

static double value_loss(values *v, const step *s) {
    double value[MOST], dvalue[MOST], weight[ANSWERS];
    rein_value_row row[ANSWERS];
    rein_value_metrics metrics;
    for (int64_t t = 0; t < s->forest.n_tok; t++) value[t] = (double)v->value[t];
    for (int64_t i = 0; i < ANSWERS; i++) weight[i] = 1.0 / (double)rein_loss_count(s->mask, s->forest.n_tok);
    rein_value_batch batch = {.rows = {.B = ANSWERS, .offset = s->offset, .mask = s->mask}, .value = value,
                              .old_value = s->old_value, .ret = s->ret, .weight = weight};
    rein_value_loss(row, dvalue, &batch, 0.5);
    rein_value_finish(&metrics, row, ANSWERS);
    for (int64_t t = s->offset[0]; t < s->forest.n_tok; t++) v->dvalue[t] = (float)dvalue[t];
    return metrics.loss;
}

/* The loss (opt NULL: the value function's) and, unless g is NULL, its gradient. */
static double compute(const step *s, const rein_model *m, const rein_loss_options *opt, rein_grads *g) {
    static values v;
    rein_leaf leaf;
    rein_leaf_sampling how = {.temperature = 0.8f};
    memset(&v, 0, sizeof v);
    rein_leaf_values out = {.logp = v.logp, .entropy = v.entropy, .value = v.value};
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &s->forest, &s->plan, &how));
    for (int64_t p = 0; p < s->plan.n_part; p++) OK(rein_leaf_forward(&leaf, p, &out));
    double loss = opt ? policy_loss(&v, s, opt) : value_loss(&v, s);
    rein_leaf_gradient dv = {.logp = v.dlogp, .entropy = v.dentropy, .value = v.dvalue};
    if (g) {
        rein_grads_zero(g, m);
        OK(rein_leaf_begin(&leaf, &s->forest, &s->plan, &how));
        for (int64_t p = 0; p < s->plan.n_part; p++) {
            OK(rein_leaf_forward(&leaf, p, &out));
            OK(rein_leaf_backward(&leaf, &dv, g));
        }
        rein_grads_finish(g, m);
    }
    rein_leaf_deinit(&leaf);
    return loss;
}

/* Old and reference log-probs: the model's own, moved, so that some ratios are clipped. */
static void move_log_probs(step *s, const rein_model *m) {
    static values v;
    rein_leaf leaf;
    rein_leaf_sampling how = {.temperature = 0.8f};
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &s->forest, &s->plan, &how));
    for (int64_t p = 0; p < s->plan.n_part; p++)
        OK(rein_leaf_forward(&leaf, p, &(rein_leaf_values){.logp = v.logp}));
    for (int64_t t = 0; t < s->forest.n_tok; t++) {
        s->old_logp[t] = v.logp[t] + 0.25f * (float)draw(1, t);
        s->ref_logp[t] = v.logp[t] + 0.25f * (float)draw(2, t);
    }
    rein_leaf_deinit(&leaf);
}

static void check(const char *name, const rein_loss_options *opt) {
    const double h = 1e-3;
    rein_device *dev;
    rein_grads g;
    step s;
    float *keep;
    double norm = 0, loss[2];
    OK(rein_device_open_cpu(&dev, NULL, 1));
    rein_model *m = tiny_model(dev, 3);
    const rein_model_options options = {.value_head = REIN_VALUE_LINEAR, .seed = 5};
    char dir[] = "/tmp/rein-gradient-XXXXXX";
    assert_non_null(mkdtemp(dir));
    OK(rein_model_save(m, dir));
    rein_model_destroy(m);
    OK(rein_model_load(&m, dir, dev, &options));
    OK(rein_remove_tree(dir));
    OK(rein_grads_init(&g, m));
    open_step(&s, m);
    move_log_probs(&s, m);
    compute(&s, m, opt, &g);
    OK(rein_alloc(&keep, m->n_float, sizeof *keep));
    memcpy(keep, m->w, (size_t)m->n_float * sizeof *keep);
    for (int64_t i = 0; i < m->n_float; i++) norm += (double)g.flat[i] * (double)g.flat[i];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < m->n_float; i++)
            m->w[i] = (float)((double)keep[i] + (side ? h : -h) * (double)g.flat[i] / norm);
        rein_model_pack(m);
        loss[side] = compute(&s, m, opt, NULL);
    }
    double slope = (loss[1] - loss[0]) / (2 * h);
    if (!(norm > 0.01 && fabs(slope - norm) <= 1e-3 * norm))
        fail_msg("%s: slope %.9g, gradient norm %.9g", name, slope, norm);
    rein_free(keep);
    close_step(&s);
    rein_grads_deinit(&g);
    rein_model_destroy(m);
    rein_device_close(dev);
}

static void losses_of_the_policy(void **state) {
    static const struct {
        const char *name;
        rein_loss_type type;
        double beta, entropy_coef;
    } cases[] = {{"grpo", REIN_LOSS_GRPO, 0, 0},       {"grpo with KL and entropy", REIN_LOSS_GRPO, 0.1, 0.05},
                 {"dapo", REIN_LOSS_DAPO, 0, 0},       {"gspo", REIN_LOSS_GSPO, 0, 0},
                 {"gspo with KL", REIN_LOSS_GSPO, 0.1, 0}, {"rloo", REIN_LOSS_RLOO, 0, 0},
                 {"ppo", REIN_LOSS_VANILLA, 0, 0.01},  {"ppo, token mean", REIN_LOSS_BNPO, 0, 0}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_loss_options opt = rein_loss_options_default();
        opt.loss_type = cases[i].type;
        opt.beta = cases[i].beta;
        opt.entropy_coef = cases[i].entropy_coef;
        if (opt.beta == 0) opt.use_bias_correction_kl = false;
        check(cases[i].name, &opt);
    }
}

static void loss_of_the_value_function(void **state) {
    (void)state;
    check("value", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_of_the_policy), cmocka_unit_test(loss_of_the_value_function)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
