/* The control world as an environment; see control.h. */
#include "env/control/control.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

static const rein_option options[] = {REIN_CONTROL_OPTIONS};

static const rein_control *self(const rein_env *env) { return (const rein_control *)env; }

static int steps_of(const rein_control *c) { return (int)c->config.steps; }

/* ---- create ---- */

static void control_destroy(rein_env *env) {
    rein_control *c = (rein_control *)env;
    if (!c) return;
    rein_free(c->train);
    rein_free(c->eval);
    rein_free(c);
}

static rein_status check_ranges(const rein_control_config *o) {
    if (o->teacher_gain_min > o->teacher_gain_max)
        return rein_fail(REIN_ERR_USAGE, "teacher_gain_min %g is above teacher_gain_max %g", o->teacher_gain_min,
                         o->teacher_gain_max);
    if (o->teacher_damping_min > o->teacher_damping_max)
        return rein_fail(REIN_ERR_USAGE, "teacher_damping_min %g is above teacher_damping_max %g",
                         o->teacher_damping_min, o->teacher_damping_max);
    return REIN_OK;
}

static rein_status set_up(rein_control *c) {
    const rein_control_config *o = &c->config;
    REIN_TRY(check_ranges(o));
    REIN_TRY(rein_system_find(&c->plant.system, o->system));
    c->config.system = c->plant.system->name; /* the config's text may not outlive the caller */
    c->plant.dt = o->dt;
    c->plant.how = (rein_discretization)o->discretization;
    c->belief = c->plant;
    if (o->teacher_model != REIN_BELIEF_MATCHED)
        c->belief.how = (rein_discretization)(o->teacher_model - REIN_BELIEF_SEMI);
    REIN_TRY(rein_system_check(c->plant.system, c->plant.how));
    REIN_TRY(rein_system_check(c->plant.system, c->belief.how));
    REIN_TRY(rein_system_lqr(c->gain, NULL, c->plant.system, c->belief.dt, c->belief.how));
    return rein_control_grid(c);
}

static rein_status control_create(rein_env **out, const void *config) {
    rein_control *c;
    *out = NULL;
    REIN_TRY(rein_alloc(&c, 1, sizeof *c));
    c->env.cls = &rein_control_class;
    memcpy(&c->config, config, sizeof c->config);
    rein_status status = set_up(c);
    if (status != REIN_OK) {
        control_destroy(&c->env);
        return status;
    }
    *out = &c->env;
    return REIN_OK;
}

/* Distance of the start, in the norm of the square that starts come from. */
static rein_status control_difficulty(const rein_env *env, const rein_task *task, double *out) {
    *out = fmin(1, fmax(fabs(task->number[0]), fabs(task->number[1])) / self(env)->config.radius);
    return REIN_OK;
}

static int64_t control_fixed_count(const rein_env *env) { return self(env)->plant.system->n_fixed; }

/* ---- text ---- */

static rein_status control_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    const rein_control *c = self(env);
    if (c->config.answer == REIN_STYLE_PLAIN) {
        rein_control_plain_text(out, task->number);
    } else {
        rein_control_system_text(out, c);
        rein_str_puts(out, "\n\n");
        rein_control_user_text(out, c, task->number);
        rein_str_puts(out, "\n\n<REASONING>");
    }
    return rein_str_check(out);
}

static rein_status control_demonstrate(const rein_env *env, uint64_t seed, const rein_task *task, int64_t draw,
                                       rein_str *out) {
    const rein_control *c = self(env);
    double gain[2], u[REIN_CONTROL_MAX_STEPS];
    rein_control_skill(gain, c, seed, task, draw);
    rein_control_feedback(u, &c->belief, gain, task->number, steps_of(c), (int)c->config.decimals);
    rein_control_answer_text(out, c, task->number, u, (int)c->config.decimals);
    return rein_str_check(out);
}

static const char *const baselines[] = {"lqr", "zero", "teacher", NULL};

static rein_status control_baseline(const rein_env *env, uint64_t seed, const rein_task *task, int which,
                                    rein_str *out) {
    const rein_control *c = self(env);
    double u[REIN_CONTROL_MAX_STEPS] = {0};
    int decimals = c->config.answer == REIN_STYLE_REASONING ? 3 : (int)c->config.decimals;
    if (which == REIN_BASELINE_TEACHER) return control_demonstrate(env, seed, task, task->index, out);
    if (which != REIN_BASELINE_LQR && which != REIN_BASELINE_ZERO)
        return rein_fail(REIN_ERR_ARG, "baseline %d does not exist", which);
    if (which == REIN_BASELINE_LQR) rein_control_feedback(u, &c->belief, c->gain, task->number, steps_of(c), decimals);
    rein_control_answer_text(out, c, task->number, u, decimals);
    return rein_str_check(out);
}

/* ---- score ---- */

static void add_metric(rein_score *out, const char *name, double value) {
    REIN_ASSERT(out->n_metric < REIN_SCORE_PARTS);
    out->metric[out->n_metric++] = (rein_named){name, value};
}

