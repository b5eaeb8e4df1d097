/* Every optimiser: torch's numbers, the same bits on every device and after a restart, a quadratic that it must
 * minimise; and the stochastic rounding that two of its options rest on. */
#include "golden_json.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/random.h"
#include "io/safetensors.h"
#include "optim/optim.h"
#include "tensor/state8.h"

enum { TENSORS = 5, MOST = 2400 };

typedef struct net {
    rein_param param[TENSORS];
    int64_t n_param, n;
    float w[MOST], grad[MOST];
    rein_optim *optim;
} net;

static const rein_optim_options usual = {
    .adam_beta1 = 0.9, .adam_beta2 = 0.99, .adam_epsilon = 1e-8, .muon_momentum = 0.95, .ns_steps = 5, .seed = 7};

static void add(net *m, const char *name, rein_param_kind kind, int64_t rows, int64_t cols) {
    rein_param *p = &m->param[m->n_param++];
    *p = (rein_param){.kind = kind, .rows = rows, .cols = cols, .offset = m->n};
    snprintf(p->name, sizeof p->name, "%s", name);
    m->n += (rows * cols + 15) / 16 * 16;
    assert_true(m->n <= MOST);
}

static void begin(net *m, rein_device *dev, const rein_optim_options *opt) {
    OK(rein_optim_check(opt));
    OK(rein_optim_create(&m->optim, dev, m->param, m->n_param, opt));
}

/* ---- torch ---- */

static double number_or(struct json_object *o, const char *key, double other) {
    return rein_json_has(o, key) ? golden_double(o, key) : other;
}

static rein_optim_options golden_options(struct json_object *o) {
    static const char *const name[] = {"adamw", "adamw_8bit", "sgd", "lion", "muon"};
    rein_optim_options opt = usual;
    for (size_t i = 0; i < REIN_COUNT(name); i++)
        if (strcmp(golden_text(o, "optim"), name[i]) == 0) opt.optim = (rein_optim_type)i;
    opt.adam_beta1 = number_or(o, "adam_beta1", opt.adam_beta1);
    opt.adam_beta2 = number_or(o, "adam_beta2", opt.adam_beta2);
    opt.weight_decay = number_or(o, "weight_decay", 0);
    opt.momentum = number_or(o, "momentum", 0);
    opt.nesterov = rein_json_has(o, "nesterov");
    opt.muon_momentum = number_or(o, "muon_momentum", opt.muon_momentum);
    opt.ns_steps = (int64_t)number_or(o, "ns_steps", 5);
    return opt;
}

static void fill(net *m, float *to, struct json_object *tensors) {
    for (int64_t k = 0; k < m->n_param; k++) {
        struct json_object *list = golden_at(tensors, k);
        for (int64_t i = 0; i < golden_length(list); i++)
            to[m->param[k].offset + i] = (float)golden_number(golden_at(list, i));
    }
}

static void golden_net(net *m, struct json_object *c) {
    struct json_object *shapes = golden_get(c, "shapes");
    memset(m, 0, sizeof *m);
    for (int64_t k = 0; k < golden_length(shapes); k++) {
        struct json_object *s = golden_at(shapes, k);
        bool matrix = golden_length(s) == 2;
        int64_t last = (int64_t)golden_number(golden_at(s, matrix));
        add(m, matrix ? "hidden.weight" : "norm.weight", matrix ? REIN_PARAM_MATRIX : REIN_PARAM_NORM,
            matrix ? (int64_t)golden_number(golden_at(s, 0)) : 1, last);
    }
    fill(m, m->w, golden_get(c, "init"));
}

static void compare(const net *m, struct json_object *tensors, const char *name) {
    for (int64_t k = 0; k < m->n_param; k++) {
        struct json_object *list = golden_at(tensors, k);
        for (int64_t i = 0; i < golden_length(list); i++)
            golden_near(m->w[m->param[k].offset + i], golden_number(golden_at(list, i)), 2e-5, "parameter", name);
    }
}

