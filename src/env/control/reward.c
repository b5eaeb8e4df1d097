/* Reward versions as rows of a table; see reward.h. */
#include "env/control/reward.h"

#include <math.h>

#include "base/math64.h"

enum { N_TIERS = 4 };

/* v1.0, v1.1: the cost and terminal tiers; v1.2, v1.3: bounded terms; v2.0: the logarithm of the cost and a
 * bounded terminal term. */
typedef enum cost_form { TIERED, SHAPED, LOGGED } cost_form;

typedef struct reward_row {
    double format_exact, format_gain[3], format_loss;
    cost_form form;
    double baseline;       /* all but tiered */
    double cost_divisor;   /* tiered */
    double tier[N_TIERS];  /* tiered: terminal score below an error of 0.05, 0.1, 0.2, 0.5 */
    double miss;           /* tiered: times error^2 if no tier is reached */
    double cost_gain;      /* logged: times log(1 + cost) */
    double violation, cap; /* per violation, and the most they can cost in all */
    bool graded;           /* validity 10 (valid fraction) - 5 */
    double valid, invalid; /* else */
    double floor;          /* -INFINITY: none */
} reward_row;

static const reward_row rows[] = {
    {.format_exact = 3,
     .format_gain = {0.5, 0.5, 0.5},
     .format_loss = 1,
     .cost_divisor = 100,
     .tier = {10, 5, 2, 0.5},
     .violation = 2,
     .cap = INFINITY,
     .valid = 3,
     .invalid = -5,
     .floor = -INFINITY},
    {.format_exact = 1,
     .format_gain = {0.2, 0.2, 0.1},
     .format_loss = 0.5,
     .cost_divisor = 10,
     .tier = {50, 25, 10, 2},
     .miss = -50,
     .violation = 10,
     .cap = INFINITY,
     .valid = 3,
     .invalid = -5,
     .floor = -INFINITY},
    {.format_exact = 1,
     .format_gain = {0.2, 0.2, 0.1},
     .format_loss = 0.5,
     .form = SHAPED,
     .baseline = 50,
     .violation = 8,
     .cap = INFINITY,
     .valid = 5,
     .invalid = -10,
     .floor = -INFINITY},
    {.format_exact = 1,
     .format_gain = {0.2, 0.2, 0.1},
     .format_loss = 0.5,
     .form = SHAPED,
     .baseline = 70,
     .violation = 2,
     .cap = 20,
     .graded = true,
     .floor = 30},
    {.format_exact = 1,
     .format_gain = {0.2, 0.2, 0.1},
     .format_loss = 0.5,
     .form = LOGGED,
     .baseline = 200,
     .cost_gain = 25,
     .violation = 2,
     .cap = 20,
     .floor = 0},
};

void rein_reward_add(rein_reward_parts *parts, const char *name, double value) {
    REIN_ASSERT(parts->n < REIN_SCORE_PARTS);
    parts->part[parts->n++] = (rein_named){name, value};
}

double rein_reward_total(const rein_reward_parts *parts) {
    double sum = 0;
    for (int i = 0; i < parts->n; i++) sum += parts->part[i].value;
    return sum;
}

static double tier_score(const reward_row *row, double error) {
    static const double below[N_TIERS] = {0.05, 0.1, 0.2, 0.5};
    for (int i = 0; i < N_TIERS; i++)
        if (error < below[i]) return row->tier[i];
    return row->miss * error * error;
}

/* Share of the initial distance that was covered, times 30. */
static double progress(const rein_rollout *r) {
    double start = rein_norm2(r->state[0]);
    if (start == 0) return r->final_error < 0.1 ? 30 : 0;
    return 30 * fmax(0, (start - r->final_error) / start);
}

static double mean_distance(const rein_rollout *r) {
    double sum = 0;
    for (int k = 0; k <= r->steps; k++) sum += rein_norm2(r->state[k]);
    return sum / (r->steps + 1);
}

static double bounded_terminal(const rein_rollout *r) { return 25 * rein_exp64(-10 * r->final_error); }

static void add_shaped(rein_reward_parts *parts, const reward_row *row, const rein_rollout *r, const double *u) {
    rein_reward_add(parts, "baseline", row->baseline);
    rein_reward_add(parts, "progress", progress(r));
    rein_reward_add(parts, "proximity", 15 * rein_exp64(-2 * mean_distance(r)));
    rein_reward_add(parts, "terminal", bounded_terminal(r));
    rein_reward_add(parts, "effort", 10 * rein_exp64(-rein_mean_effort(u, r->steps)));
    rein_reward_add(parts, "smoothness", 8 * rein_exp64(-2 * rein_mean_change(u, r->steps)));
    rein_reward_add(parts, "cost", -15 * rein_tanh64(r->cost / 200));
}

static void add_cost(rein_reward_parts *parts, const reward_row *row, const rein_rollout *r, const double *u) {
    switch (row->form) {
    case TIERED:
        rein_reward_add(parts, "cost", -r->cost / row->cost_divisor);
        rein_reward_add(parts, "terminal", tier_score(row, r->final_error));
        break;
    case SHAPED: add_shaped(parts, row, r, u); break;
    case LOGGED:
        rein_reward_add(parts, "baseline", row->baseline);
        rein_reward_add(parts, "cost", -row->cost_gain * rein_log64(1 + r->cost));
        rein_reward_add(parts, "terminal", bounded_terminal(r));
        break;
    }
}

static double validity(const reward_row *row, const rein_rollout *r) {
    if (row->graded) return 10 * ((double)r->valid_states / (r->steps + 1)) - 5;
    return r->state_violations == 0 ? row->valid : row->invalid;
}

void rein_reward_control(rein_reward_parts *parts, rein_control_version version, const rein_rollout *r,
                         const double *u) {
    const reward_row *row = &rows[version];
    rein_reward_parts own = {0};
    add_cost(&own, row, r, u);
    int violations = r->control_violations + r->state_violations;
    rein_reward_add(&own, "violations", violations ? -fmin(row->violation * violations, row->cap) : 0);
    if (row->form != LOGGED) rein_reward_add(&own, "validity", validity(row, r));
    if (row->floor > -INFINITY) {
        double raw = rein_reward_total(&own);
        rein_reward_add(&own, "floor", fmax(raw, row->floor) - raw);
    }
    for (int i = 0; i < own.n; i++) rein_reward_add(parts, own.part[i].name, own.part[i].value);
}

void rein_reward_control_absent(rein_reward_parts *parts, rein_control_version version) {
    static const rein_rollout nothing = {.steps = 1};
    static const double idle[1] = {0};
    int first = parts->n;
    rein_reward_control(parts, version, &nothing, idle);
    for (int i = first; i < parts->n; i++) parts->part[i].value = 0;
}

void rein_reward_format(rein_reward_parts *parts, rein_control_version version, const rein_layout *layout) {
    const reward_row *row = &rows[version];
    const bool present[3] = {layout->close_reasoning, layout->open, layout->close};
    double approx = 0;
    for (int i = 0; i < 3; i++) approx += present[i] ? row->format_gain[i] : -row->format_loss;
    rein_reward_add(parts, "format_exact", layout->exact ? row->format_exact : 0);
    rein_reward_add(parts, "format_approx", approx);
}

double rein_reward_malformed(rein_answer_error error) {
    if (error == REIN_ANSWER_OK) return 0;
    return error == REIN_ANSWER_TOO_FEW || error == REIN_ANSWER_TOO_MANY ? -5 : -10;
}
