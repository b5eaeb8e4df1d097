/* The options of the policy losses as a table: names, defaults and help of `rein loss`'s cases. */
#ifndef REIN_RL_LOSS_ROWS_H
#define REIN_RL_LOSS_ROWS_H

#include "base/option.h"

/** Offsets are into rein_loss_options. Ranges that rein_loss_options_check has are not repeated. */
enum { REIN_LOSS_ROWS = 31 };
extern const rein_option rein_loss_rows[REIN_LOSS_ROWS];

#endif
