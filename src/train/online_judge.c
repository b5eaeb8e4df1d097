/* What is computed about the answers before the first update; see online_loop.h. */
#include "train/online_loop.h"

static rein_status reference_logp(rein_online *o, rein_group_batch *b) {
    const rein_leaf_values out = {.logp = b->ref_logp};
    REIN_TRY(rein_leaf_begin(&o->ref_leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) REIN_TRY(rein_leaf_forward(&o->ref_leaf, p, &out));
    return REIN_OK;
}

/* One sequence again, alone and without a shared prefix: the same bits. */
static rein_status audit_alone(rein_online *o) {
    const rein_train_args *a = o->t.args;
    if (a->audit_every == 0 || o->t.step % a->audit_every != 0) return REIN_OK;
    int64_t i = (int64_t)rein_random_below((uint64_t)o->N, (uint64_t)a->seed, REIN_STREAM_SHUFFLE, UINT32_MAX,
                                           (uint32_t)o->t.step, 0, 0);
    rein_gen_sequence seq = o->rollouts.gen.seq[i];
    rein_rollouts one = {
        .P = 1, .G = 1, .prompt_ids = &o->rollouts.prompt_ids[seq.prompt], .gen = {.seq = &seq, .n_seq = 1}};
    rein_group_batch alone;
    rein_status status;
    seq.prompt = 0;
    REIN_TRY(rein_group_batch_make(&alone, &one, 0, 1, (float)o->opt.temperature, 0));
    const rein_leaf_values out = {.logp = alone.logp};
    REIN_TRY_OUT(status, rein_leaf_begin(&o->t.leaf, &alone.forest, &alone.plan, &alone.sampling), out);
    REIN_TRY_OUT(status, rein_leaf_forward(&o->t.leaf, 0, &out), out);
    REIN_TRY_OUT(status, rein_group_audit(&alone, 0), out);
out:
    rein_group_batch_deinit(&alone);
    return status;
}

rein_status rein_online_judge(rein_online *o) {
    if (o->critic) REIN_TRY(rein_online_values(o));
    for (int64_t m = 0; o->ref && !o->opt.full_kl && m < o->M; m++) REIN_TRY(reference_logp(o, &o->batch[m]));
    return audit_alone(o);
}
