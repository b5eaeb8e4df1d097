/*
 * Recording the traffic with tools, and answering from a record.
 *
 * A call is known by its history: a hash of the task's key and of all calls of the episode up to it, with their arguments.
 * A record holds what each history was answered with, and which checks held after it, so that a replayed episode of the
 * same actions has the same observations and the same reward, without the servers. An action that was never recorded is
 * an error of the world, never a guess.
 *
 * A folder has tools.json (what the servers list) and a file a slot, slot-0.jsonl and so on, a line a call.
 */
#ifndef REIN_ENV_TOOLS_RECORD_H
#define REIN_ENV_TOOLS_RECORD_H

#include "base/file.h"
#include "base/json.h"

typedef struct rein_tool_recorded {
    uint64_t history;
    int64_t order; /* as read: of equal histories the first counts */
    const char *text;  /* (len) the answer; NULL: a judgement */
    size_t len;
    bool is_error;
    uint32_t met; /* bit i: check i held */
    bool clean;
} rein_tool_recorded;

/** A record in memory. Zero-initialised: empty. */
typedef struct rein_tool_replay {
    rein_tool_recorded *row; /* (n), sorted */
    int64_t n, cap;
    struct json_object *tools; /* array */
    rein_arena arena;
} rein_tool_replay;

REIN_NODISCARD rein_status rein_tool_replay_open(rein_tool_replay *out, const char *folder);
void rein_tool_replay_close(rein_tool_replay *replay);
/** The answer to a history, or its judgement; NULL: neither was recorded. */
const rein_tool_recorded *rein_tool_replay_answer(const rein_tool_replay *replay, uint64_t history);
const rein_tool_recorded *rein_tool_replay_judgement(const rein_tool_replay *replay, uint64_t history);

/** One more call in a history; the first history of an episode is its task's key. */
uint64_t rein_tool_history(uint64_t before, const char *tool, const char *arguments);

/** Write a slot's part of a record; its folder is made. */
REIN_NODISCARD rein_status rein_tool_record_open(rein_appender *out, rein_arena *arena, const char *folder, int slot,
                                                 struct json_object *tools);
/** `call` is what was answered, for people. */
REIN_NODISCARD rein_status rein_tool_record_answer(rein_appender *to, const rein_tool_recorded *row, const char *tool,
                                                   const char *arguments);
REIN_NODISCARD rein_status rein_tool_record_judgement(rein_appender *to, const rein_tool_recorded *row);

#endif
