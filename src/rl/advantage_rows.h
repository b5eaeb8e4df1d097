/* The options of the advantages as a table: names, defaults and help of `rein loss`'s cases. */
#ifndef REIN_RL_ADVANTAGE_ROWS_H
#define REIN_RL_ADVANTAGE_ROWS_H

#include "base/option.h"

/** Offsets are into rein_advantage_options, all but reward_clip_low and _high. Ranges that rein_advantage_options_check
 *  has are not repeated. */
enum { REIN_ADVANTAGE_ROWS = 10 };
extern const rein_option rein_advantage_rows[REIN_ADVANTAGE_ROWS];

#endif
