/*
 * A made-up pipeline for the tests of the report: sft, grpo, sft-continued and eval runs below one folder. The curves
 * are formulas and the controllers are linear feedbacks of different quality; nothing here was measured.
 */
#ifndef REIN_TESTS_FAKE_STORE_H
#define REIN_TESTS_FAKE_STORE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "run/run.h"

enum { FAKE_SFT_STEPS = 240, FAKE_GRPO_STEPS = 150, FAKE_CASES = 60, FAKE_T = 50 };

static double fake_noise(int64_t a, int64_t b) {
    return rein_random_normal(7, REIN_STREAM_DATA, (uint32_t)a, (uint32_t)b, 0, 0);
}

static rein_status fake_sft(const char *path) {
    rein_rundir *run;
    REIN_TRY(rein_rundir_create(&run, path, "sft", "learning_rate: 0.002\nseed: 42\nmodel_name_or_path: tiny\n"));
    rein_status status = REIN_OK;
    for (int64_t k = 1; k <= FAKE_SFT_STEPS && status == REIN_OK; k++) {
        double t = (double)k / FAKE_SFT_STEPS, loss = 0.35 + 2.4 * exp(-6 * t) + 0.05 * fake_noise(k, 0);
        const rein_named m[] = {{"loss", loss},
                                {"mean_token_accuracy", 0.86 - 0.6 * exp(-5 * t) + 0.01 * fake_noise(k, 1)},
                                {"learning_rate", 2e-3 * 0.5 * (1 + cos(3.14159 * t))},
                                {"grad_norm", 0.4 + 2 * exp(-8 * t) + 0.1 * fabs(fake_noise(k, 2))}};
        status = rein_rundir_log(run, k, m, 4);
        const rein_named eval = {"eval_loss", 0.38 + 2.4 * exp(-6 * t)};
        if (status == REIN_OK && k % 40 == 0) status = rein_rundir_log(run, k, &eval, 1);
    }
    if (status == REIN_OK) status = rein_rundir_note(run, "model.sha256", "9f2c0000000000000000000000000000");
    if (status == REIN_OK) status = rein_rundir_note(run, "data.sha256", "51aa0000000000000000000000000000");
    if (status == REIN_OK) status = rein_rundir_note(run, "tokenizer.sha256", "77010000000000000000000000000000");
    if (status == REIN_OK) status = rein_rundir_machine(run, "cpu.model", "Imaginary CPU <1>");
    rein_rundir_close(run);
    return status;
}

static rein_status fake_completions(rein_rundir *run, int64_t step) {
    for (int64_t s = 0; s < 2; s++) {
        const rein_named part[] = {{"control", 30 + (double)s}, {"format", s ? 1 : -1}};
        const rein_completion c = {.step = step,
                                   .sample = s,
                                   .prompt_text = "state: x=0.40 v=-0.20",
                                   .prompt_len = 21,
                                   .text = s ? "<CONTROLS>-1.0, 0.2</CONTROLS>" : "<b>&\"no\"",
                                   .text_len = s ? 30 : 9,
                                   .reward = 31.5 + (double)s,
                                   .advantage = s ? 0.7 : -0.7,
                                   .finish = "eos",
                                   .part = part,
                                   .n_part = 2};
        REIN_TRY(rein_rundir_completion(run, &c));
    }
    return REIN_OK;
}

