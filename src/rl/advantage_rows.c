/* The options of the advantages; see advantage_rows.h. */
#include "rl/advantage_rows.h"

#include "rl/advantage.h"

const rein_option rein_advantage_rows[REIN_ADVANTAGE_ROWS] = {
    {"advantage_estimator", REIN_OPT_CHOICE, offsetof(rein_advantage_options, estimator), "grpo", 0, 0,
     REIN_ADVANTAGE_CHOICES, "what is made of the rewards of a group", NULL},
    {"scale_rewards", REIN_OPT_CHOICE, offsetof(rein_advantage_options, scale), "group", 0, 0,
     REIN_SCALE_REWARDS_CHOICES, "grpo: whose standard deviation divides; grpo_passk: group or none", NULL},
    {"multi_objective_aggregation", REIN_OPT_CHOICE, offsetof(rein_advantage_options, aggregation),
     "sum_then_normalize", 0, 0, REIN_AGGREGATION_CHOICES, "order of weighting and normalising several rewards", NULL},
    {"advantage_std", REIN_OPT_CHOICE, offsetof(rein_advantage_options, std), "trl", 0, 0, REIN_STD_CHOICES,
     "the trainer whose standard deviation is taken: its divisor and its eps", NULL},
    {"normalize_advantages", REIN_OPT_BOOL, offsetof(rein_advantage_options, normalize_advantages), "false", 0, 0, NULL,
     "standardise the advantages over the batch", NULL},
    {"kl_coef", REIN_OPT_FLOAT, offsetof(rein_advantage_options, kl_coef), "0", 0, 0, NULL,
     "weight of the KL to the reference in the reward; 0: none", NULL},
    {"gamma", REIN_OPT_FLOAT, offsetof(rein_advantage_options, gamma), "1", 0, 0, NULL,
     "gae, reinforce_plus_plus: discount a token", NULL},
    {"lam", REIN_OPT_FLOAT, offsetof(rein_advantage_options, lambda), "0.95", 0, 0, NULL,
     "gae: weight of later errors of the value function", NULL},
    {"whiten_rewards", REIN_OPT_BOOL, offsetof(rein_advantage_options, whiten_rewards), "false", 0, 0, NULL,
     "gae: divide the rewards of tokens by their standard deviation", NULL},
    {"whiten_advantages", REIN_OPT_BOOL, offsetof(rein_advantage_options, whiten_advantages), "true", 0, 0, NULL,
     "gae: standardise the advantages over the tokens of the batch", NULL},
};