static void torch_says_so(void **state) {
    (void)state;
    static net m;
    struct json_object *document = golden_load("golden/optim/optimisers.json"), *cases = golden_get(document, "cases");
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *c = golden_at(cases, i), *o = golden_get(c, "options"), *grads = golden_get(c, "grads");
        rein_optim_options opt = golden_options(o);
        golden_net(&m, c);
        begin(&m, dev, &opt);
        for (int64_t k = 0; k < golden_length(grads); k++) {
            fill(&m, m.grad, golden_at(grads, k));
            rein_optim_step(m.optim, m.w, m.grad, (rein_optim_step_args){k + 1, golden_double(o, "lr"), 1});
            compare(&m, golden_at(golden_get(c, "params"), k), golden_text(c, "name"));
        }
        rein_optim_destroy(m.optim);
    }
    rein_device_close(dev);
    json_object_put(document);
}

/* ---- a quadratic: sum of (w - target)^2 / 2, with noise on the gradient ---- */

static const struct {
    rein_optim_options opt;
    double lr;
} settings[] = {
    {{.optim = REIN_OPTIM_ADAMW, .weight_decay = 0.01}, 0.03},
    {{.optim = REIN_OPTIM_ADAMW_8BIT, .weight_decay = 0.01}, 0.03},
    {{.optim = REIN_OPTIM_SGD}, 0.1},
    {{.optim = REIN_OPTIM_SGD, .momentum = 0.9, .nesterov = true}, 0.02},
    {{.optim = REIN_OPTIM_LION}, 0.02},
    {{.optim = REIN_OPTIM_MUON, .weight_decay = 0.01}, 0.05},
    {{.optim = REIN_OPTIM_ADAMW, .bf16_stochastic_round = true}, 0.03},
};

static rein_optim_options setting(size_t i) {
    rein_optim_options o = usual;
    o.optim = settings[i].opt.optim;
    o.weight_decay = settings[i].opt.weight_decay;
    o.momentum = settings[i].opt.momentum;
    o.nesterov = settings[i].opt.nesterov;
    o.bf16_stochastic_round = settings[i].opt.bf16_stochastic_round;
    return o;
}

static float target(int64_t i) { return (float)rein_random_normal(3, REIN_STREAM_DATA, (uint32_t)i, 0, 0, 0); }

static void quadratic_net(net *m) {
    memset(m, 0, sizeof *m);
    add(m, "model.embed_tokens.weight", REIN_PARAM_MATRIX, 20, 12);
    add(m, "model.layers.0.mlp.up_proj.weight", REIN_PARAM_MATRIX, 70, 12);
    add(m, "model.layers.0.mlp.down_proj.weight", REIN_PARAM_MATRIX, 12, 70);
    add(m, "model.norm.weight", REIN_PARAM_NORM, 1, 300);
    add(m, "value_head.out.weight", REIN_PARAM_MATRIX, 1, 12);
}

static double distance(const net *m) {
    double sum = 0;
    for (int64_t k = 0; k < m->n_param; k++)
        for (int64_t i = m->param[k].offset, n = m->param[k].rows * m->param[k].cols; n > 0; i++, n--)
            sum += pow((double)m->w[i] - (double)target(i), 2);
    return sum;
}

/* Steps [from, to) of `settings[i]`. */
static void descend(net *m, size_t i, int64_t from, int64_t to) {
    for (int64_t step = from; step < to; step++) {
        for (int64_t k = 0; k < m->n; k++) {
            double noise = rein_random_uniform(5, REIN_STREAM_DATA, (uint32_t)k, (uint32_t)step, 0, 0) - 0.5;
            m->grad[k] = m->w[k] - target(k) + 0.1f * (float)noise;
        }
        rein_optim_step(m->optim, m->w, m->grad,
                        (rein_optim_step_args){step + 1, settings[i].lr * (1 - (double)step / 400), 0.9f});
    }
}

static void each_minimises_a_quadratic(void **state) {
    (void)state;
    static net m;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        rein_optim_options opt = setting(i);
        quadratic_net(&m);
        begin(&m, dev, &opt);
        double before = distance(&m);
        descend(&m, i, 0, 400);
        if (!(distance(&m) < 0.02 * before)) fail_msg("setting %d: %g of %g is left", (int)i, distance(&m), before);
        rein_optim_destroy(m.optim);
    }
    rein_device_close(dev);
}

