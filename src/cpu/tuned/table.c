/* The op table of one instruction set. */

#include "cpu/tuned/tuned.h"

const rein_ops REIN_ISA(rein_ops) = {
    .name = REIN_ISA_NAME,
    .packed_size = REIN_ISA(rein_packed_size),
    .pack = REIN_ISA(rein_pack),
    .linear = REIN_ISA(rein_linear),
    .linear_dx = REIN_ISA(rein_linear_dx),
    .linear_dw = REIN_ISA(rein_linear_dw),
    .bias_grad = REIN_ISA(rein_bias_grad),
    .rmsnorm = REIN_ISA(rein_rmsnorm),
    .rmsnorm_bwd = REIN_ISA(rein_rmsnorm_bwd),
    .rope = REIN_ISA(rein_rope),
    .swiglu = REIN_ISA(rein_swiglu),
    .swiglu_bwd = REIN_ISA(rein_swiglu_bwd),
    .add = REIN_ISA(rein_add),
    .embed = REIN_ISA(rein_embed),
    .embed_bwd = REIN_ISA(rein_embed_bwd),
    .kv_store = REIN_ISA(rein_kv_store),
    .attention = REIN_ISA(rein_attention),
    .attention_bwd = REIN_ISA(rein_attention_bwd),
    .logprob = REIN_ISA(rein_logprob),
    .logprob_bwd = REIN_ISA(rein_logprob_bwd),
    .softmax_terms = REIN_ISA(rein_softmax_terms),
    .adamw = REIN_ISA(rein_adamw),
    .sumsq = REIN_ISA(rein_sumsq),
    .count_diff = REIN_ISA(rein_count_diff),
};
