/* What option.c and option_write.c share. */
#ifndef REIN_BASE_OPTION_VALUE_H
#define REIN_BASE_OPTION_VALUE_H

#include "base/option.h"

/* The option that names a file of options; it is no setting itself and never written. */
#define rein_option_config "config"

/** A value of any option; the row's type says which member counts. */
typedef union rein_option_value {
    bool boolean;
    int64_t integer;
    double number;
    const char *string; /* borrowed, or NULL: unset */
    int choice;
} rein_option_value;

/** Text to value, checked against type, choices and range. NULL text is null: unset for a STRING, else an error. */
REIN_NODISCARD rein_status rein_option_parse(rein_option_value *out, const rein_option *row, const char *text,
                                             const char *where);

/** Walks "linear|cosine|constant". Start with {.next = row->choices}. */
typedef struct rein_choice {
    const char *name, *next; /* name is not NUL-terminated */
    size_t len;
    int index;
} rein_choice;
bool rein_choice_next(rein_choice *choice);

#endif
