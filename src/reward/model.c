/* A reward model as a reward function, model:DIR; the host that rein_rewards_bind was given runs it. */
#include "reward/internal.h"

static rein_status model_open(rein_reward_func *f) {
    return f->argument[0] ? REIN_OK : rein_fail(REIN_ERR_USAGE, "reward function model: write model:DIR");
}

static void model_close(rein_reward_func *f) {
    if (f->state) f->host.close(f->state);
}

static rein_status model_batch(double *out, const rein_reward_func *f, const rein_reward_answer *a, int64_t n) {
    return f->host.score(out, f->state, a, n);
}

const rein_reward_class rein_reward_model = {
    .names = "model", .judges = REIN_JUDGES_OTHER, .open = model_open, .close = model_close, .batch = model_batch};