static rein_status fake_grpo_step(rein_rundir *run, int64_t k) {
    double t = (double)k / FAKE_GRPO_STEPS, gain = 1 - exp(-3 * t), reward = 127 + 13 * gain + 0.8 * fake_noise(k, 10);
    double length = 101 - 0.6 * gain + 0.2 * fake_noise(k, 11);
    const rein_named m[] = {{"loss", 0.002 * fake_noise(k, 12)},
                            {"grad_norm", 0.2 + 0.05 * fabs(fake_noise(k, 13))},
                            {"learning_rate", 1.5e-4 * (t < 0.6 ? 1 : (1 - t) / 0.4)},
                            {"reward", reward},
                            {"reward_std", 14 - 6 * gain + 0.5 * fake_noise(k, 14)},
                            {"rewards/control/mean", reward - 61},
                            {"rewards/control/std", 12 - 5 * gain},
                            {"rewards/baseline/mean", 60},
                            {"rewards/format/mean", 0.9 + 0.1 * gain},
                            {"rewards/progress/mean", 18 + 4 * gain + 0.1 * fake_noise(k, 20)},
                            {"rewards/proximity/mean", 9 + 3 * gain + 0.1 * fake_noise(k, 21)},
                            {"rewards/terminal/mean", 30 + 6 * gain + 0.3 * fake_noise(k, 22)},
                            {"rewards/violations/mean", -1 + gain + 0.1 * fake_noise(k, 23)},
                            {"rewards/settling/mean", 2 + gain + 0.1 * fake_noise(k, 24)},
                            {"success_rate", 0.4 + 0.4 * gain + 0.03 * fake_noise(k, 15)},
                            {"format_rate", 0.98 + 0.02 * gain},
                            {"kl", 0.03 * gain + 0.001 * fabs(fake_noise(k, 16))},
                            {"clip_ratio/low_mean", 0.004 * gain + 0.0005 * fabs(fake_noise(k, 17))},
                            {"clip_ratio/high_mean", 0.006 * gain + 0.0005 * fabs(fake_noise(k, 18))},
                            {"entropy", 0.6 - 0.3 * gain + 0.01 * fake_noise(k, 19)},
                            {"completions/mean_length", length},
                            {"completions/min_length", floor(length - 3)},
                            {"completions/max_length", 103},
                            {"completions/mean_terminated_length", k == 3 ? (double)NAN : length}};
    const rein_named time[] = {{"rollout", 2.5}, {"update", 1.25}};
    REIN_TRY(rein_rundir_log(run, k, m, (int64_t)REIN_COUNT(m)));
    REIN_TRY(rein_rundir_time(run, k, time, 2));
    return k == 1 || k == FAKE_GRPO_STEPS ? fake_completions(run, k) : REIN_OK;
}

static rein_status fake_grpo(const char *path) {
    rein_rundir *run;
    REIN_TRY(rein_rundir_create(&run, path, "grpo", "num_generations: 16\nbeta: 0.01\nlearning_rate: 0.00015\n"));
    rein_status status = REIN_OK;
    for (int64_t k = 1; k <= FAKE_GRPO_STEPS && status == REIN_OK; k++) status = fake_grpo_step(run, k);
    if (status == REIN_OK)
        status = rein_rundir_event(run, 12, "skip", "update skipped: all 32 groups have equal rewards");
    if (status == REIN_OK) status = rein_rundir_event(run, 100, "warning", "2 completions were cut at 128 tokens");
    if (status == REIN_OK) status = rein_rundir_note(run, "model.sha256", "abcd0000000000000000000000000000");
    rein_rundir_close(run);
    return status;
}

