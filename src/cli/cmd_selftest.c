/*
 * rein selftest: what a user can check on his own machine in a few seconds, without network or files: known answers, every
 * set of kernels against the reference, and the promise that sampler and trainer are one engine.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "cli/commands.h"
#include "env/open.h"
#include "gen/generate.h"
#include "model/leaf.h"

enum { PROMPT = 19, NEW = 12, GROUP = 6 };

static rein_status differ(const char *what) { return rein_fail(REIN_ERR_MISMATCH, "%s", what); }

/* ---- known answers ---- */

static rein_status check_philox(void) {
    static const uint32_t want[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}; /* Random123's first vector */
    uint32_t got[4], zero[4] = {0};
    rein_philox(got, zero, zero);
    return memcmp(got, want, sizeof got) == 0 ? REIN_OK : differ("Philox4x32-10 of zeros is wrong");
}

/* Doing nothing from (0.40, -0.20) is worth 94.45775 under reward v1.3, and the components add up. */
static rein_status check_reward(void) {
    rein_env *env;
    rein_str text = {0};
    rein_score score;
    rein_task task = {.number = {0.4, -0.2}};
    REIN_TRY(rein_env_open(&env, "control:reward=v1.3,answer=plain"));
    rein_str_puts(&text, "<CONTROLS>");
    for (int i = 0; i < 50; i++) rein_str_puts(&text, i ? ",0.000" : "0.000");
    rein_str_puts(&text, "</CONTROLS>");
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = env->cls->score(env, &task, text.data, text.len, &score);
    double format = 0;
    for (int i = 0; status == REIN_OK && i < score.n_component; i++)
        if (strncmp(score.component[i].name, "format", 6) == 0) format += score.component[i].value;
    if (status == REIN_OK && !(fabs(score.total - format - 94.45775) < 1e-4))
        status = rein_fail(REIN_ERR_MISMATCH, "reward v1.3 of zero control is %.9g, expected 94.45775", score.total - format);
    rein_str_deinit(&text);
    rein_env_close(env);
    return status;
}

/* ---- one engine ---- */

typedef struct outcome {
    char gradient[REIN_XXH_HEX], sampled[REIN_XXH_HEX];
} outcome;

static rein_status small_model(rein_model **m, rein_device *dev) {
    rein_model_config cfg = {.family = REIN_FAMILY_QWEN3, .V = 67, .C = 40, .L = 2, .H = 4, .K = 2, .D = 12, .F = 56,
                             .max_position_embeddings = 64, .rms_norm_eps = 1e-5, .rope_theta = 10000,
                             .initializer_range = 0.3, .tie_word_embeddings = true, .qk_norm = true};
    REIN_TRY(rein_model_create(m, &cfg, dev, 0));
    rein_model_init(*m, 1);
    return REIN_OK;
}

static rein_status train(const rein_model *m, const rein_gen *gen, const int32_t *prompt, outcome *out) {
    rein_forest f = {0};
    rein_forest_plan plan = {0};
    rein_leaf leaf = {0};
    rein_grads g = {0};
    float logp[PROMPT + GROUP * NEW], dlogp[PROMPT + GROUP * NEW];
    uint8_t want[NEW];
    int64_t root;
    rein_leaf_sampling how = {.temperature = 1};
    rein_status status;
    memset(want, 1, sizeof want);
    for (size_t i = 0; i < REIN_COUNT(dlogp); i++) dlogp[i] = (float)(i % 7) - 3;
    REIN_TRY_OUT(status, rein_forest_add(&f, -1, prompt, NULL, PROMPT, &root), out);
    for (int64_t i = 0; i < GROUP; i++)
        REIN_TRY_OUT(status, rein_forest_add(&f, root, gen->seq[i].ids, want, NEW, NULL), out);
    REIN_TRY_OUT(status, rein_forest_plan_make(&plan, &f, 40), out);
    REIN_TRY_OUT(status, rein_leaf_init(&leaf, m), out);
    REIN_TRY_OUT(status, rein_grads_init(&g, m), out);
    REIN_TRY_OUT(status, rein_leaf_begin(&leaf, &f, &plan, &how), out);
    for (int64_t p = 0; p < plan.n_part; p++) {
        REIN_TRY_OUT(status, rein_leaf_forward(&leaf, p, &(rein_leaf_values){.logp = logp}), out);
        REIN_TRY_OUT(status, rein_leaf_backward(&leaf, &(rein_leaf_gradient){.logp = dlogp}, &g), out);
    }
    rein_grads_finish(&g, m);
    rein_params_hash(m, g.flat, out->gradient);
    for (int64_t i = 0; i < GROUP && status == REIN_OK; i++)
        if (memcmp(logp + f.span[1 + i].tok, gen->seq[i].logp, NEW * sizeof(float)) != 0)
            status = differ("a sampled log-prob is not the trainer's");
out:
    rein_grads_deinit(&g);
    rein_leaf_deinit(&leaf);
    rein_forest_plan_deinit(&plan);
    rein_forest_deinit(&f);
    return status;
}

