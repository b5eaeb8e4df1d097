/*
 * Options of the training commands, under TRL's names: one table, in which a row names the commands that have it. Where
 * commands differ in a default, each has a row of its own under the same name.
 */
#ifndef REIN_TRAIN_ARGS_H
#define REIN_TRAIN_ARGS_H

#include "base/option.h"

typedef struct rein_train_args {
    /* sft */
    const char *tokenizer;
    bool completion_only_loss, assistant_only_loss;
    int truncation_mode;
    double num_train_epochs;
    int64_t max_length;
    int sft_loss_type, packing_strategy;
    double label_smoothing_factor, neftune_noise_alpha;
    bool packing;
    /* rows of a file: sft, dpo, reward train, distill */
    const char *eval_dataset_name;
    double eval_split_ratio;
    int64_t eval_steps;
    /* dpo */
    int preference_loss_type;
    double preference_beta, label_smoothing, simpo_gamma, desirable_weight, undesirable_weight;
    bool reference_free;
    /* sft from scratch */
    int model_type;
    int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
    int64_t max_position_embeddings;
    double rope_theta, initializer_range;
    bool tie_word_embeddings;
    /* common */
    const char *dataset_name, *chat_template_kwargs;
    bool shuffle_dataset;
    const char *model_name_or_path, *output_dir, *config;
    int64_t max_model_length;
    bool resume_from_checkpoint;
    /* adapters */
    bool use_peft, use_rslora, use_dora;
    const char *adapter, *lora_target_modules, *lora_modules_to_save;
    int64_t lora_r;
    double lora_alpha, lora_dropout;
    int lora_bias;
    const char *lora_rank_pattern, *lora_alpha_pattern, *lora_layers_to_transform;
    /* optimisation */
    int64_t seed, max_steps;
    int64_t per_device_train_batch_size, gradient_accumulation_steps, microbatch_tokens;
    double learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    int lr_scheduler_type;
    int64_t warmup_steps;
    double warmup_ratio, lr_decay_ratio;
    int64_t save_steps, save_total_limit, logging_steps, max_skipped_updates;
    bool log_params_changed;
    /* grpo */
    const char *env, *reward_funcs, *reward_weights, *system_prompt;
    double reward_timeout;
    int multi_objective_aggregation;
    bool chat;
    int64_t num_generations, max_completion_length, num_iterations, generation_batch;
    double temperature, top_p, min_p;
    int64_t top_k;
    double beta;
    const char *ref_model;
    int loss_type, scale_rewards, importance_sampling_level;
    double epsilon, epsilon_high, delta;
    bool use_bias_correction_kl, mask_truncated_completions;
    int64_t audit_every, num_completions_to_print;
} rein_train_args;

/** Bits of the training commands in rein_option.use. */
enum { REIN_USE_SFT = 1 << 0, REIN_USE_GRPO = 1 << 1, REIN_USE_DPO = 1 << 8, REIN_USE_REWARD = 1 << 9,
       REIN_USE_DISTILL = 1 << 10 };

extern const rein_option rein_train_rows[]; /* ends with a row without a name */

#endif
