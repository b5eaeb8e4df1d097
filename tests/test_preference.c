/*
 * Losses on preferences: TRL's values, gradients by central differences, known values; and runs on them, which keep
 * every promise of a training run, begin with implicit rewards of exactly 0, and learn what is preferred.
 */
#include "base/math64.h"
#include "golden_json.h"
#include "offline_jobs.h"
#include "rl/preference.h"
#include "train/preference.h"

static workshop shop;

static int set_up(void **state) {
    rein_str pairs = {0}, singles = {0};
    (void)state;
    workshop_make(&shop);
    for (int i = 0; i < 8; i++) {
        rein_str_printf(&pairs, "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"abc%d\"}\n", row_prompt[i],
                        row_completion[i], i);
        rein_str_printf(&singles, "{\"prompt\":\"%s\",\"completion\":\"%s\",\"label\":%s}\n", row_prompt[i],
                        i % 3 ? row_completion[i] : "abcd", i % 3 ? "true" : "false");
    }
    rows_file(&shop, "pairs.jsonl", pairs.data);
    rows_file(&shop, "singles.jsonl", singles.data);
    rein_str_deinit(&pairs);
    rein_str_deinit(&singles);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

/* ---- rows ---- */

static rein_status load(rein_dataset *d, const char *text, rein_dataset_format format, const rein_chat_template *chat) {
    char path[JOB_PATH];
    rein_tokenizer *tok = workshop_tokenizer();
    rein_dataset_options o = {.format = format, .max_length = 200, .completion_only = true, .chat = chat};
    rows_file(&shop, "load.jsonl", text);
    snprintf(path, sizeof path, "%s/load.jsonl", shop.dir);
    rein_status status = rein_dataset_load(d, path, tok, &o);
    rein_tokenizer_destroy(tok);
    return status;
}

static void answers_share_their_prompt(void **state) {
    static const char form[] =
        "{% for m in messages %}{% if m.role == 'user' %}say {% else %}now: {% endif %}{{ m.content }}"
        "<|endoftext|>{% endfor %}{% if add_generation_prompt %}now: {% endif %}";
    static const char rows[] =
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"say "
        "5\"}],\"chosen\":[{\"role\":\"assistant\",\"content\":\"5\"}],"
        "\"rejected\":[{\"role\":\"assistant\",\"content\":\"0.1,-0.2\"}]}\n"
        "{\"prompt\":\"say 5 now: \",\"chosen\":\"5\",\"rejected\":\"0.1,-0.2\",\"margin\":0.5}\n";
    rein_chat_template *chat;
    rein_dataset d;
    (void)state;
    OK(rein_chat_template_create(&chat, "t", form, sizeof form - 1, NULL, 0));
    OK(load(&d, rows, REIN_DATASET_PREFERENCE, chat));
    assert_true(d.n_row == 2 && d.n_seq == 4 && d.width == 2);
    for (int64_t s = 0; s < 4; s += 2) {
        const int32_t *a = d.ids + d.first[s], *b = d.ids + d.first[s + 1];
        int64_t p = d.prompt[s], at = d.first[s];
        assert_true(p > 2 && p == d.prompt[s + 1] && d.first[s + 1] - at > p);
        assert_memory_equal(a, b, (size_t)p * sizeof *a);
        assert_true(d.loss[at + p - 1] == 0 && d.loss[at + p] == 1 &&
                    d.ids[d.first[s + 1] - 1] == 0); /* the end token */
    }
    assert_true(d.margin[0] == 0 && d.margin[2] == 0.5 && d.margin[3] == 0.5);
    rein_dataset_deinit(&d);
    rein_chat_template_destroy(chat);
}

static void bad_rows_are_named(void **state) {
    static const struct {
        const char *row, *text;
        rein_dataset_format format;
    } cases[] = {
        {"{\"prompt\":\"a\",\"completion\":\"b\"}", "no columns chosen and rejected", REIN_DATASET_PREFERENCE},
        {"{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":[]}", "no columns chosen and rejected",
         REIN_DATASET_PREFERENCE},
        {"{\"chosen\":\"ab\",\"rejected\":\"ba\"}", "no column prompt", REIN_DATASET_PREFERENCE},
        {"{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\",\"margin\":\"x\"}", "'margin' is no number",
         REIN_DATASET_RANKED},
        {"{\"prompt\":\"a\",\"completion\":\"b\",\"label\":1}", "'label' is not true or false", REIN_DATASET_LABELLED},
        {"{\"prompt\":\"a\",\"label\":true}", "no columns prompt and completion", REIN_DATASET_LABELLED},
        {"{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"chosen\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"rejected\":[]}",
         "column 'chosen' begins with the role 'user'", REIN_DATASET_PREFERENCE},
        {"{\"chosen\":\"ab\",\"rejected\":\"ba\"}", "one text a row", REIN_DATASET_TEXT}};
    rein_dataset d;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        FAILS_WITH(REIN_ERR_FORMAT, load(&d, cases[i].row, cases[i].format, NULL));
        if (!strstr(rein_error_message(), cases[i].text)) fail_msg("'%s' in: %s", cases[i].text, rein_error_message());
    }
}

