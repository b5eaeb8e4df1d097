/* Every allocation of an operation made to fail, one after the other. */
#ifndef REIN_TEST_ALLOCATIONS_H
#define REIN_TEST_ALLOCATIONS_H

#include "base/base.h"
#include "testing.h"

/**
 * Run `use`, which must succeed, and count its allocations (at least `at_least`, else it does not allocate what the test
 * thinks); then again with the 1st, the 2nd, ... refused: each time it must say REIN_ERR_MEMORY. What it leaks then, the
 * sanitizer build sees.
 */
static inline void refuse_each_allocation(rein_status (*use)(void *user), void *user, int64_t at_least) {
    int64_t before = rein_alloc_count();
    OK(use(user));
    int64_t n = rein_alloc_count() - before;
    assert_true(n >= at_least);
    for (int64_t k = 1; k <= n; k++) {
        rein_alloc_fail_after(k);
        rein_status status = use(user);
        rein_alloc_fail_after(0);
        if (status != REIN_ERR_MEMORY)
            fail_msg("allocation %lld of %lld refused: status %d", (long long)k, (long long)n, (int)status);
    }
}

#endif
