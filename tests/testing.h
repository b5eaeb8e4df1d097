/* What the tests share: cmocka with its required headers, and a check of rein_status that prints the error trace. */
#ifndef REIN_TESTING_H
#define REIN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rein/status.h"

#define OK(expr)                                                                                                       \
    do {                                                                                                               \
        if ((expr) != REIN_OK) fail_msg("%s: %s\n%s", #expr, rein_error_message(), rein_error_frames());               \
    } while (0)

#define FAILS_WITH(code, expr) assert_int_equal((expr), (code))

#endif
