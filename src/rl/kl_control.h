/*
 * Control of the KL to the reference policy: its coefficient, and a cap that refuses updates.
 *
 * Pure state machines: the state is a plain struct of numbers that a checkpoint keeps, and is set by its init function.
 */
#ifndef REIN_RL_KL_CONTROL_H
#define REIN_RL_KL_CONTROL_H

#include "base/base.h"

/** `kl_ctrl`, in the order of REIN_KL_CONTROL_CHOICES. */
typedef enum rein_kl_control_type {
    REIN_KL_FIXED,
    REIN_KL_ADAPTIVE, /* proportional, Ziegler et al. 2019, arXiv:1909.08593, section 2.2 */
    REIN_KL_BAND      /* up or down by a factor outside a band around the target */
} rein_kl_control_type;
#define REIN_KL_CONTROL_CHOICES "fixed|adaptive|band"

typedef struct rein_kl_control_options {
    rein_kl_control_type type;
    double kl_coef;   /* at the start, >= 0; adaptive and band: > 0 */
    double target_kl; /* nats, in the unit of the measured KL; > 0 */
    double horizon;   /* adaptive: sequences over which an error of 20 % changes the coefficient by as much; > 0 */
    double tolerance; /* band: relative half-width, in [0, 1) */
    double factor;    /* band: > 1 */
    double min, max;  /* band: of the coefficient */
} rein_kl_control_options;

/** fixed 0.001, target 0.1 and horizon 10000 (verl); band 15 %, factor 1.5, within [1e-6, 10]. */
rein_kl_control_options rein_kl_control_options_default(void);
/** REIN_ERR_USAGE, with the option's name and value, if one is out of range. */
REIN_NODISCARD rein_status rein_kl_control_options_check(const rein_kl_control_options *opt);

/**
 * The next coefficient.
 *
 *   adaptive   coef (1 + clip(kl / target - 1, -0.2, 0.2) sequences / horizon)
 *   band       coef factor if kl > target (1 + tolerance), coef / factor if kl < target (1 - tolerance); within [min,
 * max]
 *
 * @param coef       in force so far; kl_coef before the first update.
 * @param kl         measured in this step, nats; one that is not finite changes nothing.
 * @param sequences  of the step.
 */
double rein_kl_control_next(const rein_kl_control_options *opt, double coef, double kl, int64_t sequences);

/* ---- the cap ---- */

typedef struct rein_kl_cap_options {
    double cap;           /* nats; an update after which the KL is above it is refused; 0: no cap */
    int64_t max_refusals; /* in a row, then training stops; 0: never */
} rein_kl_cap_options;

/** Part of a checkpoint; starts zeroed. */
typedef struct rein_kl_cap_state {
    int64_t refused; /* of all updates */
    int64_t in_row;  /* since the last one that was allowed */
} rein_kl_cap_state;

typedef enum rein_kl_verdict { REIN_KL_ALLOW, REIN_KL_REFUSE, REIN_KL_STOP } rein_kl_verdict;

/** REIN_ERR_USAGE if the cap is negative or refusals are to be counted without one. */
REIN_NODISCARD rein_status rein_kl_cap_options_check(const rein_kl_cap_options *opt);

/** Whether the update with this KL is applied; counts. A KL that is not finite is above any cap. STOP is a refusal that
 *  is the max_refusals-th in a row. */
rein_kl_verdict rein_kl_cap_judge(rein_kl_cap_state *state, const rein_kl_cap_options *opt, double kl);

#endif
