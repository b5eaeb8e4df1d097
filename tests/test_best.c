/* The metric a run is judged by: patience, the best checkpoint, and that its state survives trainer_state.json. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "optim/schedule.h"
#include "train/best.h"

static const rein_train_args usual = {.metric_for_best_model = "reward", .early_stopping_patience = 3};

static rein_best started(const rein_train_args *a) {
    rein_best b;
    OK(rein_best_init(&b, a));
    return b;
}

static void patience(void **state) {
    (void)state;
    static const double value[] = {0.1, 0.3, 0.2, 0.3, 0.31, 0.1, (double)NAN, (double)INFINITY};
    static const int64_t waited[] = {0, 0, 1, 2, 0, 1, 2, 3};
    rein_best b = started(&usual);
    assert_true(b.greater);
    for (size_t i = 0; i < REIN_COUNT(value); i++) {
        assert_false(b.stopped);
        rein_best_observe(&b, (int64_t)i + 1, value[i]);
        assert_int_equal(b.waited, waited[i]);
    }
    assert_true(b.stopped && b.best == 0.31 && b.best_step == 5);
}

/* Improvements below the threshold are kept as the best value and do not end the waiting. */
static void threshold(void **state) {
    (void)state;
    rein_train_args a = usual;
    a.early_stopping_threshold = 0.05;
    a.greater_is_better = REIN_GREATER_FALSE;
    rein_best b = started(&a);
    for (int64_t i = 0; i < 4; i++) rein_best_observe(&b, i + 1, 1 - 0.04 * (double)i);
    assert_true(b.stopped && b.waited == 3 && b.best_step == 4);
    b = started(&a);
    for (int64_t i = 0; i < 4; i++) rein_best_observe(&b, i + 1, 1 - 0.06 * (double)i);
    assert_true(!b.stopped && b.waited == 0);
}

static void names_say_which_way(void **state) {
    (void)state;
    rein_train_args a = usual;
    a.metric_for_best_model = "eval_loss";
    assert_false(started(&a).greater);
    a.greater_is_better = REIN_GREATER_TRUE;
    assert_true(started(&a).greater);
}

static void the_best_checkpoint(void **state) {
    (void)state;
    rein_best b = started(&usual), none = started(&(rein_train_args){0});
    assert_false(rein_best_checkpoint(&b, 0)); /* no value yet */
    assert_false(rein_best_checkpoint(&none, 0));
    rein_best_observe(&b, 1, 0.9); /* the best value, but no checkpoint has it */
    rein_best_observe(&b, 2, 0.5);
    assert_true(rein_best_checkpoint(&b, 2));
    rein_best_observe(&b, 4, 0.5);
    assert_false(rein_best_checkpoint(&b, 4)); /* the earlier one of equals */
    rein_best_observe(&b, 6, 0.6);
    assert_true(rein_best_checkpoint(&b, 6));
    assert_true(b.checkpoint == 6 && b.checkpoint_value == 0.6 && b.best == 0.9);
}

static void round_trip(const rein_best *b, const rein_train_args *a) {
    rein_str s = {0};
    struct json_object *doc;
    rein_best again = started(a);
    rein_str_puts(&s, "{\"x\":1");
    rein_best_write(b, &s);
    rein_str_puts(&s, "}");
    OK(rein_str_check(&s));
    OK(rein_json_parse(&doc, "state", s.data, s.len));
    OK(rein_best_read(&again, doc));
    assert_memory_equal(&again, b, sizeof again);
    json_object_put(doc);
    rein_str_deinit(&s);
}

static void state_survives(void **state) {
    (void)state;
    rein_train_args a = usual;
    a.learning_rate = 1e-3;
    a.lr_scheduler_type = REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU;
    rein_plateau_options o = rein_plateau_default();
    o.patience = 1;
    o.cooldown = 2;
    rein_best b = started(&a);
    for (int64_t i = 0; i < 12; i++) {
        round_trip(&b, &a);
        rein_best_observe(&b, i + 1, 1 / (1 + fabs(3.0 - (double)i)));
        rein_plateau_observe(&b.plateau, &o, b.greater, b.last);
        if (i % 2) rein_best_checkpoint(&b, i + 1);
    }
    assert_true(b.plateau.rate < 1e-3 && b.plateau.rate > 0 && b.checkpoint == 4);
    rein_best_observe(&b, 13, (double)NAN);
    round_trip(&b, &a);
}

static void metric_is_needed(void **state) {
    (void)state;
    rein_best b;
    FAILS_WITH(REIN_ERR_USAGE, rein_best_init(&b, &(rein_train_args){.early_stopping_patience = 1}));
    FAILS_WITH(REIN_ERR_USAGE, rein_best_init(&b, &(rein_train_args){.load_best_model_at_end = true}));
    FAILS_WITH(REIN_ERR_USAGE, rein_best_init(&b, &(rein_train_args){.greater_is_better = REIN_GREATER_TRUE}));
    FAILS_WITH(REIN_ERR_USAGE,
               rein_best_init(&b, &(rein_train_args){.lr_scheduler_type = REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU}));
    FAILS_WITH(REIN_ERR_USAGE, rein_best_init(&b, &(rein_train_args){.metric_for_best_model = "loss",
                                                                     .early_stopping_threshold = 0.1}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience),
        cmocka_unit_test(threshold),
        cmocka_unit_test(names_say_which_way),
        cmocka_unit_test(the_best_checkpoint),
        cmocka_unit_test(state_survives),
        cmocka_unit_test(metric_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
