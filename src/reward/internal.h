/* What the files of reward/ share: the class of a function, an opened function, columns of a row. */
#ifndef REIN_REWARD_INTERNAL_H
#define REIN_REWARD_INTERNAL_H

#include "base/option.h"
#include "reward/reward.h"

typedef struct rein_reward_func rein_reward_func;

/** A kind of reward function. Exactly one of `score` (an answer at a time) and `batch` is there. */
typedef struct rein_reward_class {
    const char *names; /* "name|alias|alias": any of them in a list, the first in metrics */
    rein_reward_judges judges;
    const rein_option *options; /* parameters; NULL: none, or (batch) the text after the name is the argument */
    int64_t n_options;
    size_t config_size;
    rein_status (*open)(rein_reward_func *f); /* checks parameters; may be NULL */
    void (*close)(rein_reward_func *f);       /* may be NULL */
    rein_status (*score)(double *out, const rein_reward_func *f, const rein_reward_answer *a);
    rein_status (*batch)(double *out, const rein_reward_func *f, const rein_reward_answer *a, int64_t n);
} rein_reward_class;

struct rein_reward_func {
    const rein_reward_class *cls;
    char name[REIN_REWARD_NAME];
    double weight, timeout;
    rein_options options; /* owns the parameters' strings */
    void *config;         /* parameters; NULL: none */
    void *state;          /* the class's own */
    rein_reward_host host; /* of a model's state */
    char *argument;       /* batch without options: the command; owned by options.arena */
};

extern const rein_reward_class rein_reward_accuracy, rein_reward_reasoning, rein_reward_cosine, rein_reward_think, rein_reward_repetition,
    rein_reward_overlong, rein_reward_exact, rein_reward_numeric, rein_reward_regex, rein_reward_json,
    rein_reward_process, rein_reward_model;

/** Length of the first item of a list: up to a comma (or, if `semicolon`, a semicolon) outside of quotes "..." and of
 *  brackets. */
size_t rein_reward_item(const char *list, bool semicolon);

/** A column as text: a string as it is, another value as JSON. *missing: the value is null. REIN_ERR_FORMAT if the row
 *  has no such column (names those that it has). */
REIN_NODISCARD rein_status rein_reward_column(const char **text, size_t *len, bool *missing, struct json_object *row,
                                              const char *column);

/** The part of a text between white space. */
void rein_reward_trim(const char **text, size_t *len);

/** Last decimal number of a text ("1,234.5", "-3e2"; of "5-3" it is 3): where it is, its value. False if there is none. */
bool rein_reward_number_span(const char **number, size_t *n, const char *text, size_t len);
bool rein_reward_last_number(double *out, const char *text, size_t len);

/** REIN_ERR_ARG unless the answer has its token ids. */
REIN_NODISCARD rein_status rein_reward_need_ids(const rein_reward_func *f, const rein_reward_answer *a);

#endif
