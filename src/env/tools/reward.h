/*
 * What a turn of the tool world earns. An episode's reward is the sum over its turns, component by component.
 *
 * v2 (the default): `success` 1 at the end if every check holds and nothing was done that nobody asked for; `format` -0.05
 * for each turn with a call that cannot be read or does not fit its tool; `efficiency` at most 0.1 at the end of a success,
 * needed / made calls; `repetition` -0.2 if the episode ended because the text went round in circles. Doing nothing is
 * worth 0, and no turn that changes nothing raises the sum.
 *
 * v1 is the earlier reward of seven parts, whose defects are known (docs/tools.md): its authors gave the level reached so
 * far in every turn, so that waiting paid. Here a turn earns the difference of levels, the sum is the level at the end, and
 * what an idle turn (one without a new call that succeeds) says or repeats moves no part upwards.
 */
#ifndef REIN_ENV_TOOLS_REWARD_H
#define REIN_ENV_TOOLS_REWARD_H

#include "env/tools/task.h"

typedef enum rein_tools_version { REIN_TOOLS_V2, REIN_TOOLS_V1 } rein_tools_version;
#define REIN_TOOLS_VERSIONS "v2|v1"

/** One turn as it was. */
typedef struct rein_tools_turn {
    const char *text; /* (len) what the model said */
    size_t len;
    int calls;    /* that were made, those that failed among them; injected failures are not */
    int failed;   /* calls with an error for an answer, unreadable ones too */
    int fresh;    /* successful calls that were not made before with the same arguments */
    int expected; /* tools of the expert that were used for the first time, successfully */
    bool malformed, repetitive, ended;
    bool state, answer, clean; /* do all checks of the end state hold now, those of the answer; nothing unasked done */
} rein_tools_turn;

/** What v1 looks at: parts in [0, 1] times their weights are the level. */
enum { REIN_TOOLS_V1_PARTS = 7 };

/** An episode so far; zero-initialised at its beginning. */
typedef struct rein_tools_ledger {
    int needed, n_expected; /* of the task: calls of an expert, different tools among them */
    int turns, calls, failed, malformed, expected;
    int counted, succeeded, blocks; /* v1: calls and thoughts of turns that were not idle */
    bool erred, retried, unrecovered;
    double reasoning;
    double part[REIN_TOOLS_V1_PARTS]; /* v1's level so far, by part, weighted */
} rein_tools_ledger;

/** Add a turn to the ledger and its components to a score. */
void rein_tools_reward(rein_score *out, rein_tools_ledger *ledger, rein_tools_version version,
                       const rein_tools_turn *turn);

#endif
