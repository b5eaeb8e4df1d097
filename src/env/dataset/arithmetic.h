/*
 * Generated arithmetic: expressions and word problems with whole-number answers, for the environment "dataset".
 *
 * Problem number c of a seed is a pure function of both; a problem whose text hashes to 0 modulo 8 is held out, so that
 * no prompt is in both splits, whatever the seed and the sizes. Rows of a file are all different.
 */
#ifndef REIN_ENV_DATASET_ARITHMETIC_H
#define REIN_ENV_DATASET_ARITHMETIC_H

#include "base/base.h"
#include "rein/env.h"

typedef enum rein_arithmetic_kind { REIN_ARITHMETIC_EXPRESSION, REIN_ARITHMETIC_WORDS, REIN_ARITHMETIC_BOTH } rein_arithmetic_kind;
#define REIN_ARITHMETIC_KINDS "expression|words|both"

/** {"prompt","answer"} as text, the same with the prompt as a conversation, or {"prompt","completion","answer"}. */
typedef enum rein_arithmetic_style { REIN_ARITHMETIC_PROMPT, REIN_ARITHMETIC_MESSAGES, REIN_ARITHMETIC_COMPLETION } rein_arithmetic_style;
#define REIN_ARITHMETIC_STYLES "prompt|messages|completion"

typedef struct rein_arithmetic_config {
    int kind, style;
    int64_t terms;          /* numbers of an expression, 2 .. 6 */
    int64_t max_value;      /* largest number of a problem */
    const char *operations; /* of expressions: some of "+-*" */
    const char *suffix;     /* behind each question, "" for none */
} rein_arithmetic_config;

/**
 * Write `n` rows of a split to `path`. A file that is there with other bytes is never replaced.
 *
 * @return REIN_ERR_USAGE for a wrong configuration, or if there are too few different problems of this difficulty (says
 *         how many were found); REIN_ERR_IO.
 */
REIN_NODISCARD rein_status rein_arithmetic_write(const char *path, const rein_arithmetic_config *config, uint64_t seed,
                                                 rein_split split, int64_t n);

#endif
