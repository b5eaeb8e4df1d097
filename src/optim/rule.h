/* How one tensor is updated; the rules that the table in optim.c is made of, one file each. */
#ifndef REIN_OPTIM_RULE_H
#define REIN_OPTIM_RULE_H

#include "optim/optim.h"

typedef enum rein_state_type { REIN_STATE_NONE, REIN_STATE_F32, REIN_STATE_8BIT } rein_state_type;

/** One state array of one tensor; zero before the first step. */
typedef struct rein_optim_state {
    rein_state_type type;
    float *f32;    /* (rows, cols) of REIN_STATE_F32 */
    rein_state8 q; /* of REIN_STATE_8BIT */
} rein_optim_state;

/** A tensor in a step. */
typedef struct rein_optim_tensor {
    rein_device *dev;
    float *p;          /* (rows, cols) */
    const float *grad; /* (rows, cols) */
    int64_t rows, cols, n;
    double weight_decay;
    rein_optim_state state[REIN_OPTIM_ARRAYS];
    float *scratch; /* rule's scratch(), 64-byte aligned */
    uint64_t key;   /* of this tensor's random numbers in this step */
} rein_optim_tensor;

typedef struct rein_optim_rule {
    rein_state_type state[REIN_OPTIM_ARRAYS];
    int64_t (*scratch)(int64_t rows, int64_t cols); /* floats that a step needs; NULL: none */
    void (*step)(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args);
} rein_optim_rule;

extern const rein_optim_rule rein_rule_adamw, rein_rule_adamw_8bit; /* adamw.c */
extern const rein_optim_rule rein_rule_sgd, rein_rule_sgd_plain;    /* sgd.c; plain: without momentum */
extern const rein_optim_rule rein_rule_lion;                        /* lion.c */
extern const rein_optim_rule rein_rule_muon;                        /* muon.c; matrices only */

#endif
