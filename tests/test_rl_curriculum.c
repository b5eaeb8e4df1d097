/* Curricula: tables worked by hand, shares, distributions, exploration, resumption, refusals. */
#include "golden_json.h"

#include "base/math64.h"
#include "base/random.h"
#include "rl/curriculum.h"

static void start(rein_curriculum *c, int64_t n, const uint8_t *level, const rein_curriculum_options *o) {
    assert_int_equal(rein_curriculum_options_check(o), REIN_OK);
    if (rein_curriculum_init(c, n, level, o) != REIN_OK) fail_msg("%s", rein_error_message());
}

static rein_curriculum_options of_kind(rein_curriculum_kind kind) {
    rein_curriculum_options o = rein_curriculum_options_default();
    o.kind = kind;
    return o;
}

/* One task a step. */
static int64_t choose(rein_curriculum *c, const rein_curriculum_options *o, uint64_t seed, int64_t step) {
    int64_t task;
    rein_curriculum_choose(&task, 1, c, o, seed, step);
    return task;
}

static void add(rein_curriculum *c, int64_t task, double success) {
    assert_int_equal(rein_curriculum_add(c, &task, &success, 1), REIN_OK);
}

static double metric(const rein_curriculum *c, const rein_curriculum_options *o, const char *name, int64_t step) {
    rein_curriculum_metric m[REIN_CURRICULUM_METRICS_MAX];
    int n = rein_curriculum_metrics(m, c, o, 1, step);
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return m[i].value;
    fail_msg("no metric %s", name);
    return 0;
}

static void test_epochs(void **state) {
    (void)state;
    rein_curriculum_options in_order = of_kind(REIN_CURRICULUM_NONE), shuffled = of_kind(REIN_CURRICULUM_SHUFFLED);
    rein_curriculum c;
    int64_t task[4], moved = 0;
    start(&c, 10, NULL, &shuffled);
    bool seen[3][10] = {{false}};
    for (int64_t step = 0; step < 7; step++) { /* 28 slots: 2.8 epochs */
        rein_curriculum_choose(task, 4, &c, &shuffled, 5, step);
        for (int64_t i = 0; i < 4; i++) {
            assert_false(seen[(4 * step + i) / 10][task[i]]);
            seen[(4 * step + i) / 10][task[i]] = true;
            moved += task[i] != (4 * step + i) % 10;
        }
        rein_curriculum_choose(task, 4, &c, &in_order, 5, step);
        for (int64_t i = 0; i < 4; i++) assert_int_equal(task[i], (4 * step + i) % 10);
    }
    assert_true(moved > 14);
    rein_curriculum_deinit(&c);
}

/* Shares at epoch 0, 5, 10 and behind, and what is drawn with them: 40 000 draws, four standard errors. */
static void test_mix(void **state) {
    (void)state;
    static const double want[][3] = {{0.3, 0.5, 0.2}, {0.2, 0.45, 0.35}, {0.1, 0.4, 0.5}, {0.1, 0.4, 0.5}};
    static const uint8_t level[] = {2, 0, 1, 1, 0, 2, 2, 0};
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_MIX);
    rein_curriculum c;
    start(&c, 8, level, &o);
    for (int e = 0; e < 4; e++) {
        const int64_t step = 8 * 5 * e; /* one slot a step: eight steps an epoch */
        golden_near(metric(&c, &o, "curriculum/easy", step), want[e][0], 1e-15, "easy", "mix");
        golden_near(metric(&c, &o, "curriculum/medium", step), want[e][1], 1e-15, "medium", "mix");
        golden_near(metric(&c, &o, "curriculum/hard", step), want[e][2], 1e-15, "hard", "mix");
        int64_t drawn[3] = {0}, of_task[8] = {0};
        for (uint64_t seed = 0; seed < 40000; seed++) {
            int64_t task = choose(&c, &o, seed, step);
            drawn[level[task]]++;
            of_task[task]++;
        }
        for (int l = 0; l < 3; l++) {
            double p = want[e][l];
            assert_true(fabs((double)drawn[l] - 40000 * p) < 4 * sqrt(40000 * p * (1 - p)));
        }
        assert_true(fabs((double)of_task[2] / (double)drawn[1] - 0.5) < 0.02); /* two medium ones */
    }
    rein_curriculum_deinit(&c);
}

static void test_radius(void **state) {
    (void)state;
    static const double want[] = {0.2, 0.4, 0.6, 0.8, 1, 1, 1};
    for (int64_t step = 0; step < 7; step++)
        golden_near(rein_curriculum_radius(0.2, 4, step), want[step], 1e-15, "fraction", "radius");
    assert_true(rein_curriculum_radius(0.2, 0, 0) == 1);
}

