/* What optim.c and state.c share. */
#ifndef REIN_OPTIM_INTERNAL_H
#define REIN_OPTIM_INTERNAL_H

#include "optim/rule.h"
#include "tensor/state8.h"

/** One trained tensor with its rule and state; p and grad of the tensor are set in a step only. */
typedef struct rein_optim_entry {
    rein_param param;
    const rein_optim_rule *rule;
    rein_optim_tensor tensor;
} rein_optim_entry;

struct rein_optim {
    rein_device *dev;
    rein_optim_options options;
    rein_optim_entry *entry; /* (n) in the order of the tensors */
    int64_t n;
    float *scratch;   /* of the rule that needs most */
    rein_arena arena; /* the state */
};

/** Scales of an 8-bit state of n elements. */
static inline int64_t rein_optim_blocks(int64_t n) { return (n + REIN_STATE8_BLOCK - 1) / REIN_STATE8_BLOCK; }

#endif
