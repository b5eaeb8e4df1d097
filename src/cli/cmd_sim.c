/* rein sim: simulate a system under given controls; the trajectory, its cost and its reward. */
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/numbers.h"
#include "env/control/control.h"

typedef struct values {
    const char *state, *controls;
    int64_t steps;
    double dt;
    int discretization, reward, reward_mode;
} values;

static const rein_option rows[] = {
    {"state", REIN_OPT_STRING, offsetof(values, state), "0.4,-0.2", 0, 0, NULL, "initial position and velocity", "X,V"},
    {"controls", REIN_OPT_STRING, offsetof(values, controls), "zero", 0, 0, NULL,
     "zero, lqr, a list u1,u2,... or a file of one", "U"},
    {"steps", REIN_OPT_INT, offsetof(values, steps), "50", 1, REIN_CONTROL_MAX_STEPS, NULL,
     "controls to apply; a list tells its own number", NULL},
    {"dt", REIN_OPT_FLOAT, offsetof(values, dt), "0.1", 1e-6, 10, NULL, "time step, seconds", NULL},
    {"discretization", REIN_OPT_CHOICE, offsetof(values, discretization), "semi", 0, 0, REIN_DISCRETIZATIONS,
     "semi-implicit Euler, exact hold, Runge-Kutta", NULL},
    {"reward", REIN_OPT_CHOICE, offsetof(values, reward), "v1.3", 0, 0, REIN_REWARD_VERSIONS, "reward version", NULL},
    {"reward_mode", REIN_OPT_CHOICE, offsetof(values, reward_mode), "fixed", 0, 0, REIN_REWARD_MODES,
     "score the real trajectory, or one whose states are clamped", NULL},
};

static bool option_is_set(const rein_options *opts, const char *name) {
    for (int64_t i = 0; i < opts->n_rows; i++)
        if (strcmp(opts->rows[i].name, name) == 0) return opts->is_set[i];
    return false;
}

/* u (steps) by name, list or file; sets *steps for the latter two. */
static rein_status get_controls(double *u, int *steps, const rein_plant *plant, const double x0[2],
                                const rein_options *opts) {
    const values *v = opts->values;
    *steps = (int)v->steps;
    if (strcmp(v->controls, "zero") == 0) {
        memset(u, 0, sizeof *u * (size_t)*steps);
    } else if (strcmp(v->controls, "lqr") == 0) {
        double gain[2];
        REIN_TRY(rein_system_lqr(gain, NULL, plant->system, plant->dt, plant->how));
        rein_control_feedback(u, plant, gain, x0, *steps, REIN_NOT_ROUNDED);
    } else {
        REIN_TRY(rein_numbers_load(u, REIN_CONTROL_MAX_STEPS, steps, "controls", v->controls));
        if (option_is_set(opts, "steps") && *steps != v->steps)
            return rein_fail(REIN_ERR_USAGE, "--controls holds %d numbers, but --steps is %lld", *steps,
                             (long long)v->steps);
    }
    return REIN_OK;
}

static void put_number(rein_str *out, const char *name, double x) {
    rein_str_printf(out, ",\"%s\":", name);
    rein_json_put_f64(out, x);
}

static void put_facts(rein_str *out, const rein_rollout *r) {
    put_number(out, "final_error", r->final_error);
    put_number(out, "cost", r->cost);
    put_number(out, "violations", r->control_violations + r->state_violations);
}

/* `scored` is the trajectory of the reward's mode. */
static void put_reward(rein_str *out, const values *v, const rein_rollout *scored, const rein_reward_parts *parts) {
    int len, mode_len;
    const char *version = rein_choice_name(REIN_REWARD_VERSIONS, v->reward, &len);
    const char *mode = rein_choice_name(REIN_REWARD_MODES, v->reward_mode, &mode_len);
    rein_str_printf(out, ",\"reward\":{\"version\":\"%.*s\",\"mode\":\"%.*s\"", len, version, mode_len, mode);
    put_facts(out, scored);
    put_number(out, "total", rein_reward_total(parts));
    rein_str_puts(out, ",\"components\":{");
    for (int i = 0; i < parts->n; i++) {
        rein_str_printf(out, "%s\"%s\":", i ? "," : "", parts->part[i].name);
        rein_json_put_f64(out, parts->part[i].value);
    }
    rein_str_puts(out, "}}");
}

