/* The table of training runs; see kinds.h. */
#include "train/kinds.h"

#include <string.h>

#include "train/distill.h"
#include "train/online.h"
#include "train/preference.h"
#include "train/reward_model.h"
#include "train/sft.h"

static const rein_train_kind kinds[] = {
    {"sft", REIN_USE_SFT, false, rein_sft_run, rein_sft_replay},
    {"dpo", REIN_USE_DPO, false, rein_dpo_run, rein_dpo_replay},
    {"reward", REIN_USE_REWARD, false, rein_reward_model_run, rein_reward_model_replay},
    {"distill", REIN_USE_DISTILL, false, rein_distill_run, rein_distill_replay},
    {"grpo", REIN_USE_GRPO, true, rein_grpo_run, rein_grpo_replay},
    {"rloo", REIN_USE_RLOO, true, rein_rloo_run, rein_rloo_replay},
    {"ppo", REIN_USE_PPO, true, rein_ppo_run, rein_ppo_replay},
};

const rein_train_kind *rein_train_kind_of(const char *name) {
    for (size_t i = 0; i < REIN_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
