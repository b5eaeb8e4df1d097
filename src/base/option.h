/*
 * The typed option table: one `const` array per command drives command-line and YAML parsing, ranges, help, the stored
 * effective configuration and its JSON Schema.
 *
 * Values live in a plain struct of the command; a row names the member by offset. Member types: BOOL bool, INT int64_t,
 * FLOAT double, STRING const char * (NULL when unset), CHOICE int (index into `choices`).
 * Every error is REIN_ERR_USAGE and names the option, the value, where it came from (file:line:column or the command
 * line) and what would be right; an unknown name is answered with the nearest known one (edit distance).
 */
#ifndef REIN_BASE_OPTION_H
#define REIN_BASE_OPTION_H

#include "base/base.h"

typedef enum rein_option_type {
    REIN_OPT_BOOL,
    REIN_OPT_INT,
    REIN_OPT_FLOAT,
    REIN_OPT_STRING,
    REIN_OPT_CHOICE
} rein_option_type;

typedef struct rein_option rein_option;
struct rein_option {
    const char *name; /* as on the command line without dashes, e.g. "learning_rate" */
    rein_option_type type;
    size_t offset;       /* of the member in the values struct */
    const char *def;     /* default in the same syntax as user input; NULL: unset (STRING only) */
    double min, max;     /* inclusive range of INT and FLOAT, may be infinite; both 0 means unlimited */
    const char *choices; /* CHOICE: "linear|cosine|constant" */
    const char *help;    /* one line: meaning, unit */
    const char *metavar; /* in help: FILE, DIR, N...; NULL: from the type */
};

/** A row of a table that commands share. */
typedef struct rein_shared_option {
    rein_option option;
    unsigned use; /* bits of the commands that have it; 0: all */
} rein_shared_option;

/** What another program calls an option. */
typedef struct rein_option_alias {
    const char *name;   /* or its end behind a dot: "actor.clip_ratio" is also given as "clip_ratio" */
    const char *option; /* NULL: there is none */
    const char *values; /* "true=group|false=none": what its values are here; others are refused, or with "|*" at the
                           end taken as they are; NULL: all are */
    const char *say;    /* where there is no such option or value: what to write */
    unsigned use;       /* bits of the commands that take it */
} rein_option_alias;

typedef struct rein_options {
    const rein_option *rows;
    int64_t n_rows;
    const rein_option_alias *aliases; /* or NULL; ends with a row without a name */
    unsigned use;                     /* bit of the command, for aliases */
    void *values;           /* the command's struct */
    bool *is_set;           /* (n_rows) given by the user, not by default */
    unsigned char *sources; /* (n_rows) bit s: set by source s */
    rein_arena arena;       /* owns strings */
} rein_options;

/** Fill `values` with the defaults. The rows and values must outlive *opts. Pair with rein_options_deinit. */
REIN_NODISCARD rein_status rein_options_init(rein_options *opts, const rein_option *rows, int64_t n_rows, void *values);
/** As rein_options_init with the rows of one command (`use` is its bit) of a shared table, which ends with a row without a
 *  name. */
REIN_NODISCARD rein_status rein_options_init_use(rein_options *opts, const rein_shared_option *rows, unsigned use,
                                                 void *values);
void rein_options_deinit(rein_options *opts);

/** Take options by these names, too. Own names go first; an option given by two names is given twice. */
void rein_options_accept(rein_options *opts, const rein_option_alias *aliases, unsigned use);

/** Set one option from text; `where` is quoted in errors ("command line", "run.yaml:3:5"). A second set from the same
 *  `source` id is refused as a duplicate; a higher `source` (0 default, 1 file, 2 command line) wins over a lower. */
REIN_NODISCARD rein_status rein_options_set(rein_options *opts, const char *name, const char *text, int source,
                                            const char *where);

/** Parse `--name value`, `--name=value`, and `--flag` (BOOL alone means true); a value may begin with '-'. Words that
 *  are no option are kept in `positional` (borrowed from argv, at most max_positional; one more is an error).
 *  `--config FILE` (if the table has an option "config") is loaded first, so that the command line wins. After `--`
 *  every word is positional; a value that begins with "--" is written `--name=--value`. */
REIN_NODISCARD rein_status rein_options_parse_args(rein_options *opts, int argc, char **argv, const char **positional,
                                                   int max_positional, int *n_positional);

/** A YAML mapping of scalars: file of a run, or one stage of a recipe (see yaml.h); null unsets a STRING. A file cannot
 *  set "config": it is where values come from, no value. */
struct rein_yaml_node;
REIN_NODISCARD rein_status rein_options_load_yaml(rein_options *opts, const struct rein_yaml_node *mapping);

/** Effective values, in the table's order and without "config": YAML lines "name: value\n", which load again to the
 *  same values; a JSON object; a JSON Schema of the YAML file; help text. */
void rein_options_write_yaml(const rein_options *opts, rein_str *out);
void rein_options_write_schema(const rein_options *opts, const char *title, rein_str *out);
void rein_options_write_help(const rein_options *opts, rein_str *out);

/** The index-th of the choices "a|b|c", `*len` bytes, borrowed; NULL if there are fewer. */
const char *rein_choice_name(const char *choices, int index, int *len);

/** Exactly n finite numbers with commas between, for values that are lists; false for any other text. */
bool rein_option_numbers(double *out, int64_t n, const char *text);

/** Nearest of n names by edit distance, or NULL if none is within a third of the longer one's length ("did you mean").
 */
const char *rein_nearest_name(const char *name, const char *const *names, int64_t n);

#endif