/* Default difficulty .5, 1 - mean(last 10) then, target min(1, p + .1), nearest one, the first of equals. */
static void test_ued(void **state) {
    (void)state;
    static const struct {
        double target;
        int64_t task;
        double success;
    } table[] = {
        {0.6, 0, 0.3},   /* all .5: the first. Then difficulty of 0: .7, p = .3 */
        {0.4, 1, 0.9},   /* .7 .5 .5: task 1. Then difficulty of 1: .1, p = .6 */
        {0.7, 0, 1.0},   /* .7 .1 .5: task 0. Then difficulty of 0: 1 - .65, p = 2.2 / 3 */
        {2.5 / 3, 2, 0}, /* .35 .1 .5: task 2. Then difficulty of 2: 1, p = .55 */
        {0.65, 0, 0.2},  /* .35 .1 1: .3 to task 0, .35 to task 2; then difficulty of 0: .5 */
    };
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_UED);
    rein_curriculum c;
    o.epsilon = o.temperature = 0;
    start(&c, 3, NULL, &o);
    for (int64_t step = 0; step < 5; step++) {
        golden_near(metric(&c, &o, "curriculum/target", step), table[step].target, 1e-15, "target", "ued");
        assert_int_equal(choose(&c, &o, 9, step), table[step].task);
        add(&c, table[step].task, table[step].success);
    }
    for (int i = 0; i < 12; i++) add(&c, 1, i < 2 ? 0 : 1); /* only the last ten count */
    assert_true(metric(&c, &o, "curriculum/success", 5) == 1 && metric(&c, &o, "curriculum/target", 5) == 1);
    assert_int_equal(choose(&c, &o, 9, 5), 2); /* .5 0 1: the hardest */
    rein_curriculum_deinit(&c);
}

/* Different tasks among 40 in 20 steps, with rewards near 0.44 as in the runs where the choice got stuck. */
static int64_t visited(const rein_curriculum_options *o, uint64_t seed) {
    rein_curriculum c;
    int64_t n = 0;
    start(&c, 40, NULL, o);
    for (int64_t step = 0; step < 20; step++)
        add(&c, choose(&c, o, seed, step),
            0.44 + 0.03 * rein_random_normal(seed, REIN_STREAM_DATA, (uint32_t)step, 0, 0, 0));
    for (int64_t i = 0; i < 40; i++) n += c.task[i].count > 0;
    rein_curriculum_deinit(&c);
    return n;
}

static void test_exploration(void **state) {
    (void)state;
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_UED), greedy = o;
    greedy.epsilon = greedy.temperature = 0;
    int64_t stuck = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        assert_true(visited(&o, seed) >= 10);
        stuck += visited(&greedy, seed) < 10;
    }
    assert_true(stuck > 50);
}

static void test_progress(void **state) {
    (void)state;
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_PROGRESS);
    rein_curriculum c;
    o.epsilon = o.temperature = 0;
    start(&c, 4, NULL, &o);
    static const double success[4][4] = {{0, 0, 0, 0}, {0.2, 0.3, 0.4, 0.5}, {0.9, 0.7, 0.4, 0.4}, {1, 1, 1, 1}};
    for (int64_t step = 0; step < 8; step++) { /* untried ones first, twice each */
        assert_int_equal(choose(&c, &o, 1, step), step / 2);
        add(&c, step / 2, success[step / 2][step % 2]);
    }
    assert_int_equal(choose(&c, &o, 1, 8), 2); /* 0, .1, .2, 0 */
    for (int64_t t = 0; t < 4; t++)
        for (int i = 2; i < 4; i++) add(&c, t, success[t][i]);
    golden_near(metric(&c, &o, "curriculum/progress", 16), (0.2 + 0.4) / 4, 1e-15, "progress", "mean");
    assert_int_equal(choose(&c, &o, 1, 16), 2); /* forgetting counts as much as learning */
    for (int i = 0; i < 10; i++) add(&c, 2, 0.4);
    assert_int_equal(choose(&c, &o, 1, 17), 1);
    rein_curriculum_deinit(&c);
}

/* The choice with a temperature is a draw from softmax(score / temperature). */
static void test_softmax(void **state) {
    (void)state;
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_UED);
    rein_curriculum c;
    o.epsilon = 0;
    o.temperature = 0.2;
    start(&c, 3, NULL, &o);
    add(&c, 0, 0.9);
    add(&c, 1, 0.1);
    static const double difficulty[] = {0.1, 0.9, 0.5};
    double p[3], sum = 0, n[3] = {0};
    for (int i = 0; i < 3; i++) sum += p[i] = rein_exp64(-fabs(difficulty[i] - 0.6) / 0.2);
    for (uint64_t seed = 0; seed < 40000; seed++) n[choose(&c, &o, seed, 3)]++;
    for (int i = 0; i < 3; i++) {
        p[i] /= sum;
        assert_true(fabs(n[i] - 40000 * p[i]) < 4 * sqrt(40000 * p[i] * (1 - p[i])));
    }
    rein_curriculum_deinit(&c);
}