/* clamped_error is what the published tables call the error: with states put back into the box at every step. */
static void add_metrics(rein_score *out, const rein_control *c, const rein_rollout *real, double clamped_error,
                        const double *u) {
    add_metric(out, "cost", real->cost);
    add_metric(out, "final_error", real->final_error);
    add_metric(out, "clamped_error", clamped_error);
    add_metric(out, "violations", real->control_violations + real->state_violations);
    add_metric(out, "effort", rein_mean_effort(u, real->steps));
    add_metric(out, "control_change", rein_mean_change(u, real->steps));
    add_metric(out, "settling_time", rein_settling_time(real, c->plant.dt));
}

/* Format first, then what the controls are worth; metrics exist only for controls that can be simulated. */
static rein_status control_score(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                 rein_score *out) {
    const rein_control *c = self(env);
    const rein_control_version version = (rein_control_version)c->config.reward;
    double u[REIN_CONTROL_MAX_STEPS];
    rein_rollout real, clamped;
    rein_reward_parts parts = {0};
    *out = (rein_score){0};
    rein_layout layout = rein_answer_layout(text, len, c->config.answer == REIN_STYLE_REASONING);
    rein_answer_error error = rein_answer_parse(u, steps_of(c), text, len);
    rein_reward_format(&parts, version, &layout);
    rein_reward_add(&parts, "malformed", rein_reward_malformed(error));
    if (error) {
        rein_reward_control_absent(&parts, version);
    } else {
        const bool compat = c->config.reward_mode == REIN_REWARD_COMPAT;
        rein_rollout_run(&real, &c->plant, task->number, u, steps_of(c), false);
        rein_rollout_run(&clamped, &c->plant, task->number, u, steps_of(c), true);
        rein_reward_control(&parts, version, compat ? &clamped : &real, u);
        add_metrics(out, c, &real, clamped.final_error, u);
        out->success = rein_rollout_success(&real);
    }
    out->n_component = parts.n;
    memcpy(out->component, parts.part, sizeof parts.part);
    out->total = rein_reward_total(&parts);
    out->format_ok = layout.exact && !error;
    out->error = error ? rein_answer_error_name(error) : layout.exact ? NULL : "layout";
    return REIN_OK;
}

/* ---- describe ---- */

static void put_list(rein_str *out, const char *name, const double *x, int n) {
    rein_str_printf(out, "\"%s\":[", name);
    for (int i = 0; i < n; i++) {
        if (i > 0) rein_str_putc(out, ',');
        rein_json_put_f64(out, x[i]);
    }
    rein_str_puts(out, "],");
}

static void put_number(rein_str *out, const char *name, double x) {
    rein_str_printf(out, "\"%s\":", name);
    rein_json_put_f64(out, x);
    rein_str_putc(out, ',');
}

static rein_status control_describe(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                    rein_str *out) {
    const rein_control *c = self(env);
    double u[REIN_CONTROL_MAX_STEPS], times[REIN_CONTROL_MAX_STEPS + 1];
    rein_rollout r = {.steps = 0, .state = {{task->number[0], task->number[1]}}};
    rein_answer_error error = rein_answer_parse(u, steps_of(c), text, len);
    if (!error) rein_rollout_run(&r, &c->plant, task->number, u, steps_of(c), false);
    for (int k = 0; k <= r.steps; k++) times[k] = k * c->plant.dt;
    rein_str_printf(out, "{\"system\":\"%s\",", c->plant.system->name);
    put_number(out, "dt", c->plant.dt);
    put_number(out, "state_bound", c->plant.system->state_bound);
    put_number(out, "control_bound", c->plant.system->control_bound);
    put_list(out, "times", times, r.steps + 1);
    rein_str_puts(out, "\"target\":[0,0],\"states\":[");
    for (int k = 0; k <= r.steps; k++) {
        rein_str_puts(out, k ? ",[" : "[");
        rein_json_put_f64(out, r.state[k][0]);
        rein_str_putc(out, ',');
        rein_json_put_f64(out, r.state[k][1]);
        rein_str_putc(out, ']');
    }
    rein_str_puts(out, "],");
    put_list(out, "controls", u, r.steps);
    if (!error) {
        put_number(out, "cost", r.cost);
        put_number(out, "final_error", r.final_error);
        put_number(out, "violations", r.control_violations + r.state_violations);
    }
    rein_str_printf(out, "\"success\":%s,\"error\":", !error && rein_rollout_success(&r) ? "true" : "false");
    if (error)
        rein_str_printf(out, "\"%s\"}", rein_answer_error_name(error));
    else
        rein_str_puts(out, "null}");
    return rein_str_check(out);
}

const rein_env_class rein_control_class = {
    .name = "control",
    .summary = "bring a dynamical system to the origin with a list of controls",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_control_config),
    .create = control_create,
    .destroy = control_destroy,
    .task = rein_control_task,
    .fixed_count = control_fixed_count,
    .difficulty = control_difficulty,
    .prompt = control_prompt,
    .demonstrate = control_demonstrate,
    .score = control_score,
    .baselines = baselines,
    .baseline = control_baseline,
    .describe = control_describe,
};
