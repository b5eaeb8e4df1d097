/*
 * Estimators of KL(policy || reference) from the log-probs of one sampled token, with their derivatives.
 *
 * With x = log pi(y) - log ref(y), y drawn from pi (Schulman 2020, "Approximating KL divergence"):
 *
 *   k1          x                    unbiased, may be negative
 *   k2          x^2 / 2              biased, its gradient is that of the KL
 *   k3          exp(-x) + x - 1      unbiased, >= 0; TRL's
 *   abs         |x|
 *   low_var_kl  k3, at most 10; verl's k3
 *
 * A `+` takes the value of the estimator and the gradient of k2 (verl's straight-through form).
 */
#ifndef REIN_RL_KL_H
#define REIN_RL_KL_H

/** `kl_estimator`, in the order of REIN_KL_CHOICES. The `+` form of e is e + REIN_KL_PLUS. */
typedef enum rein_kl_estimator {
    REIN_KL_K1,
    REIN_KL_K2,
    REIN_KL_K3,
    REIN_KL_ABS,
    REIN_KL_LOW_VAR,
    REIN_KL_K1_PLUS,
    REIN_KL_K2_PLUS,
    REIN_KL_K3_PLUS,
    REIN_KL_ABS_PLUS,
    REIN_KL_LOW_VAR_PLUS,
    REIN_KL_PLUS = REIN_KL_K1_PLUS
} rein_kl_estimator;
#define REIN_KL_CHOICES "k1|k2|k3|abs|low_var_kl|k1+|k2+|k3+|abs+|low_var_kl+"

/** The estimate, nats. k2, k3, abs and low_var_kl are 0 exactly where both log-probs are equal, and else > 0. */
double rein_kl_value(rein_kl_estimator e, double logp, double ref_logp);

/** d value / d logp, or that of k2 for a `+` form. 0 where the bound holds, and for abs at equal log-probs. */
double rein_kl_slope(rein_kl_estimator e, double logp, double ref_logp);

#endif
