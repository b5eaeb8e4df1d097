/* Options of the online trainers; see online_options.h. */
#include "train/online_options.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned use;
} kinds[] = {[REIN_ONLINE_GRPO] = {"grpo", REIN_USE_GRPO},
             [REIN_ONLINE_RLOO] = {"rloo", REIN_USE_RLOO},
             [REIN_ONLINE_PPO] = {"ppo", REIN_USE_PPO}};

unsigned rein_online_use(rein_online_kind kind) { return kinds[kind].use; }
const char *rein_online_name(rein_online_kind kind) { return kinds[kind].name; }

bool rein_online_has_pool(const rein_train_args *a) {
    return a->curriculum != REIN_CURRICULUM_NONE && a->curriculum != REIN_ONLINE_RADIUS;
}

bool rein_online_counts_tasks(const rein_train_args *a) {
    return a->dynamic_sampling || a->curriculum == REIN_ONLINE_RADIUS;
}

/* ---- from arguments ---- */

/* n numbers with commas between. */
static rein_status parse_numbers(double *out, int n, const char *name, const char *text) {
    return rein_option_numbers(out, n, text)
               ? REIN_OK
               : rein_fail(REIN_ERR_USAGE, "%s '%s' is not %d numbers with commas between", name, text, n);
}

static rein_status parse_schedules(rein_online_options *o, rein_online_kind kind, const rein_train_args *a) {
    bool ppo = kind == REIN_ONLINE_PPO;
    const struct {
        const char *name, *text;
        double min, max;
    } rows[REIN_AT_COUNT] = {[REIN_AT_TEMPERATURE] = {"temperature", a->temperature, 0.01, 100},
                             [REIN_AT_LENGTH] = {"max_completion_length", a->max_completion_length, 1, 1048576},
                             [REIN_AT_BETA] = {ppo ? "kl_coef" : "beta", a->beta, 0, 1e6},
                             [REIN_AT_EPSILON] = {ppo ? "cliprange" : "epsilon", a->epsilon, 0, 1},
                             [REIN_AT_ENTROPY_COEF] = {"entropy_coef", a->entropy_coef, 0, 1e6}};
    for (int i = 0; i < REIN_AT_COUNT; i++)
        REIN_TRY(rein_value_schedule_parse(&o->schedule[i], rows[i].name, rows[i].text, rows[i].min, rows[i].max));
    const rein_value_schedule *length = &o->schedule[REIN_AT_LENGTH];
    for (int i = 0; i < length->n; i++)
        if (length->point[i].value != floor(length->point[i].value))
            return rein_fail(REIN_ERR_USAGE, "max_completion_length: %.15g is not an integer", length->point[i].value);
    return REIN_OK;
}

static bool ever_positive(const rein_value_schedule *s) {
    for (int i = 0; i < s->n; i++)
        if (s->point[i].value > 0) return true;
    return false;
}

static rein_status curriculum_options(rein_curriculum_options *c, const rein_train_args *a) {
    double band[2] = {0};
    *c = rein_curriculum_options_default();
    c->kind = a->curriculum == REIN_ONLINE_RADIUS ? REIN_CURRICULUM_NONE : (rein_curriculum_kind)a->curriculum;
    c->epsilon = a->curriculum_epsilon;
    c->temperature = a->curriculum_temperature;
    c->band_visits = a->curriculum_band_visits;
    c->mix_epochs = a->curriculum_mix_epochs;
    c->ued_margin = a->curriculum_ued_margin;
    REIN_TRY(parse_numbers(band, 2, "curriculum_band", a->curriculum_band));
    c->band_low = band[0];
    c->band_high = band[1];
    REIN_TRY(parse_numbers(c->mix_first, REIN_LEVELS, "curriculum_mix_first", a->curriculum_mix_first));
    return parse_numbers(c->mix_last, REIN_LEVELS, "curriculum_mix_last", a->curriculum_mix_last);
}

static rein_status parse_range(double *low, double *high, const char *text) {
    double x[2] = {0};
    if (!text) return REIN_OK;
    REIN_TRY(parse_numbers(x, 2, "reward_clip_range", text));
    if (x[0] >= x[1]) return rein_fail(REIN_ERR_USAGE, "reward_clip_range '%s': LOW,HIGH with LOW < HIGH", text);
    *low = x[0];
    *high = x[1];
    return REIN_OK;
}