/* Tasks that are always or never solved leave, after their three tries; epsilon brings them back. */
static void test_band(void **state) {
    (void)state;
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_RANDOM);
    rein_curriculum c;
    o.band_visits = 3;
    o.epsilon = 0;
    start(&c, 5, NULL, &o);
    for (int i = 0; i < 3; i++) {
        if (i < 2) add(&c, 0, 1);
        add(&c, 1, 1);
        add(&c, 2, 0);
        add(&c, 3, 0.5);
    }
    golden_near(metric(&c, &o, "curriculum/eligible", 9), 0.6, 1e-15, "eligible", "band");
    int64_t n[5] = {0};
    for (int64_t step = 0; step < 3000; step++) n[choose(&c, &o, 4, step)]++;
    assert_true(n[1] == 0 && n[2] == 0);
    for (int i = 0; i < 5; i += i ? 1 : 3) assert_true(n[i] > 900 && n[i] < 1100);
    o.epsilon = 0.5;
    for (int64_t step = 0; step < 3000; step++) n[choose(&c, &o, 4, step)]++;
    assert_true(n[1] > 200 && n[2] > 200);
    for (int i = 0; i < 3; i++) add(&c, 0, 1), add(&c, 4, 0);
    o.epsilon = 0; /* nothing is left inside but task 3 */
    int64_t task[7];
    rein_curriculum_choose(task, 7, &c, &o, 4, 1);
    assert_int_equal(task[0], 3);
    rein_curriculum_deinit(&c);
}

/* Within a step every task comes once before one comes twice, and none is out of range. */
static void test_slots(void **state) {
    (void)state;
    static const uint8_t level[] = {0, 1, 2, 0, 1, 2, 0};
    static const rein_curriculum_kind kinds[] = {REIN_CURRICULUM_RANDOM, REIN_CURRICULUM_MIX, REIN_CURRICULUM_PROGRESS,
                                                 REIN_CURRICULUM_UED};
    for (uint32_t trial = 0; trial < 10000; trial++) {
        rein_curriculum_options o = of_kind(kinds[trial % 4]);
        rein_curriculum c;
        int64_t task[14], slots = 1 + trial / 4 % 14, count[7] = {0}, most = 0;
        start(&c, 7, level, &o);
        for (uint32_t i = 0; i < trial % 9; i++)
            add(&c, i % 7, rein_random_uniform(trial, REIN_STREAM_DATA, i, 0, 0, 0));
        rein_curriculum_choose(task, slots, &c, &o, trial, 3);
        for (int64_t i = 0; i < slots; i++) {
            assert_true(task[i] >= 0 && task[i] < 7);
            if (++count[task[i]] > most) most = count[task[i]];
        }
        assert_int_equal(most, (slots + 6) / 7);
        rein_curriculum_deinit(&c);
    }
}

static void save_and_load(rein_curriculum *to, const rein_curriculum *from) {
    rein_str text = {0}, again = {0};
    struct json_object *obj;
    rein_curriculum_write(from, &text);
    assert_int_equal(rein_json_parse(&obj, "record", text.data, text.len), REIN_OK);
    if (rein_curriculum_read(to, obj) != REIN_OK) fail_msg("%s", rein_error_message());
    rein_curriculum_write(to, &again);
    assert_string_equal(text.data, again.data);
    json_object_put(obj);
    rein_str_deinit(&text);
    rein_str_deinit(&again);
}

/* Steps 0 to 29 in one go, and with the record written and read back in between. */
static void test_resume(void **state) {
    (void)state;
    for (int kind = REIN_CURRICULUM_RANDOM; kind <= REIN_CURRICULUM_UED; kind++) {
        static const uint8_t level[] = {0, 1, 2, 0, 1, 2, 0};
        rein_curriculum_options o = of_kind((rein_curriculum_kind)kind);
        rein_curriculum whole, part[2];
        int64_t a[3], b[3];
        double success[3];
        o.band_visits = kind == REIN_CURRICULUM_MIX ? 0 : 4;
        start(&whole, 7, level, &o);
        start(&part[0], 7, level, &o);
        start(&part[1], 7, level, &o);
        for (int64_t step = 0; step < 30; step++) {
            rein_curriculum *resumed = &part[step >= 17];
            if (step == 17) save_and_load(&part[1], &part[0]);
            rein_curriculum_choose(a, 3, &whole, &o, 11, step);
            rein_curriculum_choose(b, 3, resumed, &o, 11, step);
            assert_memory_equal(a, b, sizeof a);
            for (int i = 0; i < 3; i++)
                success[i] = rein_random_uniform(2, REIN_STREAM_DATA, (uint32_t)step, (uint32_t)i, 0, 0);
            if (step == 5) success[1] = NAN;
            assert_int_equal(rein_curriculum_add(&whole, a, success, 3), REIN_OK);
            assert_int_equal(rein_curriculum_add(resumed, b, success, 3), REIN_OK);
        }
        assert_memory_equal(&whole.recent, &part[1].recent, sizeof whole.recent);
        rein_curriculum_deinit(&whole);
        rein_curriculum_deinit(&part[0]);
        rein_curriculum_deinit(&part[1]);
    }
}