/* ---- losses ---- */

static rein_preference_type type_of(const char *name) {
    int len;
    const char *choice;
    for (int i = 0; (choice = rein_choice_name(REIN_PREFERENCE_CHOICES, i, &len)); i++)
        if (strlen(name) == (size_t)len && memcmp(name, choice, (size_t)len) == 0) return (rein_preference_type)i;
    fail_msg("no loss_type %s", name);
    return 0;
}

static double sum_of(struct json_object *list) {
    double sum = 0;
    for (int64_t i = 0; i < golden_length(list); i++) sum += golden_number(golden_at(list, i));
    return sum;
}

static rein_scored_answer scored(struct json_object *logp, struct json_object *ref) {
    return (rein_scored_answer){sum_of(logp), sum_of(ref), golden_length(logp)};
}

static void pairs_are_as_in_trl(void **state) {
    (void)state;
    struct json_object *doc = golden_load("golden/preference/losses.json"), *pairs = golden_get(doc, "pairs");
    assert_int_equal(golden_length(pairs), 78);
    for (int64_t i = 0; i < golden_length(pairs); i++) {
        struct json_object *c = golden_at(pairs, i);
        const char *name = golden_text(c, "loss_type");
        rein_preference_options o = {.loss_type = type_of(name),
                                     .beta = golden_double(c, "beta"),
                                     .label_smoothing = golden_double(c, "label_smoothing"),
                                     .simpo_gamma = golden_double(c, "simpo_gamma")};
        rein_scored_answer chosen = scored(golden_get(c, "chosen"), golden_get(c, "ref_chosen"));
        rein_scored_answer rejected = scored(golden_get(c, "rejected"), golden_get(c, "ref_rejected"));
        rein_preference_loss l;
        double tolerance = o.loss_type == REIN_PREFERENCE_EXO_PAIR ? 1e-7 : 1e-12; /* TRL has its e in float32 */
        OK(rein_preference_check(&o));
        rein_preference_pair(&l, &chosen, &rejected, &o);
        golden_near(l.loss, golden_double(c, "loss"), tolerance, "loss", name);
        golden_near(l.d_chosen, golden_double(c, "d_chosen"), tolerance, "d_chosen", name);
        golden_near(l.d_rejected, golden_double(c, "d_rejected"), tolerance, "d_rejected", name);
        golden_near(l.reward_chosen, golden_double(c, "reward_chosen"), 1e-12, "reward_chosen", name);
        golden_near(l.reward_rejected, golden_double(c, "reward_rejected"), 1e-12, "reward_rejected", name);
    }
    json_object_put(doc);
}