static rein_status credit_options(rein_advantage_options *c, rein_online_kind kind, const rein_train_args *a) {
    *c = rein_advantage_options_default();
    if (kind == REIN_ONLINE_GRPO) {
        c->estimator = (rein_advantage_estimator)a->advantage_estimator;
        c->scale = (rein_scale_rewards)a->scale_rewards;
        c->aggregation = (rein_aggregation)a->multi_objective_aggregation;
    } else
        c->estimator = kind == REIN_ONLINE_RLOO ? REIN_ADVANTAGE_RLOO : REIN_ADVANTAGE_GAE;
    if (kind == REIN_ONLINE_GRPO && c->estimator == REIN_ADVANTAGE_GAE)
        return rein_fail(REIN_ERR_USAGE, "advantage_estimator gae needs a value function: use rein ppo");
    if (kind != REIN_ONLINE_PPO) {
        c->std = (rein_std_preset)a->advantage_std;
        c->normalize_advantages = a->normalize_advantages;
    }
    if (kind != REIN_ONLINE_RLOO) c->gamma = a->gamma;
    if (kind == REIN_ONLINE_PPO) {
        c->lambda = a->lam;
        c->whiten_rewards = a->whiten_rewards;
        c->whiten_advantages = a->whiten_advantages;
    }
    return parse_range(&c->reward_clip_low, &c->reward_clip_high, a->reward_clip_range);
}

/* ---- rules ---- */

static rein_status check_sizes(const rein_train_args *a) {
    int64_t rows = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    if (!a->model_name_or_path) return rein_fail(REIN_ERR_USAGE, "option --model_name_or_path is missing");
    if (a->max_steps < 1)
        return rein_fail(REIN_ERR_USAGE, "max_steps %lld: give the number of steps", (long long)a->max_steps);
    if (rows % a->num_generations != 0)
        return rein_fail(REIN_ERR_USAGE,
                         "per_device_train_batch_size * gradient_accumulation_steps = %lld is no multiple of "
                         "num_generations %lld",
                         (long long)rows, (long long)a->num_generations);
    return REIN_OK;
}

static rein_status check_reference(const rein_online_options *o, rein_online_kind kind, const rein_train_args *a) {
    bool given = a->ref_model && strcmp(a->ref_model, "none") != 0, init = given && strcmp(a->ref_model, "init") == 0;
    if (o->needs_ref && !given)
        return rein_fail(REIN_ERR_USAGE, "%s %s needs a reference: --ref_model init, base or a model directory",
                         o->kl_cap.cap > 0 ? "kl_cap, or" : "a", kind == REIN_ONLINE_PPO ? "kl_coef" : "beta");
    if (!o->needs_ref && given && !(init && kind != REIN_ONLINE_GRPO))
        return rein_fail(REIN_ERR_USAGE, "ref_model '%s' is given but beta is 0, so nothing would read it",
                         a->ref_model);
    if (a->sync_ref_model && !(o->needs_ref && init))
        return rein_fail(REIN_ERR_USAGE,
                         "sync_ref_model moves the run's own start: it needs ref_model init and a KL term");
    if (o->full_kl && a->kl_in_reward)
        return rein_fail(REIN_ERR_USAGE, "kl_estimator full is a term of the loss: it needs kl_in_reward false");
    if (a->kl_ctrl != REIN_KL_FIXED && !rein_value_is_constant(&o->schedule[REIN_AT_BETA]))
        return rein_fail(REIN_ERR_USAGE, "kl_ctrl steers the weight of the KL: it must start from one number, not '%s'",
                         a->beta);
    int64_t answers = a->per_device_train_batch_size * a->gradient_accumulation_steps * a->num_mini_batches;
    if (a->kl_ctrl == REIN_KL_ADAPTIVE && a->kl_ctrl_horizon < (double)answers)
        return rein_fail(REIN_ERR_USAGE, "kl_ctrl_horizon %g: a step has %lld answers already", a->kl_ctrl_horizon,
                         (long long)answers);
    return REIN_OK;
}

/* Options (names with bars between) that are read under a condition only. */
typedef struct rule {
    const char *names;
    bool read;
    const char *why; /* not read */
} rule;

static bool is_one_of(const char *name, const void *names) {
    size_t n = strlen(name);
    for (const char *at = names; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == 0 || at[n] == '|')) return true;
    return false;
}

static rein_status check_rules(const rule *rules, size_t n, unsigned use, const rein_train_args *a) {
    for (size_t i = 0; i < n; i++) {
        const char *name;
        if (rules[i].read) continue;
        REIN_TRY(rein_train_given(&name, a, use, is_one_of, rules[i].names));
        if (name) return rein_fail(REIN_ERR_USAGE, "%s is given but %s, so nothing would read it", name, rules[i].why);
    }
    return REIN_OK;
}

