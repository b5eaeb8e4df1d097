/* The reference op table: what every other table must equal bit for bit. */
#include "cpu/ref.h"

const rein_ops rein_ops_ref = {
    .name = "ref",
    .packed_size = rein_ref_packed_size,
    .pack = rein_ref_pack,
    .linear = rein_ref_linear,
    .linear_dx = rein_ref_linear_dx,
    .linear_dw = rein_ref_linear_dw,
    .bias_grad = rein_ref_bias_grad,
    .rmsnorm = rein_ref_rmsnorm,
    .rmsnorm_bwd = rein_ref_rmsnorm_bwd,
    .rope = rein_ref_rope,
    .swiglu = rein_ref_swiglu,
    .swiglu_bwd = rein_ref_swiglu_bwd,
    .add = rein_ref_add,
    .embed = rein_ref_embed,
    .embed_bwd = rein_ref_embed_bwd,
    .kv_store = rein_ref_kv_store,
    .attention = rein_ref_attention,
    .attention_bwd = rein_ref_attention_bwd,
    .logprob = rein_ref_logprob,
    .logprob_bwd = rein_ref_logprob_bwd,
    .softmax_terms = rein_ref_softmax_terms,
    .adamw = rein_ref_adamw,
    .sumsq = rein_ref_sumsq,
    .count_diff = rein_ref_count_diff,
};