static void test_bad_records(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rein_status status;
    } cases[] = {
        {"{\"n\":3,\"recent\":[0],\"tasks\":[]}", REIN_OK},
        {"{\"n\":3,\"recent\":[1,0.5],\"tasks\":[[2,11,1,1,1,1,1,1,1,1,1,0]]}", REIN_OK},
        {"{\"n\":4,\"recent\":[0],\"tasks\":[]}", REIN_ERR_MISMATCH},
        {"{\"n\":3,\"recent\":[],\"tasks\":[]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[2,0.5],\"tasks\":[]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[-1],\"tasks\":[]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[1,null],\"tasks\":[]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0],\"tasks\":[[3,1,1]]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0],\"tasks\":[[0]]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0],\"tasks\":[7]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0],\"tasks\":[[\"0\",1,1]]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0],\"tasks\":[[0,12,1]]}", REIN_ERR_FORMAT},
        {"{\"n\":3,\"recent\":[0]}", REIN_ERR_FORMAT},
    };
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_UED);
    rein_curriculum c;
    start(&c, 3, NULL, &o);
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        struct json_object *obj;
        assert_int_equal(rein_json_parse(&obj, "record", cases[i].text, strlen(cases[i].text)), REIN_OK);
        assert_int_equal(rein_curriculum_read(&c, obj), cases[i].status);
        json_object_put(obj);
    }
    rein_curriculum_deinit(&c);
}

static void refused(rein_curriculum_options o, const char *message) {
    assert_int_equal(rein_curriculum_options_check(&o), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), message));
}

static void test_refusals(void **state) {
    (void)state;
    rein_curriculum_options o = of_kind(REIN_CURRICULUM_UED), wrong;
    rein_curriculum c;
    wrong = o, wrong.epsilon = 1.1, refused(wrong, "curriculum_epsilon is 1.1");
    wrong = o, wrong.temperature = -1, refused(wrong, "curriculum_temperature is -1");
    wrong = o, wrong.band_low = 0.95, refused(wrong, "from 0.95 to 0.9");
    wrong = o, wrong.mix_last[0] = 0.3, refused(wrong, "curriculum_mix_last is 0.3, 0.4, 0.5");
    wrong = o, wrong.mix_epochs = -1, refused(wrong, "curriculum_mix_epochs is -1");
    wrong = o, wrong.ued_margin = NAN, refused(wrong, "curriculum_ued_margin is nan");
    wrong = o, wrong.kind = REIN_CURRICULUM_MIX, wrong.band_visits = 1, refused(wrong, "curriculum_band_visits is 1");
    o.kind = REIN_CURRICULUM_MIX;
    assert_int_equal(rein_curriculum_init(&c, 2, NULL, &o), REIN_ERR_ARG);
    assert_int_equal(rein_curriculum_init(&c, 2, (const uint8_t[]){1, 3}, &o), REIN_ERR_ARG);
    assert_string_equal(rein_error_message(), "task 1 has the level 3: 0 easy, 1 medium, 2 hard");
    assert_int_equal(rein_curriculum_init(&c, 0, NULL, &o), REIN_ERR_ARG);
    for (int n = 1; n <= 3; n++) {
        rein_alloc_fail_after(n);
        assert_int_equal(rein_curriculum_init(&c, 2, (const uint8_t[]){1, 2}, &o), REIN_ERR_MEMORY);
    }
    rein_alloc_fail_after(0);
    start(&c, 2, (const uint8_t[]){1, 2}, &o);
    assert_int_equal(rein_curriculum_add(&c, (const int64_t[]){0, 1}, (const double[]){1, INFINITY}, 2),
                     REIN_ERR_NUMERIC);
    assert_true(c.task[0].count == 0 && c.recent.count == 0);
    rein_curriculum_deinit(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epochs),  cmocka_unit_test(test_mix),         cmocka_unit_test(test_radius),
        cmocka_unit_test(test_ued),     cmocka_unit_test(test_progress),    cmocka_unit_test(test_exploration),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_band),        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_resume),  cmocka_unit_test(test_bad_records), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
