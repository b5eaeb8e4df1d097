/* The reference policy: its KL, the weight of that, and its moves towards the policy; see online_loop.h. */
#include <stdio.h>
#include <string.h>

#include "train/online_loop.h"

void rein_online_set_beta(rein_online *o) {
    if (o->t.args->kl_ctrl == REIN_KL_FIXED) return;
    o->opt.beta = o->state.beta;
    if (o->opt.loss.beta > 0) o->opt.loss.beta = o->state.beta;
    if (o->opt.credit.kl_coef > 0) o->opt.credit.kl_coef = o->state.beta;
}

void rein_online_steer_beta(rein_online *o) {
    double kl = o->opt.full_kl ? o->report.first.kl : o->report.kl;
    o->state.beta = rein_kl_control_next(&o->opt.kl_control, o->opt.beta, kl, o->N);
}

rein_status rein_online_cap(rein_online *o, double kl, bool *allowed) {
    rein_kl_verdict verdict = rein_kl_cap_judge(&o->state.kl_cap, &o->opt.kl_cap, kl);
    char text[160];
    *allowed = verdict == REIN_KL_ALLOW;
    if (*allowed) return REIN_OK;
    snprintf(text, sizeof text, "step %lld: the KL to the reference is %g, above kl_cap %g; the update is refused",
             (long long)o->t.step, kl, o->opt.kl_cap.cap);
    if (o->t.run) REIN_TRY(rein_rundir_event(o->t.run, o->t.step, "kl_cap", text));
    if (verdict == REIN_KL_STOP)
        return rein_fail(REIN_ERR_NUMERIC, "%s (max_kl_refusals: %lld in a row)", text,
                         (long long)o->opt.kl_cap.max_refusals);
    return REIN_OK;
}

/* The policy's parameter of that name. A value head is the policy's alone. */
static const rein_param *find(const rein_model *m, const char *name) {
    for (int64_t i = 0; i < m->n_param; i++)
        if (strcmp(m->param[i].name, name) == 0) return &m->param[i];
    return NULL;
}

/* ref <- alpha policy + (1 - alpha) ref, in f64, rounded once. */
static rein_status mix(rein_model *ref, const rein_model *policy, double alpha) {
    for (int64_t i = 0; i < ref->n_param; i++) {
        const rein_param *to = &ref->param[i], *from = find(policy, to->name);
        if (!from || from->rows != to->rows || from->cols != to->cols)
            return rein_fail(REIN_ERR_MISMATCH, "the policy has no '%s' of the reference's shape", to->name);
        float *x = ref->w + to->offset;
        const float *y = policy->w + from->offset;
        for (int64_t k = 0; k < to->rows * to->cols; k++)
            x[k] = (float)(alpha * (double)y[k] + (1 - alpha) * (double)x[k]);
    }
    rein_model_pack(ref);
    return REIN_OK;
}

rein_status rein_online_sync(rein_online *o) {
    const rein_train_args *a = o->t.args;
    char text[96];
    if (!a->sync_ref_model || o->t.step % a->ref_model_sync_steps != 0) return REIN_OK;
    REIN_TRY(mix(o->ref, o->t.model, a->ref_model_mixup_alpha));
    if (!o->t.run) return REIN_OK;
    snprintf(text, sizeof text, "the reference moved towards the policy by %g", a->ref_model_mixup_alpha);
    return rein_rundir_event(o->t.run, o->t.step, "reference", text);
}
