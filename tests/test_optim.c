/* Schedules against transformers, AdamW with clipping against torch, and that a cut of the parameters changes no bit.
 */
#include "golden_json.h"

#include "optim/adamw.h"
#include "optim/clip.h"
#include "optim/schedule.h"
#include "base/sum.h"

/* Place of a word in a list "a|b|c"; -1 if it is not there. */
static int choice(const char *choices, const char *word) {
    size_t n = strlen(word);
    for (int i = 0; choices; i++) {
        if (strncmp(choices, word, n) == 0 && (choices[n] == '|' || choices[n] == 0)) return i;
        choices = strchr(choices, '|');
        if (choices) choices++;
    }
    return -1;
}

static void set_option(rein_schedule *s, const char *name, struct json_object *value) {
    double number = json_object_get_double(value);
    if (strcmp(name, "num_cycles") == 0)
        s->num_cycles = number;
    else if (strcmp(name, "power") == 0)
        s->power = number;
    else if (strcmp(name, "lr_end") == 0)
        s->lr_end = number;
    else if (strcmp(name, "timescale") == 0)
        s->timescale = (int64_t)number;
    else if (strcmp(name, "min_lr_rate") == 0 || strcmp(name, "min_lr_ratio") == 0)
        s->min_lr_rate = number;
    else if (strcmp(name, "min_lr") == 0)
        s->min_lr_rate = number / s->learning_rate;
    else if (strcmp(name, "warmup_lr_rate") == 0)
        s->warmup_lr_rate = number;
    else if (strcmp(name, "num_decay_steps") == 0)
        s->decay_steps = (int64_t)number;
    else if (strcmp(name, "decay_type") == 0)
        s->decay_shape = (rein_schedule_shape)choice(REIN_SCHEDULE_SHAPE_CHOICES, json_object_get_string(value));
    else if (strcmp(name, "warmup_type") == 0)
        s->warmup_shape = (rein_schedule_shape)choice(REIN_SCHEDULE_SHAPE_CHOICES, json_object_get_string(value));
    else
        fail_msg("option '%s'", name);
}

static rein_schedule schedule_of(struct json_object *c) {
    int type = choice(REIN_SCHEDULE_CHOICES, golden_text(c, "scheduler"));
    if (type < 0) fail_msg("no schedule '%s'", golden_text(c, "scheduler"));
    rein_schedule s = rein_schedule_default((rein_schedule_type)type, golden_double(c, "base_lr"),
                                            (int64_t)golden_double(c, "total"));
    s.warmup_steps = (int64_t)golden_double(c, "warmup");
    json_object_object_foreach(golden_get(c, "kwargs"), name, value) { set_option(&s, name, value); }
    return s;
}

static void test_schedules(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/optim/schedules.json"), *cases = golden_get(document, "cases");
    assert_int_equal(golden_length(cases), 47);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *c = golden_at(cases, i), *lr = golden_get(c, "lr");
        rein_schedule s = schedule_of(c);
        if (rein_schedule_check(&s) != REIN_OK) fail_msg("%s", rein_error_message());
        for (int64_t k = 0; k < golden_length(lr); k++) {
            double got = rein_schedule_rate(&s, k), want = json_object_get_double(golden_at(lr, k));
            if (!(fabs(got - want) <= 1e-9 * fabs(want)))
                fail_msg("case %d (%s), step %d: %.17g, expected %.17g", (int)i, golden_text(c, "scheduler"), (int)k,
                         got, want);
        }
    }
    json_object_put(document);
}

static void test_constant_then_linear(void **state) {
    (void)state;
    rein_schedule s = rein_schedule_default(REIN_SCHEDULE_WARMUP_STABLE_DECAY, 1e-3, 250);
    assert_int_equal(rein_schedule_check(&s), REIN_ERR_ARG); /* no decay_steps */
    s.decay_steps = rein_schedule_fraction(0.4, 250);
    s.decay_shape = REIN_SHAPE_LINEAR;
    assert_int_equal(rein_schedule_check(&s), REIN_OK);
    assert_int_equal(s.decay_steps, 100);
    for (int64_t k = 0; k <= 150; k++) assert_true(rein_schedule_rate(&s, k) == 1e-3);
    golden_near(rein_schedule_rate(&s, 175), 0.75e-3, 1e-15, "rate", "a quarter down");
    assert_true(rein_schedule_rate(&s, 249) > 0 && rein_schedule_rate(&s, 250) == 0);
    s.warmup_steps = 151;
    assert_int_equal(rein_schedule_check(&s), REIN_ERR_ARG);
    s = rein_schedule_default(REIN_SCHEDULE_LINEAR, NAN, 10);
    assert_int_equal(rein_schedule_check(&s), REIN_ERR_ARG);
}

enum { TENSORS = 3, SIZE = 16 };
typedef struct parameters {
    float p[TENSORS][SIZE], m[TENSORS][SIZE], v[TENSORS][SIZE], grad[TENSORS][SIZE];
    int64_t n[TENSORS];
} parameters;

static void read_floats(float *out, int64_t n, struct json_object *list) {
    assert_int_equal(golden_length(list), n);
    for (int64_t i = 0; i < n; i++) out[i] = (float)json_object_get_double(golden_at(list, i));
}

static void check_floats(const float *got, int64_t n, struct json_object *list, const char *what, const char *where) {
    for (int64_t i = 0; i < n; i++) golden_near(got[i], json_object_get_double(golden_at(list, i)), 1e-5, what, where);
}

static double clip_of(struct json_object *options) {
    struct json_object *clip = golden_get(options, "clip");
    return clip ? json_object_get_double(clip) : 0;
}

