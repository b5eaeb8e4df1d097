/*
 * The command table: main.c finds a command, parses its options, runs it and turns its status into an exit status.
 *
 * A command is one cmd_*.c that defines `const rein_command rein_cmd_NAME`. It prints results to cli->out and progress to
 * stderr, and returns errors; it never exits.
 */
#ifndef REIN_CLI_CLI_H
#define REIN_CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "base/option.h"

typedef struct rein_cli {
    FILE *out;       /* results */
    bool json;       /* --json, accepted by every command */
    const char *isa; /* REIN_ISA, or NULL */
    int threads;     /* REIN_NUM_THREADS or OMP_NUM_THREADS, or 0 for all cores */
} rein_cli;

typedef struct rein_command {
    const char *name;      /* "tokenize"; two words ("tokenizer train") are one name with a space */
    const char *subject;   /* "SYSTEM", "RUN", or NULL: what positional words mean, for help */
    const char *summary;   /* one line */
    const rein_option *options;
    int64_t n_options;
    size_t values_size;    /* of the struct that the options fill; 0 if none */
    int min_positional, max_positional;
    rein_status (*run)(const rein_cli *cli, const rein_options *opts, const char **words, int n_words);
    const rein_shared_option *shared; /* instead of options: a table that commands share, which ends with a row without a name */
    unsigned use;                     /* the command's bit in it */
} rein_command;

#endif
