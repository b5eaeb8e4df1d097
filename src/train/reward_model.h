/*
 * Reward models: a language model with a linear head that gives one number for a text, read at its last token, trained
 * on pairs of answers (Bradley and Terry 1952; Christiano et al. 2017, arXiv:1706.03741):
 *
 *   -log sigma(r - r' - margin) + c (r + r')^2,   r of the chosen, r' of the rejected answer,
 *
 * c = center_rewards_coefficient (Eisenstein et al. 2023, arXiv:2312.09244), margin the row's column of this name or 0
 * (Touvron et al. 2023, Llama 2, arXiv:2307.09288). The loss of a batch is its mean over pairs. The head is the model's
 * value head (value_head.safetensors); its logits are never computed.
 *
 * A trained one is a reward function, model:DIR (reward/reward.h): it scores an answer as it would have been scored as
 * a row of training, with the end token behind it.
 */
#ifndef REIN_TRAIN_REWARD_MODEL_H
#define REIN_TRAIN_REWARD_MODEL_H

#include "reward/reward.h"
#include "train/offline.h"

extern const rein_offline_class rein_reward_model_class;

/** As rein_train_kind.run and .replay. */
REIN_NODISCARD rein_status rein_reward_model_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                                 const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_reward_model_replay(const rein_train_args *args, rein_device *dev,
                                                    const char *checkpoint, int64_t step, rein_commit *out,
                                                    rein_str *journal);

/** What opens model:DIR on a device, which must outlive the rewards. */
rein_reward_host rein_reward_model_host(rein_device *dev);

#endif