/* One case under u = -gain (x, v) k + noise; cost and error are of the trajectory that was simulated. */
static rein_status fake_case(rein_rundir *run, int64_t eval, const char *policy, int64_t i, double gain, double noise) {
    double x = rein_random_uniform(3, REIN_STREAM_EVAL, (uint32_t)i, 0, 0, 0) * 1.6 - 0.8;
    double v = rein_random_uniform(3, REIN_STREAM_EVAL, (uint32_t)i, 1, 0, 0) * 1.6 - 0.8, cost = 0;
    rein_str times = {0}, states = {0}, controls = {0}, all = {0};
    for (int k = 0; k <= FAKE_T; k++) {
        double u =
            fmax(-3, fmin(3, -gain * (6.5 * x + 4.5 * v) + noise * fake_noise(1000 * i + k, (int64_t)policy[0])));
        rein_str_printf(&times, "%s%.1f", k ? "," : "", 0.1 * k);
        rein_str_printf(&states, "%s[%.6f,%.6f]", k ? "," : "", x, v);
        if (k == FAKE_T) break;
        rein_str_printf(&controls, "%s%.3f", k ? "," : "", u);
        cost += 10 * (x * x + v * v) + 0.1 * u * u;
        v += 0.1 * u;
        x += 0.1 * v;
    }
    double error = sqrt(x * x + v * v);
    bool valid = !(policy[0] == 's' && i == 7); /* one answer without a control list */
    rein_str_printf(&all,
                    "{\"times\":[%s],\"states\":[%s],\"controls\":[%s],\"state_bound\":1,\"control_bound\":3,"
                    "\"target\":[0,0]}",
                    times.data, states.data, controls.data);
    const rein_named part[] = {{"control", valid ? 150 - cost : 0}, {"format", valid ? 4 : -10}};
    const rein_named metric[] = {{"final_error", error}, {"cost", cost}, {"violations", 0}};
    const rein_eval_case c = {.policy = policy,
                              .index = i,
                              .key = 0x1000u + (uint64_t)i,
                              .reward = part[0].value + part[1].value,
                              .success = valid && error < 0.1,
                              .format_ok = valid,
                              .part = part,
                              .n_part = 2,
                              .metric = metric,
                              .n_metric = valid ? 3 : 0,
                              .text = "...",
                              .text_len = 3,
                              .details = all.data,
                              .details_len = valid ? all.len : 0};
    rein_status status = rein_rundir_eval_case(run, eval, &c);
    rein_str_deinit(&times);
    rein_str_deinit(&states);
    rein_str_deinit(&controls);
    rein_str_deinit(&all);
    return status;
}

static rein_status fake_eval(const char *path) {
    static const struct {
        const char *name;
        rein_role role;
        const char *weights;
        double gain, noise;
    } policy[] = {{"sft", REIN_ROLE_MODEL, "9f2c", 0.3, 0.25},
                  {"sft-continued", REIN_ROLE_MODEL, "9f2d", 0.35, 0.22},
                  {"grpo", REIN_ROLE_MODEL, "abcd", 0.75, 0.1},
                  {"lqr", REIN_ROLE_ORACLE, NULL, 1, 0},
                  {"zero", REIN_ROLE_BASELINE, NULL, 0, 0}};
    rein_rundir *run;
    int64_t eval;
    REIN_TRY(rein_rundir_create(&run, path, "eval", "env: control\ncases: 60\nseed: 3\n"));
    rein_status status = rein_rundir_eval_begin(run, "final", 0, "env=control system=double_integrator seed=3", &eval);
    for (size_t k = 0; k < REIN_COUNT(policy) && status == REIN_OK; k++) {
        status = rein_rundir_eval_policy(run, eval, policy[k].name, policy[k].role, policy[k].weights);
        for (int64_t i = 0; i < FAKE_CASES && status == REIN_OK; i++)
            status = fake_case(run, eval, policy[k].name, i, policy[k].gain, policy[k].noise);
    }
    if (status == REIN_OK) status = rein_rundir_eval_end(run, eval);
    rein_rundir_close(run);
    return status;
}

/** path/{.,sft,grpo,sft-continued,eval}; `path` must not exist. */
static rein_status fake_pipeline(const char *path) {
    char sub[600];
    rein_rundir *run;
    REIN_TRY(rein_rundir_create(&run, path, "pipeline", "stages: [sft, grpo, sft-continued, eval]\n"));
    rein_rundir_close(run);
    snprintf(sub, sizeof sub, "%s/sft", path);
    REIN_TRY(fake_sft(sub));
    snprintf(sub, sizeof sub, "%s/sft-continued", path);
    REIN_TRY(fake_sft(sub));
    snprintf(sub, sizeof sub, "%s/grpo", path);
    REIN_TRY(fake_grpo(sub));
    snprintf(sub, sizeof sub, "%s/eval", path);
    return fake_eval(sub);
}

#endif