static void every_device_has_the_same_bits(void **state) {
    (void)state;
    static net want, got;
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        rein_optim_options opt = setting(i);
        rein_device *ref;
        OK(rein_device_open_cpu(&ref, "ref", 1));
        quadratic_net(&want);
        begin(&want, ref, &opt);
        descend(&want, i, 0, 20);
        for (const char *const *isa = rein_cpu_isas(); *isa; isa++)
            for (int threads = 1; threads <= 3; threads += 2) {
                rein_device *dev;
                char a[REIN_XXH_HEX], b[REIN_XXH_HEX];
                OK(rein_device_open_cpu(&dev, *isa, threads));
                quadratic_net(&got);
                begin(&got, dev, &opt);
                descend(&got, i, 0, 20);
                assert_memory_equal(want.w, got.w, sizeof want.w);
                for (int k = 0; k < REIN_OPTIM_ARRAYS; k++) {
                    assert_int_equal(rein_optim_hash(want.optim, k, a), rein_optim_hash(got.optim, k, b));
                    assert_string_equal(a, b);
                }
                rein_optim_destroy(got.optim);
                rein_device_close(dev);
            }
        rein_optim_destroy(want.optim);
        rein_device_close(ref);
    }
}

static void a_restart_changes_no_bit(void **state) {
    (void)state;
    static net whole, part;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        char dir[] = "/tmp/rein-optim-XXXXXX";
        rein_optim_options opt = setting(i);
        assert_non_null(mkdtemp(dir));
        quadratic_net(&whole);
        begin(&whole, dev, &opt);
        descend(&whole, i, 0, 17);
        part = whole;
        OK(rein_optim_write(whole.optim, dir));
        begin(&part, dev, &opt);
        OK(rein_optim_read(part.optim, dir));
        descend(&whole, i, 17, 30);
        descend(&part, i, 17, 30);
        assert_memory_equal(whole.w, part.w, sizeof whole.w);
        rein_optim_destroy(whole.optim);
        rein_optim_destroy(part.optim);
        OK(rein_remove_tree(dir));
    }
    rein_device_close(dev);
}

/* ---- files and groups ---- */

static int64_t tensors_in(const char *dir, const char *file) {
    char path[200];
    rein_tensors *t;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (!rein_path_exists(path)) return 0;
    OK(rein_tensors_open(&t, path));
    int64_t n = rein_tensors_count(t);
    rein_tensors_close(t);
    return n;
}

/* Tensors in the two files: Muon has no second moment of hidden matrices, SGD without momentum has nothing. */
static void state_is_what_a_rule_needs(void **state) {
    (void)state;
    static const int64_t want[][2] = {{5, 5}, {10, 10}, {0, 0}, {5, 0}, {5, 0}, {5, 3}, {5, 5}};
    static net m;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        char dir[] = "/tmp/rein-optim-XXXXXX", hex[REIN_XXH_HEX];
        rein_optim_options opt = setting(i);
        assert_non_null(mkdtemp(dir));
        quadratic_net(&m);
        begin(&m, dev, &opt);
        OK(rein_optim_write(m.optim, dir));
        assert_int_equal(tensors_in(dir, "optimizer_m.safetensors"), want[i][0]);
        assert_int_equal(tensors_in(dir, "optimizer_v.safetensors"), want[i][1]);
        assert_int_equal(rein_optim_hash(m.optim, 1, hex), want[i][1] > 0);
        rein_optim_destroy(m.optim);
        OK(rein_remove_tree(dir));
    }
    rein_device_close(dev);
}