static rein_status check_loss_rules(const rein_train_args *a, unsigned use) {
    rein_loss_type t = a->loss.loss_type;
    bool sapo = t == REIN_LOSS_SAPO || t == REIN_LOSS_VERL_SAPO;
    bool dppo = t == REIN_LOSS_DPPO_TV || t == REIN_LOSS_DPPO_KL;
    bool none = sapo || t == REIN_LOSS_VESPO || t == REIN_LOSS_REINFORCE || t == REIN_LOSS_GPG || t == REIN_LOSS_DRO ||
                t == REIN_LOSS_KL_COV;
    const rule rules[] = {
        {"epsilon|cliprange", !none && t != REIN_LOSS_CISPO, "the loss_type has no clip range"},
        {"epsilon_high", !none, "the loss_type has no clip range"},
        {"clip_ratio_c", t == REIN_LOSS_VANILLA || dppo, "the loss_type is not vanilla or dppo"},
        {"sapo_temperature_pos|sapo_temperature_neg", sapo, "the loss_type is not sapo"},
        {"vespo_k_pos|vespo_lambda_pos|vespo_k_neg|vespo_lambda_neg", t == REIN_LOSS_VESPO,
         "the loss_type is not vespo"},
        {"dro_beta", t == REIN_LOSS_DRO, "the loss_type is not dro"},
        {"clip_cov_ratio|clip_cov_lb|clip_cov_ub", t == REIN_LOSS_CLIP_COV, "the loss_type is not clip_cov"},
        {"kl_cov_ratio|ppo_kl_coef", t == REIN_LOSS_KL_COV, "the loss_type is not kl_cov"},
        {"entropy_coef_min|entropy_coef_max|entropy_coef_delta|entropy_target", a->loss.use_adaptive_entropy,
         "use_adaptive_entropy is false"},
    };
    return check_rules(rules, REIN_COUNT(rules), use, a);
}

static rein_status check_other_rules(const rein_online_options *o, rein_online_kind kind, const rein_train_args *a) {
    rein_advantage_estimator e = o->credit.estimator;
    bool scaled = e == REIN_ADVANTAGE_GRPO || e == REIN_ADVANTAGE_PASSK, kl = ever_positive(&o->schedule[REIN_AT_BETA]);
    rein_curriculum_kind choice = o->curriculum.kind;
    bool ranked = choice == REIN_CURRICULUM_PROGRESS || choice == REIN_CURRICULUM_UED;
    bool random = ranked || choice == REIN_CURRICULUM_RANDOM;
    bool separate = kind == REIN_ONLINE_PPO && a->critic == REIN_CRITIC_SEPARATE;
    const rule rules[] = {
        {"scale_rewards", scaled, "the advantage_estimator does not divide"},
        {"advantage_std", scaled || e == REIN_ADVANTAGE_GDPO || o->credit.normalize_advantages,
         "nothing is divided by it"},
        {"gamma", kind == REIN_ONLINE_PPO || e == REIN_ADVANTAGE_RFPP, "the advantage_estimator does not discount"},
        {"kl_in_reward|kl_ctrl|kl_estimator", kl, "there is no KL term"},
        {"use_bias_correction_kl", kl && !a->kl_in_reward && !o->full_kl, "the loss has no estimated KL term"},
        {"kl_ctrl_target|kl_ctrl_horizon", a->kl_ctrl != REIN_KL_FIXED, "kl_ctrl is fixed"},
        {"kl_ctrl_horizon", a->kl_ctrl == REIN_KL_ADAPTIVE, "kl_ctrl is not adaptive"},
        {"ref_model_sync_steps|ref_model_mixup_alpha", a->sync_ref_model, "sync_ref_model is false"},
        {"max_resamples", a->dynamic_sampling, "dynamic_sampling is false"},
        {"target_kl", a->num_iterations * a->num_mini_batches > 1, "a step has one update"},
        {"curriculum_radius|curriculum_steps", a->curriculum == REIN_ONLINE_RADIUS, "curriculum is not radius"},
        {"curriculum_tasks", rein_online_has_pool(a), "curriculum chooses from no pool"},
        {"curriculum_by|curriculum_epsilon", random, "curriculum is not random, progress or ued"},
        {"curriculum_temperature", ranked, "curriculum is not progress or ued"},
        {"curriculum_band_visits", random, "curriculum is not random, progress or ued"},
        {"curriculum_band", random && a->curriculum_band_visits > 0, "curriculum_band_visits is 0"},
        {"curriculum_mix_first|curriculum_mix_last|curriculum_mix_epochs", choice == REIN_CURRICULUM_MIX,
         "curriculum is not mix"},
        {"curriculum_ued_margin", choice == REIN_CURRICULUM_UED, "curriculum is not ued"},
        {"critic_model|critic_learning_rate", separate, "the critic is shared"},
        {"eval_steps|eval_tasks|num_generations_eval|eval_temperature|eval_dataset_name|eval_split_ratio",
         a->eval_strategy == REIN_EVAL_STEPS, "eval_strategy is no"},
        {"eval_dataset_name|eval_split_ratio", a->dataset_name != NULL, "env has held-out tasks of its own"},
    };
    return check_rules(rules, REIN_COUNT(rules), rein_online_use(kind), a);
}

