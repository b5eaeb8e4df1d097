/* The table of optimisers, the groups of parameters, and a step over all tensors; see optim.h. State files are in
 * state.c. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "optim/internal.h"

typedef struct optimiser {
    const rein_optim_rule *hidden, *other; /* for hidden matrices, and for all else */
} optimiser;

static const optimiser optimisers[] = {
    [REIN_OPTIM_ADAMW] = {&rein_rule_adamw, &rein_rule_adamw},
    [REIN_OPTIM_ADAMW_8BIT] = {&rein_rule_adamw_8bit, &rein_rule_adamw_8bit},
    [REIN_OPTIM_SGD] = {&rein_rule_sgd, &rein_rule_sgd},
    [REIN_OPTIM_LION] = {&rein_rule_lion, &rein_rule_lion},
    [REIN_OPTIM_MUON] = {&rein_rule_muon, &rein_rule_adamw},
};

/* A tensor belongs to the first row that has its kind and a part of its name. */
typedef struct group {
    rein_param_kind kind;
    const char *part;
    bool decay, hidden;
} group;

static const group groups[] = {
    {REIN_PARAM_MATRIX, "embed_tokens", true, false},
    {REIN_PARAM_MATRIX, "lm_head", true, false},
    {REIN_PARAM_MATRIX, "value_head", true, false},
    {REIN_PARAM_MATRIX, "", true, true},
    {REIN_PARAM_NORM, "", false, false},
    {REIN_PARAM_BIAS, "", false, false},
};

/* ---- options ---- */

static bool is_beta(double beta) { return beta >= 0 && (float)beta < 1; }

rein_status rein_optim_check(const rein_optim_options *opt) {
    if (!is_beta(opt->adam_beta1) || !is_beta(opt->adam_beta2))
        return rein_fail(REIN_ERR_ARG, "adam_beta1 is %g and adam_beta2 is %g: both must be in [0, 1)", opt->adam_beta1,
                         opt->adam_beta2);
    if (!((float)opt->adam_epsilon > 0 && isfinite(opt->adam_epsilon)))
        return rein_fail(REIN_ERR_ARG, "adam_epsilon is %g: it must be positive", opt->adam_epsilon);
    if (!(opt->weight_decay >= 0 && isfinite(opt->weight_decay)))
        return rein_fail(REIN_ERR_ARG, "weight_decay is %g: it must be 0 or positive", opt->weight_decay);
    if (!is_beta(opt->momentum) || !is_beta(opt->muon_momentum))
        return rein_fail(REIN_ERR_ARG, "momentum is %g and muon_momentum is %g: both must be in [0, 1)", opt->momentum,
                         opt->muon_momentum);
    if (opt->momentum > 0 && opt->optim != REIN_OPTIM_SGD)
        return rein_fail(REIN_ERR_ARG, "momentum is %g, which only optim sgd reads; muon has muon_momentum",
                         opt->momentum);
    if (opt->nesterov && opt->momentum == 0) return rein_fail(REIN_ERR_ARG, "nesterov needs a momentum, which is 0");
    if (opt->ns_steps < 1 || opt->ns_steps > 100)
        return rein_fail(REIN_ERR_ARG, "ns_steps is %lld: it must be in 1 .. 100", (long long)opt->ns_steps);
    return REIN_OK;
}

/* ---- set-up ---- */

static const group *group_of(const rein_param *p) {
    const group *g = groups;
    while (g->kind != p->kind || !strstr(p->name, g->part)) g++;
    return g;
}

static const rein_optim_rule *rule_of(const rein_optim_options *opt, const group *g) {
    if (opt->optim == REIN_OPTIM_SGD && opt->momentum == 0) return &rein_rule_sgd_plain;
    return g->hidden ? optimisers[opt->optim].hidden : optimisers[opt->optim].other;
}

static rein_status new_state(rein_optim_state *s, rein_state_type type, int64_t n, rein_arena *arena) {
    s->type = type;
    if (type == REIN_STATE_F32) return rein_arena_alloc(arena, &s->f32, (size_t)n * sizeof(float));
    if (type == REIN_STATE_NONE) return REIN_OK;
    REIN_TRY(rein_arena_alloc(arena, &s->q.code, (size_t)n));
    return rein_arena_alloc(arena, &s->q.scale, (size_t)rein_optim_blocks(n) * sizeof(float));
}

static rein_status add_tensor(rein_optim *o, const rein_param *p, int64_t *scratch) {
    rein_optim_entry *e = &o->entry[o->n++];
    const group *g = group_of(p);
    const rein_optim_rule *rule = rule_of(&o->options, g);
    *e = (rein_optim_entry){.param = *p, .rule = rule};
    e->tensor = (rein_optim_tensor){.dev = o->dev,
                                    .rows = p->rows,
                                    .cols = p->cols,
                                    .n = p->rows * p->cols,
                                    .weight_decay = g->decay ? o->options.weight_decay : 0};
    int64_t needs = rule->scratch ? rule->scratch(p->rows, p->cols) : 0;
    if (needs > *scratch) *scratch = needs;
    for (int i = 0; i < REIN_OPTIM_ARRAYS; i++)
        REIN_TRY(new_state(&e->tensor.state[i], rule->state[i], e->tensor.n, &o->arena));
    return REIN_OK;
}

rein_status rein_optim_create(rein_optim **out, rein_device *dev, const rein_param *param, int64_t n_param,
                              const rein_optim_options *opt) {
    rein_optim *o;
    rein_status status;
    int64_t scratch = 0;
    REIN_TRY(rein_alloc(&o, 1, sizeof *o));
    o->dev = dev;
    o->options = *opt;
    REIN_TRY_OUT(status, rein_alloc(&o->entry, n_param, sizeof *o->entry), fail);
    for (int64_t i = 0; i < n_param; i++) REIN_TRY_OUT(status, add_tensor(o, &param[i], &scratch), fail);
    REIN_TRY_OUT(status, rein_alloc(&o->scratch, scratch, sizeof(float)), fail);
    *out = o;
    return REIN_OK;
fail:
    rein_optim_destroy(o);
    return status;
}

void rein_optim_destroy(rein_optim *o) {
    if (!o) return;
    rein_arena_deinit(&o->arena);
    rein_free(o->entry);
    rein_free(o->scratch);
    rein_free(o);
}

/* ---- a step ---- */

void rein_optim_step(rein_optim *o, float *w, const float *grad, rein_optim_step_args args) {
    REIN_ASSERT(args.step >= 1);
    for (int64_t i = 0; i < o->n; i++) {
        const rein_optim_entry *e = &o->entry[i];
        rein_optim_tensor t = e->tensor;
        uint32_t word[4];
        rein_random4(word, o->options.seed, REIN_STREAM_ROUND, (uint32_t)args.step, (uint32_t)i, 0, 0);
        t.p = w + e->param.offset;
        t.grad = grad + e->param.offset;
        t.scratch = o->scratch;
        t.key = (uint64_t)word[0] << 32 | word[1];
        e->rule->step(&t, &o->options, args);
        if (o->options.bf16_stochastic_round) o->dev->ops->round_bf16(o->dev, t.p, t.n, t.key);
    }
}
