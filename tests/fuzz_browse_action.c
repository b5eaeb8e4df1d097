/* libFuzzer: the input is what a model said. It is an action or has an error that says why not. */
#include <string.h>

#include "env/browse/action.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_action a;
    REIN_ASSERT(rein_action_read(&a, size ? (const char *)data : "", size) == REIN_OK);
    REIN_ASSERT(memchr(a.error, '\0', sizeof a.error) != NULL);
    REIN_ASSERT(a.n_text >= 0 && a.n_text <= REIN_ACTION_TEXTS);
    if (!a.error[0] && a.verb <= REIN_ACTION_PRESS) REIN_ASSERT(a.ref > 0);
    rein_action_deinit(&a);
    return 0;
}