static void single_answers_are_as_in_trl(void **state) {
    (void)state;
    struct json_object *doc = golden_load("golden/preference/losses.json"), *all = golden_get(doc, "singles");
    assert_int_equal(golden_length(all), 8);
    for (int64_t i = 0; i < golden_length(all); i++) {
        struct json_object *c = golden_at(all, i), *logp = golden_get(c, "logp");
        rein_preference_options o = {.loss_type = REIN_PREFERENCE_KTO,
                                     .beta = golden_double(c, "beta"),
                                     .desirable_weight = golden_double(c, "desirable_weight"),
                                     .undesirable_weight = golden_double(c, "undesirable_weight")};
        int64_t n = golden_length(logp);
        double z = 0, loss = 0;
        for (int64_t k = 0; k < n; k++)
            z += (sum_of(golden_at(golden_get(c, "kl_logp"), k)) - sum_of(golden_at(golden_get(c, "kl_ref_logp"), k))) /
                 (double)n;
        if (z < 0) z = 0;
        golden_near(z, golden_double(c, "kl"), 1e-12, "kl", "kto");
        for (int64_t k = 0; k < n; k++) {
            rein_scored_answer a = scored(golden_at(logp, k), golden_at(golden_get(c, "ref_logp"), k));
            rein_preference_loss l;
            rein_preference_single(&l, &a, json_object_get_boolean(golden_at(golden_get(c, "label"), k)), z, &o);
            loss += l.loss / (double)n;
            golden_near(l.d_chosen / (double)n, golden_number(golden_at(golden_get(c, "d"), k)), 1e-12, "d", "kto");
        }
        golden_near(loss, golden_double(c, "loss"), 1e-12, "loss", "kto");
    }
    json_object_put(doc);
}

static double draw(uint32_t a, uint32_t b, double low, double high) {
    return low + (high - low) * rein_random_uniform(11, REIN_STREAM_DATA, a, b, 0, 0);
}

static void near(double a, double b, double tolerance, rein_preference_type type) {
    if (!(fabs(a - b) <= tolerance * (1 + fabs(a) + fabs(b))))
        fail_msg("loss_type %d: %.12g and %.12g", (int)type, a, b);
}

/* Of 3000 random pairs and answers a type. */
static void slopes_are_central_differences(void **state) {
    const double h = 1e-6;
    (void)state;
    for (uint32_t i = 0; i < 3000 * (REIN_PREFERENCE_KTO + 1); i++) {
        rein_preference_type type = (rein_preference_type)(i % (REIN_PREFERENCE_KTO + 1));
        rein_preference_options o = {.loss_type = type,
                                     .beta = draw(i, 0, 0.05, 2),
                                     .simpo_gamma = draw(i, 1, 0, 2),
                                     .desirable_weight = draw(i, 2, 0.5, 2),
                                     .undesirable_weight = draw(i, 3, 0.5, 2),
                                     .label_smoothing = draw(i, 4, 0.01, 0.45)};
        int64_t n = 1 + (int64_t)(draw(i, 5, 0, 9)), m = 1 + (int64_t)(draw(i, 6, 0, 9));
        rein_scored_answer c = {draw(i, 7, -20, -0.5), draw(i, 8, -20, -0.5), n},
                           r = {draw(i, 9, -20, -0.5), draw(i, 10, -20, -0.5), m};
        rein_scored_answer up[2] = {c, r}, down[2] = {c, r};
        rein_preference_loss at, above, below;
        for (int k = 0; k < 2; k++) {
            up[k].logp += h;
            down[k].logp -= h;
        }
        if (type == REIN_PREFERENCE_KTO) {
            rein_preference_single(&at, &c, i & 32, 0.7, &o);
            rein_preference_single(&above, &up[0], i & 32, 0.7, &o);
            rein_preference_single(&below, &down[0], i & 32, 0.7, &o);
            near(at.d_chosen, (above.loss - below.loss) / (2 * h), 1e-6, type);
            continue;
        }
        rein_preference_pair(&at, &c, &r, &o);
        rein_preference_pair(&above, &up[0], &r, &o);
        rein_preference_pair(&below, &down[0], &r, &o);
        double kink = fabs(1 - o.beta * ((c.logp - c.ref_logp) - (r.logp - r.ref_logp)));
        if (type == REIN_PREFERENCE_HINGE && kink < 1e-4) continue;
        near(at.d_chosen, (above.loss - below.loss) / (2 * h), 1e-6, type);
        rein_preference_pair(&above, &c, &up[1], &o);
        rein_preference_pair(&below, &c, &down[1], &o);
        near(at.d_rejected, (above.loss - below.loss) / (2 * h), 1e-6, type);
    }
}

