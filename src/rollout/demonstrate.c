/* Expert episodes as conversations; see demonstrate.h. */
#include "rollout/demonstrate.h"

#include "base/file.h"
#include "base/json.h"

static void put_message(rein_str *out, const char *role, const rein_str *text) {
    rein_str_printf(out, ",{\"role\":\"%s\",\"content\":", role);
    rein_json_put_string(out, text->data ? text->data : "", text->len);
    rein_str_putc(out, '}');
}

/* What the world says to the last action is never heard. */
static rein_status put_row(rein_str *out, const rein_env *env, const rein_task *task, const rein_transcript *t) {
    rein_str messages = {0}, tools = {0};
    rein_status status = env->cls->messages(env, task, &messages, &tools);
    if (status == REIN_OK && messages.len == 0)
        status = rein_fail(REIN_ERR_ARG, "environment '%s' has no conversations", env->cls->name);
    if (status == REIN_OK) {
        rein_str_puts(out, "{\"messages\":");
        rein_str_append(out, messages.data, messages.len - 1);
        if (t->opening.len > 0) put_message(out, "user", &t->opening);
        for (int64_t k = 0; k < t->n; k++) {
            put_message(out, "assistant", &t->turn[k].action);
            if (k + 1 < t->n) put_message(out, env->cls->turns->role, &t->turn[k].observation);
        }
        rein_str_putc(out, ']');
        if (tools.len > 0) rein_str_puts(out, ",\"tools\":");
        if (tools.len > 0) rein_str_append(out, tools.data, tools.len);
        rein_str_puts(out, "}\n");
        status = rein_str_check(out);
    }
    rein_str_deinit(&messages);
    rein_str_deinit(&tools);
    return status;
}

static rein_status add_task(rein_str *out, rein_episode *ep, uint64_t seed, rein_split split, int64_t index) {
    rein_task task;
    rein_transcript t = {0};
    rein_status status;
    REIN_TRY_OUT(status, ep->env->cls->task(ep->env, seed, split, index, &task), out);
    REIN_TRY_OUT(status, rein_episode_play(ep, &task, rein_policy_oracle, NULL, &t), out);
    if (!t.score.success)
        status = rein_fail(REIN_ERR_MISMATCH, "task %lld of environment '%s': its expert does not solve it",
                           (long long)index, ep->env->cls->name);
    if (status == REIN_OK) status = put_row(out, ep->env, &task, &t);
out:
    rein_transcript_deinit(&t);
    return status;
}

rein_status rein_demonstrations_write(const char *path, const rein_env *env, uint64_t seed, rein_split split,
                                      int64_t n) {
    rein_slots slots;
    rein_str text = {0};
    REIN_TRY(rein_slots_open(&slots, env, 1));
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < n && status == REIN_OK; i++) status = add_task(&text, slots.episode[0], seed, split, i);
    if (status == REIN_OK) status = rein_file_write(path, text.data ? text.data : "", text.len);
    rein_str_deinit(&text);
    rein_slots_close(&slots);
    return status;
}