static rein_status check_evaluation(const rein_train_args *a) {
    const char *best = a->metric_for_best_model;
    if (a->num_generations_eval > 1 && a->eval_temperature == 0)
        return rein_fail(REIN_ERR_USAGE,
                         "num_generations_eval %lld of greedy answers are all the same: give eval_temperature",
                         (long long)a->num_generations_eval);
    if (best && strncmp(best, "eval_", 5) == 0 && a->eval_strategy == REIN_EVAL_NO)
        return rein_fail(REIN_ERR_USAGE, "metric_for_best_model '%s' is of held-out tasks: give eval_strategy steps",
                         best);
    return REIN_OK;
}

static rein_status check(rein_online_options *o, rein_online_kind kind, const rein_train_args *a) {
    rein_advantage_options credit = o->credit;
    REIN_TRY(check_sizes(a));
    REIN_TRY(check_reference(o, kind, a));
    REIN_TRY(rein_loss_options_check(&o->loss));
    if (kind == REIN_ONLINE_PPO && a->value_head == 0)
        return rein_fail(REIN_ERR_USAGE, "ppo needs a value function: value_head linear or mlp");
    if (a->loss.use_adaptive_entropy && !rein_value_is_constant(&o->schedule[REIN_AT_ENTROPY_COEF]))
        return rein_fail(REIN_ERR_USAGE, "use_adaptive_entropy steers entropy_coef: give one number, not '%s'",
                         a->entropy_coef);
    if (a->kl_in_reward && ever_positive(&o->schedule[REIN_AT_BETA])) credit.kl_coef = 1;
    REIN_TRY(rein_advantage_options_check(&credit, a->num_generations));
    if (a->dynamic_sampling && !rein_advantage_needs_spread(o->credit.estimator))
        return rein_fail(REIN_ERR_USAGE, "dynamic_sampling goes with estimators that compare the answers to a prompt");
    if (a->dynamic_sampling && rein_online_has_pool(a))
        return rein_fail(REIN_ERR_USAGE,
                         "dynamic_sampling draws further tasks, a curriculum chooses: give one of them");
    REIN_TRY(check_loss_rules(a, rein_online_use(kind)));
    REIN_TRY(check_other_rules(o, kind, a));
    REIN_TRY(check_evaluation(a));
    REIN_TRY(rein_curriculum_options_check(&o->curriculum));
    REIN_TRY(rein_kl_control_options_check(&o->kl_control));
    return rein_kl_cap_options_check(&o->kl_cap);
}

rein_status rein_online_options_init(rein_online_options *o, rein_online_kind kind, const rein_train_args *a) {
    *o = (rein_online_options){.loss = a->loss};
    o->full_kl = a->kl_estimator > REIN_KL_LOW_VAR_PLUS;
    o->kl_estimator = o->full_kl ? REIN_KL_K3 : (rein_kl_estimator)a->kl_estimator;
    o->loss.kl_estimator = o->kl_estimator;
    REIN_TRY(parse_schedules(o, kind, a));
    REIN_TRY(credit_options(&o->credit, kind, a));
    REIN_TRY(curriculum_options(&o->curriculum, a));
    o->kl_cap = (rein_kl_cap_options){a->kl_cap, a->max_kl_refusals};
    o->needs_ref = ever_positive(&o->schedule[REIN_AT_BETA]) || a->kl_cap > 0;
    rein_online_options_at(o, a, 0, a->max_steps);
    o->kl_control = rein_kl_control_options_default();
    o->kl_control.type = (rein_kl_control_type)a->kl_ctrl;
    o->kl_control.kl_coef = o->beta;
    o->kl_control.target_kl = a->kl_ctrl_target;
    o->kl_control.horizon = a->kl_ctrl_horizon;
    return check(o, kind, a);
}

void rein_online_options_at(rein_online_options *o, const rein_train_args *a, int64_t step, int64_t steps) {
    double at[REIN_AT_COUNT];
    for (int i = 0; i < REIN_AT_COUNT; i++) at[i] = rein_value_at(&o->schedule[i], step, steps);
    o->temperature = at[REIN_AT_TEMPERATURE];
    o->max_completion_length = llround(at[REIN_AT_LENGTH]);
    o->beta = at[REIN_AT_BETA];
    o->loss.epsilon = at[REIN_AT_EPSILON];
    o->loss.entropy_coef = at[REIN_AT_ENTROPY_COEF];
    o->loss.beta = a->kl_in_reward || o->full_kl ? 0 : o->beta;
    o->credit.kl_coef = a->kl_in_reward ? o->beta : 0;
}
