/*
 * Options of the training commands, under TRL's names: one table, in which a row names the commands that have it. Where
 * commands differ in a default, each has a row of its own under the same name.
 */
#ifndef REIN_TRAIN_ARGS_H
#define REIN_TRAIN_ARGS_H

#include "base/option.h"
#include "rl/loss.h"

typedef struct rein_train_args {
    /* sft */
    const char *tokenizer, *chat_template_path;
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
    int64_t eval_steps; /* and of grpo, rloo, ppo */
    /* dpo */
    int preference_loss_type;
    double preference_beta, label_smoothing, simpo_gamma, desirable_weight, undesirable_weight;
    bool reference_free;
    /* reward train */
    double center_rewards_coefficient;
    /* distill */
    const char *teacher_model;
    double distill_beta, distill_temperature, lmbda;
    int64_t max_new_tokens;
    bool seq_kd;
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
    const char *lr_scheduler_kwargs;
    int optim;
    double momentum, muon_momentum;
    bool nesterov, bf16_stochastic_round;
    int64_t ns_steps;
    const char *metric_for_best_model;
    int greater_is_better;
    int64_t early_stopping_patience;
    double early_stopping_threshold;
    bool load_best_model_at_end;
    int64_t save_steps, save_total_limit, logging_steps, max_skipped_updates;
    bool log_params_changed;
    /* rollouts: grpo, rloo, ppo */
    const char *env, *reward_funcs, *reward_weights, *system_prompt;
    double reward_timeout;
    bool chat;
    int64_t num_generations, generation_batch, env_slots, max_turn_length, top_k;
    const char *max_completion_length, *temperature; /* schedules, optim/value_schedule.h */
    double top_p, min_p;
    int64_t audit_every, num_completions_to_print;
    bool dynamic_sampling;
    int64_t max_resamples;
    int eval_strategy;
    int64_t eval_tasks, num_generations_eval;
    double eval_temperature;
    /* curriculum */
    int curriculum, curriculum_by;
    int64_t curriculum_tasks, curriculum_steps, curriculum_band_visits, curriculum_mix_epochs;
    double curriculum_radius, curriculum_epsilon, curriculum_temperature, curriculum_ued_margin;
    const char *curriculum_band, *curriculum_mix_first, *curriculum_mix_last;
    /* credit */
    int advantage_estimator, advantage_std, scale_rewards, multi_objective_aggregation;
    bool normalize_advantages, mask_truncated_completions;
    const char *reward_clip_range;
    int64_t soft_overlong_cache;
    double missing_eos_penalty, gamma, lam;
    bool turn_credit, whiten_rewards, whiten_advantages, normalize_returns, bootstrap_truncated;
    /* reference */
    const char *beta, *ref_model; /* beta: a schedule */
    bool kl_in_reward, sync_ref_model;
    int kl_estimator, kl_ctrl;
    double kl_ctrl_target, kl_ctrl_horizon, ref_model_mixup_alpha, kl_cap, target_kl;
    int64_t ref_model_sync_steps, max_kl_refusals;
    /* loss */
    int64_t num_iterations, num_mini_batches;
    rein_loss_options loss; /* members that have a row of their own; what is scheduled is text, above and below */
    const char *epsilon, *entropy_coef; /* schedules */
    /* critic */
    int critic, value_head;
    const char *critic_model;
    double critic_learning_rate, vf_coef, cliprange_value;
    int64_t critic_warmup_steps;
} rein_train_args;

/** Bits of the training commands in rein_option.use. */
enum { REIN_USE_SFT = 1 << 0, REIN_USE_GRPO = 1 << 1, REIN_USE_RLOO = 1 << 2, REIN_USE_PPO = 1 << 3, REIN_USE_DPO = 1 << 8,
       REIN_USE_REWARD = 1 << 9, REIN_USE_DISTILL = 1 << 10 };

/** `critic`, in the order of REIN_CRITIC_CHOICES. */
typedef enum rein_critic_kind { REIN_CRITIC_SHARED, REIN_CRITIC_SEPARATE } rein_critic_kind;
#define REIN_CRITIC_CHOICES "shared|separate"

/** `eval_strategy`, in the order of REIN_EVAL_CHOICES. */
typedef enum rein_eval_strategy { REIN_EVAL_NO, REIN_EVAL_STEPS } rein_eval_strategy;
#define REIN_EVAL_CHOICES "no|steps"

/** `curriculum_by`, in the order of REIN_BY_CHOICES. */
typedef enum rein_curriculum_by { REIN_BY_SUCCESS, REIN_BY_REWARD } rein_curriculum_by;
#define REIN_BY_CHOICES "success|reward"

extern const rein_shared_option rein_train_rows[]; /* ends with a row without a name */

/** Names of TRL's former PPOConfig and of verl 0.9 for the options of grpo, rloo and ppo; ends likewise. */
extern const rein_option_alias rein_train_aliases[];

/** The first of the command's options that `ours` picks by name and that is not at its default, or NULL. */
REIN_NODISCARD rein_status rein_train_given(const char **name, const rein_train_args *args, unsigned use,
                                            bool (*ours)(const char *name, const void *user), const void *user);

#endif
