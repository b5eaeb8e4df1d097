/* Actions as steps of a page's program. */
#ifndef REIN_ENV_BROWSE_STEPS_H
#define REIN_ENV_BROWSE_STEPS_H

#include "browser/browser.h"
#include "env/browse/action.h"

enum { REIN_ACTION_MS = 500 }; /* of the page's time after an action: delayed reactions are seen */

/** Adds what the action does, then REIN_ACTION_MS of the page's time. The steps of an action with an error are none.
 *  What only the page can refuse (no such element) is a refusal of the program. */
void rein_action_steps(rein_page *p, const rein_action *a);

#endif
