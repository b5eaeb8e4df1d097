/*
 * Rewards of the control world as named components that add up to the total exactly: every published version, and v2.0.
 *
 *   v1.0  cost/100 and terminal tiers           v1.2  bounded cost, progress, shaping, 8 a violation
 *   v1.1  as v1.0 with cost/10, larger tiers    v1.3  as v1.2, violations capped at 20, graded validity
 *
 *   v2.0  200 - 25 log(1 + cost) + 25 exp(-10 final error), violations as in v1.3, not below 0: an equal share of the cost
 *         is worth the same from every start, where v1.2 and v1.3 pay for small and smooth controls instead
 *
 * v1.1 was never published as code: it is reconstructed from its description (-cost/10; 50/25/10/2 or -50 error^2;
 * -10 a violation; validity +3/-5).
 *
 * Mode `compat` simulates as the originals did: states are put back into the box at every step, so that v1.3's validity
 * is a constant. Mode `fixed` scores what really happens, the trajectory that decides success.
 */
#ifndef REIN_ENV_CONTROL_REWARD_H
#define REIN_ENV_CONTROL_REWARD_H

#include "env/control/answer.h"
#include "env/control/rollout.h"
#include "rein/env.h"

typedef enum rein_control_version {
    REIN_REWARD_V10,
    REIN_REWARD_V11,
    REIN_REWARD_V12,
    REIN_REWARD_V13,
    REIN_REWARD_V20
} rein_control_version;
#define REIN_REWARD_VERSIONS "v1.0|v1.1|v1.2|v1.3|v2.0"
typedef enum rein_control_mode { REIN_REWARD_FIXED, REIN_REWARD_COMPAT } rein_control_mode;
#define REIN_REWARD_MODES "fixed|compat"

/** Named components in a fixed order for a version, whatever the answer. */
typedef struct rein_reward_parts {
    int n;
    rein_named part[REIN_SCORE_PARTS];
} rein_reward_parts;

/** How many components of a score are about its form (format_exact, format_approx, malformed); they come first. */
enum { REIN_REWARD_FORM_PARTS = 3 };

void rein_reward_add(rein_reward_parts *parts, const char *name, double value);
/** Sum of the components in their order. */
double rein_reward_total(const rein_reward_parts *parts);

/** Append the components of the control reward. u (rollout->steps) are the controls as asked for. The rollout must be
 * of the mode: states clamped for compat. */
void rein_reward_control(rein_reward_parts *parts, rein_control_version version, const rein_rollout *rollout,
                         const double *u);
/** The same names for an answer that cannot be simulated, all 0. */
void rein_reward_control_absent(rein_reward_parts *parts, rein_control_version version);
/** format_exact and format_approx: 1 and 0.2 + 0.2 + 0.1 (else -0.5 each); v1.0: 3 and 0.5 each (else -1). */
void rein_reward_format(rein_reward_parts *parts, rein_control_version version, const rein_layout *layout);
/** 0; -5 for a wrong number of controls; -10 for any other malformed list. */
double rein_reward_malformed(rein_answer_error error);

#endif