static void other_files_are_refused(void **state) {
    (void)state;
    static net m, other;
    char dir[] = "/tmp/rein-optim-XXXXXX";
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    assert_non_null(mkdtemp(dir));
    rein_optim_options adamw = usual, eight = usual, muon = usual;
    eight.optim = REIN_OPTIM_ADAMW_8BIT;
    muon.optim = REIN_OPTIM_MUON;
    quadratic_net(&m);
    begin(&m, dev, &adamw);
    OK(rein_optim_write(m.optim, dir));
    OK(rein_optim_read(m.optim, dir));
    quadratic_net(&other);
    begin(&other, dev, &eight);
    FAILS_WITH(REIN_ERR_FORMAT, rein_optim_read(other.optim, dir));
    rein_optim_destroy(other.optim);
    begin(&other, dev, &muon); /* two tensors too many in v */
    FAILS_WITH(REIN_ERR_FORMAT, rein_optim_read(other.optim, dir));
    rein_optim_destroy(other.optim);
    other.param[3].cols = 299;
    begin(&other, dev, &adamw);
    FAILS_WITH(REIN_ERR_FORMAT, rein_optim_read(other.optim, dir));
    assert_non_null(strstr(rein_error_message(), "model.norm.weight"));
    rein_optim_destroy(other.optim);
    rein_optim_destroy(m.optim);
    rein_device_close(dev);
    OK(rein_remove_tree(dir));
}

static void decay_is_on_matrices_only(void **state) {
    (void)state;
    static net m;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        rein_optim_options opt = setting(i);
        opt.weight_decay = 0.5;
        opt.nesterov = opt.bf16_stochastic_round = false;
        quadratic_net(&m);
        begin(&m, dev, &opt);
        for (int64_t k = 0; k < m.n; k++) m.w[k] = 1;
        rein_optim_step(m.optim, m.w, m.grad, (rein_optim_step_args){1, 0.1, 1}); /* no gradient: decay alone */
        for (int64_t k = 0; k < 4; k++)
            golden_near(m.w[m.param[k].offset], k < 3 ? 0.95 : 1, 1e-6, "weight", m.param[k].name);
        rein_optim_destroy(m.optim);
    }
    rein_device_close(dev);
}

/* A gradient times 2^k with a scale of 2^-k is the same gradient, bit for bit; k differs from step to step. */
static void the_clip_coefficient_scales_the_gradient(void **state) {
    (void)state;
    static net plain, scaled;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t i = 0; i < REIN_COUNT(settings); i++) {
        rein_optim_options opt = setting(i);
        quadratic_net(&plain);
        scaled = plain;
        begin(&plain, dev, &opt);
        begin(&scaled, dev, &opt);
        for (int64_t step = 1; step <= 4; step++) {
            float factor = step % 2 ? 8 : 0.25f;
            for (int64_t k = 0; k < plain.n; k++) {
                plain.grad[k] = target(k + step * MOST);
                scaled.grad[k] = plain.grad[k] * factor;
            }
            rein_optim_step(plain.optim, plain.w, plain.grad, (rein_optim_step_args){step, 0.01, 1});
            rein_optim_step(scaled.optim, scaled.w, scaled.grad, (rein_optim_step_args){step, 0.01, 1 / factor});
        }
        assert_memory_equal(plain.w, scaled.w, sizeof plain.w);
        rein_optim_destroy(plain.optim);
        rein_optim_destroy(scaled.optim);
    }
    rein_device_close(dev);
}

/* ---- rounding ---- */

static void codes_stand_for_themselves(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 256; code++)
        for (uint32_t random = 0; random < 1u << 20; random += 65535) {
            if (code != 128) /* the other zero */
                assert_int_equal(rein_state8_signed(rein_state8_of_signed((uint8_t)code), random), code);
            assert_int_equal(rein_state8_positive(rein_state8_of_positive((uint8_t)code), random), code);
        }
    assert_true(rein_state8_of_signed(127) == 1.875f && rein_state8_of_signed(255) == -1.875f);
    assert_true(rein_state8_of_positive(255) == 1.875f && rein_state8_of_positive(1) == 1.125f * 0x1p-31f);
    assert_true(rein_state8_signed(1.9f, 0xfffff) == 127 && rein_state8_positive(1.9f, 0xfffff) == 255);
    assert_true(rein_state8_positive(1e-30f, 0) == 1 && rein_state8_positive(0, 0xfffff) == 0);
}

