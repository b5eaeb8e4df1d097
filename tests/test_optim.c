/* Schedules against transformers, AdamW with clipping against torch, and that a cut of the parameters changes no bit.
 */
#include "golden_json.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/sum.h"
#include "io/safetensors.h"
#include "optim/clip.h"
#include "optim/optim.h"
#include "optim/schedule.h"

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

static rein_schedule schedule_of(struct json_object *c) {
    int type = choice(REIN_SCHEDULE_CHOICES, golden_text(c, "scheduler"));
    if (type < 0) fail_msg("no schedule '%s'", golden_text(c, "scheduler"));
    rein_schedule s = rein_schedule_default((rein_schedule_type)type, golden_double(c, "base_lr"),
                                            (int64_t)golden_double(c, "total"));
    s.warmup_steps = (int64_t)golden_double(c, "warmup");
    rein_plateau_options none;
    const char *kwargs = json_object_to_json_string(golden_get(c, "kwargs"));
    if (rein_schedule_kwargs(&s, &none, kwargs) != REIN_OK) fail_msg("%s", rein_error_message());
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

enum { TENSORS = 3, SIZE = 16, ALL = TENSORS * SIZE };

/* The tensors of a golden case, each of at most SIZE elements, as parts of at most `cut` elements. */
typedef struct golden_model {
    float w[ALL], grad[ALL];
    int64_t n[TENSORS];
    rein_param param[ALL];
    int64_t n_param;
    rein_optim *optim;
} golden_model;

static void read_floats(float *out, int64_t n, struct json_object *list) {
    assert_int_equal(golden_length(list), n);
    for (int64_t i = 0; i < n; i++) out[i] = (float)json_object_get_double(golden_at(list, i));
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

static rein_optim_options adamw_options(struct json_object *options) {
    struct json_object *betas = golden_get(options, "betas");
    return (rein_optim_options){.optim = REIN_OPTIM_ADAMW,
                                .adam_beta1 = json_object_get_double(golden_at(betas, 0)),
                                .adam_beta2 = json_object_get_double(golden_at(betas, 1)),
                                .adam_epsilon = golden_double(options, "eps"),
                                .weight_decay = golden_double(options, "weight_decay"),
                                .ns_steps = 5};
}

static void make_model(golden_model *m, rein_device *dev, struct json_object *c, int64_t cut) {
    struct json_object *skip = golden_get(c, "no_decay");
    rein_optim_options opt = adamw_options(golden_get(c, "options"));
    memset(m, 0, sizeof *m);
    for (int k = 0; k < TENSORS; k++) {
        struct json_object *init = golden_at(golden_get(c, "init"), k);
        bool decay = true;
        m->n[k] = golden_length(init);
        read_floats(m->w + k * SIZE, m->n[k], init);
        for (int64_t i = 0; i < golden_length(skip); i++) decay &= json_object_get_int64(golden_at(skip, i)) != k;
        for (int64_t i = 0; i < m->n[k]; i += cut) {
            rein_param *p = &m->param[m->n_param++];
            *p = (rein_param){.kind = decay ? REIN_PARAM_MATRIX : REIN_PARAM_NORM,
                              .rows = 1,
                              .cols = i + cut < m->n[k] ? cut : m->n[k] - i,
                              .offset = k * SIZE + i};
            snprintf(p->name, sizeof p->name, "tensor.%d.%d", k, (int)i);
        }
    }
    OK(rein_optim_check(&opt));
    OK(rein_optim_create(&m->optim, dev, m->param, m->n_param, &opt));
}

static void check_golden(const golden_model *m, struct json_object *list, const char *where) {
    for (int k = 0; k < TENSORS; k++)
        for (int64_t i = 0; i < m->n[k]; i++)
            golden_near(m->w[k * SIZE + i], json_object_get_double(golden_at(golden_at(list, k), i)), 1e-5, "parameter",
                        where);
}

static void step_golden(rein_device *dev, golden_model *m, struct json_object *c, int64_t step) {
    struct json_object *o = golden_get(c, "options"), *want = golden_at(golden_get(c, "steps"), step);
    const char *name = golden_text(c, "name");
    double block[TENSORS];
    for (int k = 0; k < TENSORS; k++) {
        read_floats(m->grad + k * SIZE, m->n[k], golden_at(golden_at(golden_get(c, "grads"), step), k));
        dev->ops->sumsq(dev, &block[k], m->grad + k * SIZE, m->n[k]);
    }
    rein_clip clip = rein_clip_gradient(rein_pairwise_sum(block, TENSORS), clip_of(o));
    golden_near(clip.norm, golden_double(want, "grad_norm"), 1e-6, "grad_norm", name);
    golden_near(rate_of(o, step), golden_double(want, "lr"), 1e-12, "lr", name);
    rein_optim_step(m->optim, m->w, m->grad, (rein_optim_step_args){step + 1, rate_of(o, step), clip.scale});
    check_golden(m, golden_get(want, "params"), name);
}

/* The moments as the optimiser's files have them. */
static void check_moments(const golden_model *m, struct json_object *c, const char *dir) {
    static const char *const file[] = {"optimizer_m", "optimizer_v"}, *const key[] = {"final_exp_avg",
                                                                                      "final_exp_avg_sq"};
    char path[200];
    OK(rein_optim_write(m->optim, dir));
    for (int a = 0; a < 2; a++) {
        rein_tensors *t;
        snprintf(path, sizeof path, "%s/%s.safetensors", dir, file[a]);
        OK(rein_tensors_open(&t, path));
        for (int k = 0; k < TENSORS; k++) {
            snprintf(path, sizeof path, "tensor.%d.0", k);
            const rein_tensor_view *v = rein_tensors_find(t, path);
            float x[SIZE];
            assert_non_null(v);
            OK(rein_tensor_to_f32(x, v));
            for (int64_t i = 0; i < m->n[k]; i++)
                golden_near(x[i], json_object_get_double(golden_at(golden_at(golden_get(c, key[a]), k), i)), 1e-5,
                            key[a], golden_text(c, "name"));
        }
        rein_tensors_close(t);
    }
}

static void test_adamw(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/optim/adamw.json"), *cases = golden_get(document, "cases");
    char dir[] = "/tmp/rein-optim-XXXXXX";
    rein_device *dev;
    assert_non_null(mkdtemp(dir));
    OK(rein_device_open_cpu(&dev, "ref", 1));
    assert_int_equal(golden_length(cases), 11);
    for (int64_t i = 0; i < 11; i++) {
        static golden_model whole, cut;
        struct json_object *c = golden_at(cases, i);
        make_model(&whole, dev, c, SIZE);
        make_model(&cut, dev, c, 3);
        for (int64_t step = 0; step < golden_length(golden_get(c, "steps")); step++) {
            step_golden(dev, &whole, c, step);
            step_golden(dev, &cut, c, step);
            assert_memory_equal(whole.w, cut.w, sizeof whole.w);
        }
        check_moments(&whole, c, dir);
        rein_optim_destroy(whole.optim);
        rein_optim_destroy(cut.optim);
    }
    rein_device_close(dev);
    json_object_put(document);
    OK(rein_remove_tree(dir));
}

static void refused(rein_optim_options opt) { assert_int_equal(rein_optim_check(&opt), REIN_ERR_ARG); }

static void test_options(void **state) {
    (void)state;
    const rein_optim_options usual = {.adam_beta1 = 0.9, .adam_beta2 = 0.999, .adam_epsilon = 1e-8, .ns_steps = 5};
    rein_optim_options opt = usual;
    OK(rein_optim_check(&opt));
    opt.adam_beta2 = 0.99999999999; /* 1 in f32: the second moment would never move */
    refused(opt);
    opt = usual, opt.weight_decay = (double)NAN, refused(opt);
    opt = usual, opt.momentum = 1, refused(opt);
    opt = usual, opt.nesterov = true, refused(opt);
    opt = usual, opt.muon_momentum = -0.1, refused(opt);
    opt = usual, opt.ns_steps = 0, refused(opt);
}

static void test_kwargs(void **state) {
    (void)state;
    static const struct {
        rein_schedule_type type;
        const char *json;
    } wrong[] = {{REIN_SCHEDULE_LINEAR, "{\"num_cycles\":1}"},
                 {REIN_SCHEDULE_COSINE, "{\"num_cycle\":1}"},
                 {REIN_SCHEDULE_COSINE, "{\"num_cycles\":\"1\"}"},
                 {REIN_SCHEDULE_COSINE, "{\"num_cycles\":-1}"},
                 {REIN_SCHEDULE_COSINE, "[]"},
                 {REIN_SCHEDULE_COSINE, "{"},
                 {REIN_SCHEDULE_INVERSE_SQRT, "{\"timescale\":1.5}"},
                 {REIN_SCHEDULE_WARMUP_STABLE_DECAY, "{\"decay_type\":\"square\"}"},
                 {REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU, "{\"factor\":1}"},
                 {REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU, "{\"threshold_mode\":\"any\"}"}};
    for (size_t i = 0; i < REIN_COUNT(wrong); i++) {
        rein_schedule s = rein_schedule_default(wrong[i].type, 1e-3, 100);
        rein_plateau_options p = rein_plateau_default();
        if (rein_schedule_kwargs(&s, &p, wrong[i].json) != REIN_ERR_USAGE) fail_msg("%s was taken", wrong[i].json);
        assert_non_null(strstr(rein_error_message(), "lr_scheduler_kwargs"));
    }
}

/* torch's ReduceLROnPlateau: the rate after each value of the metric. */
static void test_plateau(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/optim/plateau.json"), *cases = golden_get(document, "cases");
    assert_true(golden_length(cases) >= 6);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *c = golden_at(cases, i), *lr = golden_get(c, "lr"), *metric = golden_get(c, "metric");
        rein_schedule s = rein_schedule_default(REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU, golden_double(c, "base_lr"), 100);
        rein_plateau_options o = rein_plateau_default();
        OK(rein_schedule_kwargs(&s, &o, json_object_to_json_string(golden_get(c, "kwargs"))));
        OK(rein_schedule_check(&s));
        rein_plateau p = rein_plateau_begin(rein_schedule_rate(&s, 0));
        for (int64_t k = 0; k < golden_length(lr); k++) {
            double before = p.rate;
            bool reduced = rein_plateau_observe(&p, &o, json_object_get_boolean(golden_get(c, "greater")),
                                                json_object_get_double(golden_at(metric, k)));
            golden_near(p.rate, json_object_get_double(golden_at(lr, k)), 1e-15, "lr", "plateau");
            assert_int_equal(reduced, p.rate < before);
        }
    }
    json_object_put(document);
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
        cmocka_unit_test(test_kwargs),    cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_adamw),     cmocka_unit_test(test_options),
        cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
