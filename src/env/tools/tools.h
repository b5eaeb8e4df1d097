/*
 * The tool world: tasks that are solved by calling tools over several turns.
 *
 * A task names a handful of tools, most of which it needs. Each turn the model writes calls (text/toolcall.h) and reads
 * their results; a turn without a call is its answer and ends the episode. Success is a matter of the real end state (files,
 * messages) and of the answer, never of which calls were made.
 *
 * The tools are those of the built-in domains (domain.h), called in this process, or servers of their own over MCP. A slot is
 * a folder with one folder a server; a reset wipes it. Observations are a pure function of task, seed and actions.
 */
#ifndef REIN_ENV_TOOLS_TOOLS_H
#define REIN_ENV_TOOLS_TOOLS_H

#include "env/tools/link.h"
#include "env/tools/record.h"
#include "env/tools/reward.h"
#include "text/toolcall.h"

typedef enum rein_tools_faults { REIN_FAULTS_NONE, REIN_FAULTS_TURN7, REIN_FAULTS_RANDOM } rein_tools_faults;
enum { REIN_TOOLS_SIGNATURES, REIN_TOOLS_NATIVE };
enum { REIN_TOOLS_DIRECT, REIN_TOOLS_MCP };
enum { REIN_TOOLS_BWRAP, REIN_TOOLS_NO_SANDBOX };

/** Values of the class's options. */
typedef struct rein_tools_config {
    const char *domains, *mix, *categories, *heldout_categories, *heldout_tools;
    int64_t tools_per_task, max_observation, max_calls;
    bool eval_heldout, aliases;
    int call_format;  /* rein_toolcall_format */
    int tools_format; /* REIN_TOOLS_SIGNATURES or REIN_TOOLS_NATIVE */
    int reward;       /* rein_tools_version */
    int error_injection; /* rein_tools_faults */
    double error_rate;
    const char *folder;
    int transport; /* REIN_TOOLS_DIRECT or REIN_TOOLS_MCP */
    int sandbox;   /* REIN_TOOLS_BWRAP or REIN_TOOLS_NO_SANDBOX */
    const char *server_command, *servers, *tasks, *eval_tasks, *record, *replay;
    bool shuffle_tasks;
    int64_t server_memory; /* MiB */
    double server_timeout; /* s */
} rein_tools_config;

typedef struct rein_tools {
    rein_env env;
    rein_tools_config config; /* of its strings, folder, server_command and record live on */
    rein_arena arena;
    rein_tools_pool pool;
    rein_tool_server server[REIN_TOOL_SERVERS];
    int n_server;
    rein_tools_file own[2]; /* users' tasks, by REIN_SPLIT_TRAIN and REIN_SPLIT_EVAL; none: tasks are generated */
    /* Tools of the user's servers, as they list them; JSON in `arena`. */
    const char **tool_name, **tool_text; /* (n_tool) */
    int64_t n_tool;
    rein_tool_replay replay; /* its tools are NULL if there is none */
} rein_tools;

extern const rein_env_class rein_tools_class;

/** The task behind a drawn one. Its strings may be the environment's. */
REIN_NODISCARD rein_status rein_tools_task_make(rein_tools_task *out, const rein_tools *world, const rein_task *task);
/** The system's message: how to call, and (tools_format signatures) the tools. `tools` is an array of tools. */
REIN_NODISCARD rein_status rein_tools_system_text(rein_str *out, const rein_tools *world, struct json_object *tools);

/* ---- alias.c: what models call tools and arguments that have other names ---- */

/** The name that is meant: `name` itself if any server has such a tool (`all`), else its alias if `tools` has that one;
 *  borrowed. */
const char *rein_tools_alias(struct json_object *all, struct json_object *tools, const char *name);
/** Rename arguments that the tool does not have to those it has and that are not given; returns how many. */
int rein_tools_alias_arguments(struct json_object *tool, struct json_object *args);

/** The tool of that name in an array of tools, borrowed, or NULL. */
struct json_object *rein_tools_named(struct json_object *tools, const char *name);

/* ---- episode.c ---- */

extern const rein_turns rein_tools_turns_of_class;
/** Start the servers once and note what tools they have: tool_name, tool_text, n_tool. */
REIN_NODISCARD rein_status rein_tools_probe(rein_tools *world);

#endif