/* Over evenly spread random numbers the mean is the number itself. */
static void rounding_keeps_the_mean(void **state) {
    (void)state;
    enum { DRAWS = 1 << 12 };
    static const float number[] = {1.3f, 0.77f, 0.031f, 4e-4f, 3.2e-5f, 1e-5f, 1.874f, 1.0f};
    for (size_t i = 0; i < REIN_COUNT(number); i++) {
        double m = 0, v = 0, b = 0, x = (double)number[i];
        for (uint32_t k = 0; k < DRAWS; k++) {
            m -= (double)rein_state8_of_signed(rein_state8_signed(-number[i], k << 8 | 128));
            v += (double)rein_state8_of_positive(rein_state8_positive(number[i], k << 8 | 128));
            b += (double)rein_bf16_of(number[i], k << 4 | 8);
        }
        golden_near(m / DRAWS / x, 1, 1e-3, "signed", "mean");
        golden_near(v / DRAWS / x, 1, 1e-3, "positive", "mean");
        golden_near(b / DRAWS / x, 1, 1e-5, "bf16", "mean");
    }
}

/* With 8 bits the second moment decays as it should, though a step changes it by less than a code. */
static void small_changes_are_not_lost(void **state) {
    (void)state;
    static net m;
    rein_device *dev;
    rein_optim_options opt = usual;
    opt.optim = REIN_OPTIM_ADAMW_8BIT;
    opt.adam_beta2 = 0.999;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    memset(&m, 0, sizeof m);
    add(&m, "hidden.weight", REIN_PARAM_MATRIX, 4, 512);
    begin(&m, dev, &opt);
    for (int64_t k = 0; k < m.n; k++) m.grad[k] = 1;
    for (int64_t step = 1; step <= 1000; step++)
        rein_optim_step(m.optim, m.w, m.grad, (rein_optim_step_args){step, 0, 1});
    for (int64_t k = 0; k < m.n; k++) m.grad[k] = k % 256 == 0 ? 1 : 0.1f; /* the largest of each block stays */
    for (int64_t step = 1001; step <= 2000; step++)
        rein_optim_step(m.optim, m.w, m.grad, (rein_optim_step_args){step, 0, 1});
    rein_optim_step(m.optim, m.w, m.grad,
                    (rein_optim_step_args){2001, 1, 1}); /* -m / sqrt(v), all but the corrections */
    double v1 = 1 - pow(0.999, 1000), v = v1 * pow(0.999, 1000) + 0.01 * (1 - pow(0.999, 1000)), mean = 0;
    for (int64_t k = 0; k < m.n; k++) mean += k % 256 == 0 ? 0 : -(double)m.w[k] / (double)(m.n - m.n / 256);
    golden_near(mean, 0.1 / sqrt(v / (1 - pow(0.999, 2001))), 0.03, "step", "mean");
    rein_optim_destroy(m.optim);
    rein_device_close(dev);
}

static void bf16_weights_move_by_the_mean(void **state) {
    (void)state;
    static net m;
    rein_device *dev;
    rein_optim_options opt = usual;
    opt.bf16_stochastic_round = true;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    memset(&m, 0, sizeof m);
    add(&m, "hidden.weight", REIN_PARAM_MATRIX, 4, 512);
    begin(&m, dev, &opt);
    for (int64_t k = 0; k < m.n; k++) m.grad[k] = -1, m.w[k] = 1;
    for (int64_t step = 1; step <= 100; step++)
        rein_optim_step(m.optim, m.w, m.grad, (rein_optim_step_args){step, 5e-5, 1});
    double mean = 0;
    for (int64_t k = 0; k < m.n; k++) {
        assert_int_equal(rein_bits_of(m.w[k]) & 0xffff, 0);
        mean += (double)m.w[k] / (double)m.n;
    }
    golden_near(mean, 1.005, 2e-4, "weight", "mean"); /* a bf16 step at 1 is 0.0078, an update 5e-5 */
    rein_optim_destroy(m.optim);
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torch_says_so),
        cmocka_unit_test(each_minimises_a_quadratic),
        cmocka_unit_test(every_device_has_the_same_bits),
        cmocka_unit_test(a_restart_changes_no_bit),
        cmocka_unit_test(state_is_what_a_rule_needs),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(decay_is_on_matrices_only),
        cmocka_unit_test(the_clip_coefficient_scales_the_gradient),
        cmocka_unit_test(codes_stand_for_themselves),
        cmocka_unit_test(rounding_keeps_the_mean),
        cmocka_unit_test(small_changes_are_not_lost),
        cmocka_unit_test(bf16_weights_move_by_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