static void put_json(rein_str *out, const values *v, const rein_plant *plant, const rein_rollout *r, const double *u) {
    static const char *const how[] = {"semi", "zoh", "rk4"};
    rein_str_printf(out, "{\"system\":\"%s\",\"discretization\":\"%s\"", plant->system->name, how[v->discretization]);
    put_number(out, "dt", plant->dt);
    rein_str_puts(out, ",\"states\":");
    rein_matrix_put(out, &r->state[0][0], r->steps + 1, 2);
    rein_str_puts(out, ",\"controls\":");
    rein_numbers_put(out, u, r->steps);
    put_facts(out, r);
    rein_str_printf(out, ",\"success\":%s", rein_rollout_success(r) ? "true" : "false");
}

static void put_text(rein_str *out, const rein_plant *plant, const rein_rollout *r, const double *u) {
    rein_str_printf(out, "%8s %10s %10s %10s\n", "time", "position", "velocity", "control");
    for (int k = 0; k <= r->steps; k++) {
        rein_str_printf(out, "%8.3f %10.5f %10.5f", k * plant->dt, r->state[k][0], r->state[k][1]);
        if (k < r->steps) rein_str_printf(out, " %10.5f", u[k]);
        rein_str_putc(out, '\n');
    }
    rein_str_printf(out, "final error %.6g, cost %.6g, %d violations, success %s\n", r->final_error, r->cost,
                    r->control_violations + r->state_violations, rein_rollout_success(r) ? "yes" : "no");
}

static void put_reward_text(rein_str *out, const rein_reward_parts *parts) {
    for (int i = 0; i < parts->n; i++)
        rein_str_printf(out, "reward %-12s %12.5f\n", parts->part[i].name, parts->part[i].value);
    rein_str_printf(out, "reward %-12s %12.5f\n", "total", rein_reward_total(parts));
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_plant plant = {.dt = v->dt, .how = (rein_discretization)v->discretization};
    double x0[2], u[REIN_CONTROL_MAX_STEPS];
    int n, steps;
    rein_rollout real, scored;
    rein_reward_parts parts = {0};
    rein_str text = {0};
    (void)n_words;
    REIN_TRY(rein_system_find(&plant.system, words[0]));
    REIN_TRY(rein_system_check(plant.system, plant.how));
    REIN_TRY(rein_numbers_parse(x0, 2, &n, "state", v->state));
    if (n != 2) return rein_fail(REIN_ERR_USAGE, "--state '%s': two numbers are needed", v->state);
    REIN_TRY(get_controls(u, &steps, &plant, x0, opts));
    rein_rollout_run(&real, &plant, x0, u, steps, false);
    rein_rollout_run(&scored, &plant, x0, u, steps, v->reward_mode == REIN_REWARD_COMPAT);
    rein_reward_control(&parts, (rein_control_version)v->reward, &scored, u);
    if (cli->json) {
        put_json(&text, v, &plant, &real, u);
        put_reward(&text, v, &scored, &parts);
        rein_str_puts(&text, "}\n");
    } else {
        put_text(&text, &plant, &real, u);
        put_reward_text(&text, &parts);
    }
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) fputs(text.data, cli->out);
    rein_str_deinit(&text);
    return status;
}

const rein_command rein_cmd_sim = {
    .name = "sim",
    .subject = "SYSTEM",
    .summary = "simulate a system under given controls",
    .options = rows,
    .n_options = (int64_t)REIN_COUNT(rows),
    .values_size = sizeof(values),
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