static double rate_of(struct json_object *options, int64_t step) {
    struct json_object *schedule = golden_get(options, "schedule");
    double lr = golden_double(options, "lr");
    if (!schedule) return lr;
    int type = choice(REIN_SCHEDULE_CHOICES, json_object_get_string(golden_at(schedule, 0)));
    rein_schedule s =
        rein_schedule_default((rein_schedule_type)type, lr, json_object_get_int64(golden_at(schedule, 2)));
    s.warmup_steps = json_object_get_int64(golden_at(schedule, 1));
    return rein_schedule_rate(&s, step);
}

/* One step of a golden case; every tensor is cut into ranges of at most `cut` elements. */
static void step_case(rein_device *dev, parameters *w, struct json_object *c, int64_t step, int64_t cut) {
    struct json_object *o = golden_get(c, "options"), *betas = golden_get(o, "betas"),
                       *skip = golden_get(c, "no_decay");
    struct json_object *want = golden_at(golden_get(c, "steps"), step);
    rein_adamw_options opt = {json_object_get_double(golden_at(betas, 0)), json_object_get_double(golden_at(betas, 1)),
                              golden_double(o, "eps"), golden_double(o, "weight_decay")};
    assert_int_equal(rein_adamw_check(&opt), REIN_OK);
    rein_adamw_range range[TENSORS * SIZE];
    double block[TENSORS];
    int64_t n_range = 0;
    for (int k = 0; k < TENSORS; k++) {
        read_floats(w->grad[k], w->n[k], golden_at(golden_at(golden_get(c, "grads"), step), k));
        dev->ops->sumsq(dev, &block[k], w->grad[k], w->n[k]);
        bool decay = true;
        for (int64_t i = 0; i < golden_length(skip); i++) decay &= json_object_get_int64(golden_at(skip, i)) != k;
        for (int64_t i = 0; i < w->n[k]; i += cut)
            range[n_range++] = (rein_adamw_range){
                w->p[k] + i, w->m[k] + i, w->v[k] + i, w->grad[k] + i, i + cut < w->n[k] ? cut : w->n[k] - i, decay};
    }
    rein_clip clip = rein_clip_gradient(rein_pairwise_sum(block, TENSORS), clip_of(o));
    golden_near(clip.norm, golden_double(want, "grad_norm"), 1e-6, "grad_norm", golden_text(c, "name"));
    golden_near(rate_of(o, step), golden_double(want, "lr"), 1e-12, "lr", golden_text(c, "name"));
    rein_adamw_step(dev, range, n_range, &opt, (rein_adamw_step_args){step + 1, rate_of(o, step), clip.scale});
}

static void run_case(rein_device *dev, parameters *w, struct json_object *c, int64_t cut) {
    memset(w, 0, sizeof *w);
    for (int k = 0; k < TENSORS; k++) {
        struct json_object *init = golden_at(golden_get(c, "init"), k);
        w->n[k] = golden_length(init);
        read_floats(w->p[k], w->n[k], init);
    }
    struct json_object *steps = golden_get(c, "steps");
    for (int64_t step = 0; step < golden_length(steps); step++) {
        step_case(dev, w, c, step, cut);
        for (int k = 0; k < TENSORS; k++)
            check_floats(w->p[k], w->n[k], golden_at(golden_get(golden_at(steps, step), "params"), k), "parameter",
                         golden_text(c, "name"));
    }
    for (int k = 0; k < TENSORS; k++) {
        check_floats(w->m[k], w->n[k], golden_at(golden_get(c, "final_exp_avg"), k), "m", golden_text(c, "name"));
        check_floats(w->v[k], w->n[k], golden_at(golden_get(c, "final_exp_avg_sq"), k), "v", golden_text(c, "name"));
    }
}

static void test_adamw(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/optim/adamw.json"), *cases = golden_get(document, "cases");
    rein_device *dev;
    assert_int_equal(rein_device_open_cpu(&dev, "ref", 1), REIN_OK);
    assert_int_equal(golden_length(cases), 11);
    for (int64_t i = 0; i < 11; i++) {
        static parameters whole, cut;
        run_case(dev, &whole, golden_at(cases, i), SIZE);
        run_case(dev, &cut, golden_at(cases, i), 3);
        assert_memory_equal(&whole, &cut, sizeof whole);
    }
    rein_device_close(dev);
    json_object_put(document);
}

static void test_adamw_options(void **state) {
    (void)state;
    const rein_adamw_options usual = {.adam_beta1 = 0.9, .adam_beta2 = 0.999, .adam_epsilon = 1e-8};
    rein_adamw_options opt = usual;
    assert_int_equal(rein_adamw_check(&opt), REIN_OK);
    opt.adam_beta2 = 0.99999999999; /* 1 in f32: the second moment would never move */
    assert_int_equal(rein_adamw_check(&opt), REIN_ERR_ARG);
    opt = usual;
    opt.weight_decay = NAN;
    assert_int_equal(rein_adamw_check(&opt), REIN_ERR_ARG);
}

static void test_clip(void **state) {
    (void)state;
    rein_clip c = rein_clip_gradient(25, 1);
    assert_true(c.norm == 5 && c.finite && c.scale == (float)(1 / 5.000001));
    c = rein_clip_gradient(25, 100);
    assert_true(c.scale == 1);
    c = rein_clip_gradient(25, 0);
    assert_true(c.scale == 1);
    c = rein_clip_gradient(0, 1);
    assert_true(c.scale == 1 && c.norm == 0);
    assert_false(rein_clip_gradient(INFINITY, 1).finite);
    c = rein_clip_gradient(NAN, 0);
    assert_true(!c.finite && c.scale == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules), cmocka_unit_test(test_constant_then_linear),
        cmocka_unit_test(test_adamw),     cmocka_unit_test(test_adamw_options),
        cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
