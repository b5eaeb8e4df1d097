/*
 * The optimiser of a model's trained tensors: its state, an update, its files.
 *
 * An optimiser is a row of a table (optim.c): a rule for hidden matrices and a rule for the other tensors (embedding,
 * head, norms, biases). A rule names the state that it keeps for a tensor and makes one update (rule.h); the arithmetic
 * of an element is in tensor/ops.h. Weight decay is on matrices only, by a table of groups.
 */
#ifndef REIN_OPTIM_OPTIM_H
#define REIN_OPTIM_OPTIM_H

#include "base/hash.h"
#include "model/model.h"

/** `optim`, in the order of REIN_OPTIM_CHOICES. */
typedef enum rein_optim_type {
    REIN_OPTIM_ADAMW,      /* Loshchilov & Hutter 2019, arXiv:1711.05101 */
    REIN_OPTIM_ADAMW_8BIT, /* the same with moments in 8 bits: Dettmers et al. 2021, arXiv:2110.02861 */
    REIN_OPTIM_SGD,        /* with momentum, as torch has it */
    REIN_OPTIM_LION,       /* Chen et al. 2023, arXiv:2302.06675 */
    REIN_OPTIM_MUON        /* Jordan et al. 2024, kellerjordan.github.io/posts/muon; AdamW where it does not apply */
} rein_optim_type;
#define REIN_OPTIM_CHOICES "adamw|adamw_8bit|sgd|lion|muon"

typedef struct rein_optim_options {
    rein_optim_type optim;
    double adam_beta1, adam_beta2, adam_epsilon; /* AdamW; Lion has the betas */
    double weight_decay;
    double momentum; /* SGD; 0: none is kept */
    bool nesterov;
    double muon_momentum;
    int64_t ns_steps;           /* Newton-Schulz iterations */
    bool bf16_stochastic_round; /* weights are bf16 numbers after each update, rounded stochastically */
    uint64_t seed;              /* of the roundings */
} rein_optim_options;

/** REIN_ERR_ARG with name and value for what cannot be used: betas and momenta in [0, 1), epsilon > 0, weight_decay >=
 * 0, ns_steps in 1 .. 100, all finite; nesterov needs a momentum, and a momentum SGD. */
REIN_NODISCARD rein_status rein_optim_check(const rein_optim_options *opt);

typedef struct rein_optim rein_optim;

/** State for the tensors (n_param), zero; `param` is copied. The options must pass rein_optim_check. */
REIN_NODISCARD rein_status rein_optim_create(rein_optim **out, rein_device *dev, const rein_param *param,
                                             int64_t n_param, const rein_optim_options *opt);
void rein_optim_destroy(rein_optim *optim);

/** What a step varies. */
typedef struct rein_optim_step_args {
    int64_t step;         /* counted from 1 */
    double learning_rate; /* of this step */
    float grad_scale;     /* rein_clip.scale */
} rein_optim_step_args;

/** One update of weights w by their gradient, both in the layout of the tensors. A pure function of w, grad, state,
 * options and args. */
void rein_optim_step(rein_optim *optim, float *w, const float *grad, rein_optim_step_args args);

/* State arrays: 0 is m, 1 is v. An array may be empty. */
enum { REIN_OPTIM_ARRAYS = 2 };

/** Hash of an array's names, shapes and values; false if it is empty. */
bool rein_optim_hash(const rein_optim *optim, int array, char hex[REIN_XXH_HEX]);

/** Write and read DIR/optimizer_m.safetensors and DIR/optimizer_v.safetensors, those that are not empty: tensors under
 * the model's names, 8-bit ones as codes (U8) with NAME.scale (F32, one a block). Reading is REIN_ERR_FORMAT for a
 * tensor that is missing, of another shape or too many. */
REIN_NODISCARD rein_status rein_optim_write(const rein_optim *optim, const char *dir);
REIN_NODISCARD rein_status rein_optim_read(rein_optim *optim, const char *dir);

#endif