/* No difference to the reference: log 2 and the like; and large margins stay finite. */
static void known_values(void **state) {
    const double two = rein_log64(2);
    const struct {
        rein_preference_type type;
        double loss;
    } at_reference[] = {
        {REIN_PREFERENCE_SIGMOID, two},  {REIN_PREFERENCE_HINGE, 1},          {REIN_PREFERENCE_IPO, 25},
        {REIN_PREFERENCE_ROBUST, two},   {REIN_PREFERENCE_BCO_PAIR, 2 * two}, {REIN_PREFERENCE_NCA_PAIR, 2 * two},
        {REIN_PREFERENCE_SPPO_HARD, 50}, {REIN_PREFERENCE_APO_ZERO, 1},       {REIN_PREFERENCE_APO_DOWN, 1}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(at_reference); i++) {
        rein_preference_options o = {.loss_type = at_reference[i].type, .beta = 0.1};
        rein_scored_answer c = {-3, -3, 4}, r = {-9, -9, 2};
        rein_preference_loss l;
        rein_preference_pair(&l, &c, &r, &o);
        near(l.loss, at_reference[i].loss, 1e-13, o.loss_type);
        assert_true(l.reward_chosen == 0 && l.reward_rejected == 0);
        c.logp = -1e5;
        rein_preference_pair(&l, &c, &r, &o);
        assert_true(isfinite(l.loss) && isfinite(l.d_chosen) && isfinite(l.d_rejected));
    }
    near(rein_logistic_loss(800), 0, 1e-300, 0);
    near(rein_logistic_loss(-800), 800, 1e-15, 0);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    const struct {
        rein_preference_options o;
        const char *text;
    } cases[] = {{{.loss_type = REIN_PREFERENCE_SIGMOID}, "beta 0"},
                 {{.loss_type = REIN_PREFERENCE_SIGMOID, .beta = 1, .label_smoothing = 0.5}, "label_smoothing 0.5"},
                 {{.loss_type = REIN_PREFERENCE_IPO, .beta = 1, .label_smoothing = 0.1}, "only sigmoid"},
                 {{.loss_type = REIN_PREFERENCE_EXO_PAIR, .beta = 1}, "exo_pair needs"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) REFUSED(rein_preference_check(&cases[i].o), cases[i].text);
}

/* ---- whole models ---- */

static void gradients_are_finite_differences(void **state) {
    static const char *const types[] = {"loss_type=sigmoid", "loss_type=ipo", "loss_type=nca_pair", "loss_type=simpo",
                                        "loss_type=orpo"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(types); i++) {
        rows_job r = {.job = {.shop = &shop, .name = types[i], .extra = {types[i], "beta=0.7", "microbatch_tokens=30"}},
                      .kind = "dpo",
                      .data = "pairs.jsonl"};
        assert_true(rows_check_gradient(&r, &rein_pairs_class) > 10);
    }
}

/* ---- runs ---- */

static void runs_keep_the_promises(void **state) {
    (void)state;
    rows_promises((rows_job){.job = {.shop = &shop, .name = "dpo"}, .kind = "dpo", .data = "pairs.jsonl"});
    rows_promises((rows_job){
        .job = {.shop = &shop, .name = "kto", .extra = {"loss_type=kto"}}, .kind = "dpo", .data = "singles.jsonl"});
}

/* The reference is the start: the first rewards are exactly 0, and the loss is exactly that of no difference. */
static void the_first_rewards_are_zero(void **state) {
    (void)state;
    job j = {.shop = &shop, .name = "dpo"};
    assert_true(metric(&j, "rewards/chosen", 1) == 0 && metric(&j, "rewards/rejected", 1) == 0);
    near(metric(&j, "loss", 1), rein_log64(2), 1e-15, 0);
    assert_true(metric(&j, "rewards/chosen", 6) != 0);
    j.name = "kto";
    assert_true(metric(&j, "kl", 1) == 0);
    near(metric(&j, "loss", 1), 0.5, 1e-15, 0);
}

static void every_loss_learns_what_is_preferred(void **state) {
    static const char *const types[] = {"sigmoid",  "sigmoid_norm", "hinge",    "ipo",       "robust",
                                        "exo_pair", "bco_pair",     "nca_pair", "sppo_hard", "apo_zero",
                                        "apo_down", "simpo",        "orpo"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(types); i++) {
        char type[40];
        snprintf(type, sizeof type, "loss_type=%s", types[i]);
        const char *smooth = strcmp(types[i], "exo_pair") == 0 ? "label_smoothing=0.05" : "label_smoothing=0";
        rows_job r = {.job = {.shop = &shop,
                              .name = types[i],
                              .extra = {type, smooth, "max_steps=25", "beta=0.5", "save_steps=0",
                                        "lr_scheduler_type=constant", "learning_rate=0.003"}},
                      .kind = "dpo",
                      .data = "pairs.jsonl"};
        OK(rows_run(&r));
        double margin = metric(&r.job, "rewards/margins", 25), first = metric(&r.job, "rewards/margins", 1);
        if (!(margin > first + 0.2 && metric(&r.job, "rewards/accuracies", 25) == 1))
            fail_msg("%s: margin %g after %g", types[i], margin, first);
    }
}

static void kto_learns_what_is_desirable(void **state) {
    (void)state;
    rows_job r = {.job = {.shop = &shop,
                          .name = "desirable",
                          .extra = {"loss_type=kto", "max_steps=40", "beta=0.5", "gradient_accumulation_steps=1", "per_device_train_batch_size=8",
                                    "lr_scheduler_type=constant", "learning_rate=0.003"}},
                  .kind = "dpo",
                  .data = "singles.jsonl"};
    OK(rows_run(&r));
    double good = metric(&r.job, "rewards/chosen", 40), bad = metric(&r.job, "rewards/rejected", 40);
    if (!(good > bad + 0.5)) fail_msg("desirable %g, undesirable %g", good, bad);
    assert_true(metric(&r.job, "kl", 40) >= 0);
}

/* An adapter begins as nothing, so its base is a reference with rewards of exactly 0; then it moves, the base does not. */
static void an_adapter_is_held_to_its_base(void **state) {
    (void)state;
    rows_job r = {.job = {.shop = &shop, .name = "adapter", .extra = {"use_peft=true", "ref_model=base", "save_steps=1"}},
                  .kind = "dpo",
                  .data = "pairs.jsonl"};
    OK(rows_run(&r));
    assert_true(metric(&r.job, "rewards/margins", 1) == 0 && metric(&r.job, "rewards/margins", 6) != 0);
    rows_verify(&r, 5);
}

static void contradictions_are_refused(void **state) {
    (void)state;
    const struct {
        const char *extra[3], *data, *text;
    } cases[] = {{{"loss_type=simpo", "ref_model=init"}, "pairs.jsonl", "nothing would read it"},
                 {{"reference_free=true", "ref_model=init"}, "pairs.jsonl", "nothing would read it"},
                 {{"loss_type=orpo", "reference_free=true"}, "pairs.jsonl", "has no reference"},
                 {{"loss_type=kto", "per_device_train_batch_size=1"}, "singles.jsonl", "2 or more"},
                 {{"desirable_weight=2"}, "pairs.jsonl", "belong to loss_type kto"},
                 {{"truncation_mode=keep_end"}, "pairs.jsonl", "share"},
                 {{"loss_type=hinge", "label_smoothing=0.1"}, "pairs.jsonl", "only sigmoid"},
                 {{"eval_steps=2"}, "pairs.jsonl", "eval_dataset_name"},
                 {{"ref_model=base"}, "pairs.jsonl", "say init"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rows_job r = {.job = {.shop = &shop, .name = "refused"}, .kind = "dpo", .data = cases[i].data};
        for (int k = 0; k < 3; k++) r.job.extra[k] = cases[i].extra[k];
        REFUSED(rows_run(&r), cases[i].text);
    }
    rows_job r = {.job = {.shop = &shop, .name = "refused"}, .kind = "dpo", .data = "singles.jsonl"};
    FAILS_WITH(REIN_ERR_FORMAT, rows_run(&r));
    assert_non_null(strstr(rein_error_message(), "chosen and rejected"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_share_their_prompt),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(pairs_are_as_in_trl),
        cmocka_unit_test(single_answers_are_as_in_trl),
        cmocka_unit_test(slopes_are_central_differences),
        cmocka_unit_test(known_values),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(runs_keep_the_promises),
        cmocka_unit_test(the_first_rewards_are_zero),
        cmocka_unit_test(every_loss_learns_what_is_preferred),
        cmocka_unit_test(kto_learns_what_is_desirable),
        cmocka_unit_test(an_adapter_is_held_to_its_base),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
