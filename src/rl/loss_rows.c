/* The options of the policy losses; see loss_rows.h. */
#include "rl/loss_rows.h"

#define AT(member) offsetof(rein_loss_options, member)
#define ROW(...) {__VA_ARGS__}

const rein_option rein_loss_rows[REIN_LOSS_ROWS] = {
    {"loss_type", REIN_OPT_CHOICE, offsetof(rein_loss_options, loss_type), "dapo", 0, 0, REIN_LOSS_TYPE_CHOICES,
     "policy loss", NULL},
    {"beta", REIN_OPT_FLOAT, offsetof(rein_loss_options, beta), "0", 0, 0, NULL,
     "weight of the KL term to the reference; 0: none", NULL},
    {"kl_estimator", REIN_OPT_CHOICE, offsetof(rein_loss_options, kl_estimator), "k3", 0, 0, REIN_KL_CHOICES,
     "estimator of the KL term; +: its value with the gradient of k2", NULL},
    {"epsilon", REIN_OPT_FLOAT, offsetof(rein_loss_options, epsilon), "0.2", 0, 0, NULL,
     "clip range below 1 (and above, unless epsilon_high)", NULL},
    {"entropy_coef", REIN_OPT_FLOAT, offsetof(rein_loss_options, entropy_coef), "0", 0, 0, NULL,
     "weight of the entropy bonus; 0: none", NULL},
    REIN_LOSS_SHARED_ROWS(AT, ROW),
};
