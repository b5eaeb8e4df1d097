/* The metric that a run is judged by; see best.h. */
#include "train/best.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "optim/schedule.h"

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

rein_status rein_best_init(rein_best *b, const rein_train_args *a) {
    bool plateau = a->lr_scheduler_type == REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU;
    const char *needs = a->early_stopping_patience > 0              ? "early_stopping_patience"
                        : a->load_best_model_at_end                 ? "load_best_model_at_end"
                        : a->greater_is_better != REIN_GREATER_AUTO ? "greater_is_better"
                        : plateau                                   ? "reduce_lr_on_plateau"
                                                                    : NULL;
    if (needs && !a->metric_for_best_model)
        return rein_fail(REIN_ERR_USAGE, "%s needs --metric_for_best_model, the metric to go by", needs);
    if (a->early_stopping_threshold > 0 && a->early_stopping_patience == 0)
        return rein_fail(REIN_ERR_USAGE,
                         "early_stopping_threshold %g is given, and early_stopping_patience is 0: nothing reads it",
                         a->early_stopping_threshold);
    *b = (rein_best){.metric = a->metric_for_best_model,
                     .patience = a->early_stopping_patience,
                     .threshold = a->early_stopping_threshold,
                     .last = (double)NAN,
                     .best = (double)NAN,
                     .checkpoint = -1,
                     .checkpoint_value = (double)NAN,
                     .plateau = rein_plateau_begin(a->learning_rate)};
    if (b->metric)
        b->greater = a->greater_is_better == REIN_GREATER_AUTO ? !ends_with(b->metric, "loss")
                                                               : a->greater_is_better == REIN_GREATER_TRUE;
    return REIN_OK;
}

static bool better(const rein_best *b, double value, double than) {
    if (isnan(value) || isnan(than)) return !isnan(value);
    return b->greater ? value > than : value < than;
}

void rein_best_observe(rein_best *b, int64_t step, double value) {
    if (!isfinite(value)) value = (double)NAN;
    bool is_better = better(b, value, b->best);
    bool counts = is_better && (isnan(b->best) || fabs(value - b->best) > b->threshold);
    b->waited = counts ? 0 : b->waited + 1;
    b->last = value;
    b->observed++;
    b->stopped = b->patience > 0 && b->waited >= b->patience;
    if (!is_better) return;
    b->best = value;
    b->best_step = step;
}

bool rein_best_checkpoint(rein_best *b, int64_t step) {
    if (!b->metric || !better(b, b->last, b->checkpoint_value)) return false;
    b->checkpoint = step;
    b->checkpoint_value = b->last;
    return true;
}

/* ---- trainer_state.json ---- */

static void put(rein_str *out, const char *name, double value) {
    rein_str_printf(out, ",\"%s\":", name);
    rein_json_put_f64(out, value);
}

/* NaN is written as null. */
static rein_status get(double *value, struct json_object *state, const char *name) {
    *value = (double)NAN;
    return rein_json_has(state, name) ? rein_json_double(value, state, name) : REIN_OK;
}

void rein_best_write(const rein_best *b, rein_str *out) {
    if (!b->metric) return;
    put(out, "best_metric", b->best);
    put(out, "last_metric", b->last);
    put(out, "best_checkpoint_metric", b->checkpoint_value);
    put(out, "plateau_best", b->plateau.best);
    put(out, "plateau_learning_rate", b->plateau.rate);
    rein_str_printf(out, ",\"best_global_step\":%lld,\"best_model_checkpoint\":%lld,\"metric_values\":%lld",
                    (long long)b->best_step, (long long)b->checkpoint, (long long)b->observed);
    rein_str_printf(out, ",\"early_stopping_patience_counter\":%lld,\"early_stopped\":%s", (long long)b->waited,
                    b->stopped ? "true" : "false");
    rein_str_printf(out, ",\"plateau_bad\":%lld,\"plateau_cooldown\":%lld", (long long)b->plateau.bad,
                    (long long)b->plateau.cooling);
}

rein_status rein_best_read(rein_best *b, struct json_object *state) {
    if (!b->metric) return REIN_OK;
    REIN_TRY(get(&b->best, state, "best_metric"));
    REIN_TRY(get(&b->last, state, "last_metric"));
    REIN_TRY(get(&b->checkpoint_value, state, "best_checkpoint_metric"));
    REIN_TRY(get(&b->plateau.best, state, "plateau_best"));
    REIN_TRY(get(&b->plateau.rate, state, "plateau_learning_rate"));
    REIN_TRY(rein_json_int(&b->best_step, state, "best_global_step"));
    REIN_TRY(rein_json_int(&b->checkpoint, state, "best_model_checkpoint"));
    REIN_TRY(rein_json_int(&b->observed, state, "metric_values"));
    REIN_TRY(rein_json_int(&b->waited, state, "early_stopping_patience_counter"));
    REIN_TRY(rein_json_bool(&b->stopped, state, "early_stopped"));
    REIN_TRY(rein_json_int(&b->plateau.bad, state, "plateau_bad"));
    return rein_json_int(&b->plateau.cooling, state, "plateau_cooldown");
}