static rein_status engine(const char *isa, int threads, outcome *out) {
    rein_device *dev = NULL;
    rein_model *m = NULL;
    rein_gen gen = {0};
    int32_t prompt[PROMPT];
    rein_status status;
    for (int32_t i = 0; i < PROMPT; i++) prompt[i] = (i * 29 + 5) % 67;
    rein_gen_prompt ask = {.ids = prompt, .n = PROMPT, .samples = GROUP};
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .max_new_tokens = NEW, .max_batch = 4, .seed = 1,
                          .stream = REIN_STREAM_SAMPLE};
    REIN_TRY_OUT(status, rein_device_open_cpu(&dev, isa, threads), out);
    REIN_TRY_OUT(status, small_model(&m, dev), out);
    REIN_TRY_OUT(status, rein_generate(&gen, m, &ask, 1, &o, NULL, NULL), out);
    rein_xxh3_hex(out->sampled, gen.seq[0].logp, NEW * sizeof(float));
    REIN_TRY_OUT(status, train(m, &gen, prompt, out), out);
out:
    rein_gen_deinit(&gen);
    rein_model_destroy(m);
    rein_device_close(dev);
    return status;
}

static rein_status check_kernels(const char *isa) {
    outcome want = {0}, got;
    REIN_TRY(engine("ref", 1, &want));
    for (int threads = 1; threads <= 3; threads++) {
        REIN_TRY(engine(isa, threads, &got));
        if (strcmp(want.gradient, got.gradient) != 0 || strcmp(want.sampled, got.sampled) != 0)
            return rein_fail(REIN_ERR_MISMATCH, "kernels '%s' with %d threads differ from the reference", isa, threads);
    }
    return REIN_OK;
}

/* ---- the command ---- */

static void report(const rein_cli *cli, const char *name, rein_status status, bool first) {
    if (cli->json)
        fprintf(cli->out, "%s{\"check\":\"%s\",\"ok\":%s}", first ? "" : ",", name, status == REIN_OK ? "true" : "false");
    else
        fprintf(cli->out, "%-28s %s\n", name, status == REIN_OK ? "ok" : rein_error_message());
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    rein_status status, worst = REIN_OK;
    char name[64];
    (void)opts;
    (void)words;
    (void)n_words;
    if (cli->json) fputs("{\"checks\":[", cli->out);
    report(cli, "random numbers", worst = check_philox(), true);
    if ((status = check_reward()) != REIN_OK) worst = status;
    report(cli, "reward known answer", status, false);
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++) {
        if ((status = check_kernels(*isa)) != REIN_OK) worst = status;
        snprintf(name, sizeof name, "one engine, kernels %s", *isa);
        report(cli, name, status, false);
    }
    if (cli->json) fputs("]}\n", cli->out);
    return worst == REIN_OK ? REIN_OK : rein_fail(REIN_ERR_MISMATCH, "selftest failed");
}

const rein_command rein_cmd_selftest = {"selftest", NULL, "known answers, kernels and the one-engine promise, here and now",
                                        NULL, 0, 0, 0, 0, run, NULL, 0};
