/*
 * One task of the tool world: what is asked, which tools there are, how the world begins, how its end is judged, and what
 * an expert does. Generated tasks (generate.c) and users' tasks (load.c) are the same struct.
 *
 * A slot's folder has one folder a server, named as the server is; paths here are below the slot's folder, so the file
 * report.txt of the domain files is "files/report.txt".
 */
#ifndef REIN_ENV_TOOLS_TASK_H
#define REIN_ENV_TOOLS_TASK_H

#include "base/base.h"
#include "rein/env.h"

enum { REIN_TOOLS_MOST = 16, REIN_TOOLS_LEVELS = 3, REIN_TOOLS_PHRASES = 3 };

typedef enum rein_tools_level { REIN_TOOLS_EASY, REIN_TOOLS_MEDIUM, REIN_TOOLS_HARD } rein_tools_level;
/** "easy", "medium", "hard" */
extern const char *const rein_tools_levels[REIN_TOOLS_LEVELS];
/** Turns of an episode by level, the answer's among them: 5, 8, 10. */
extern const int rein_tools_turns[REIN_TOOLS_LEVELS];

typedef enum rein_tools_check_kind {
    REIN_TOOLS_ANSWER,  /* the final answer holds `text` */
    REIN_TOOLS_MESSAGE, /* a message of the agent in channel `where` holds `text` */
    REIN_TOOLS_FILE,    /* the file `where` holds `text` */
    REIN_TOOLS_ABSENT,  /* there is no file `where` */
    REIN_TOOLS_KEY,     /* what is stored under the key `where` (domain code) holds `text` */
    REIN_TOOLS_DATABASE /* the first value that `query` gives in the SQLite file `where` holds `text` */
} rein_tools_check_kind;
enum { REIN_TOOLS_CHECK_KINDS = REIN_TOOLS_DATABASE + 1 };

/** Holds: as a whole word or number ("12.5" is not in "112.5"), and nowhere `without`. All strings belong to the task. */
typedef struct rein_tools_check {
    rein_tools_check_kind kind;
    const char *where, *text;
    const char *without; /* NULL: anything else may be there */
    const char *query;
} rein_tools_check;

typedef struct rein_tools_step {
    const char *tool, *arguments; /* JSON object */
} rein_tools_step;

typedef enum rein_tools_setup_kind {
    REIN_TOOLS_PUT_FILE,    /* `where` is its path */
    REIN_TOOLS_PUT_MESSAGE, /* `where` is its channel */
    REIN_TOOLS_PUT_DATABASE /* `where` is the path of a SQLite file that is made by the statements `text` */
} rein_tools_setup_kind;

/** What is there at the beginning. */
typedef struct rein_tools_setup {
    rein_tools_setup_kind kind;
    const char *where, *text;
} rein_tools_setup;

typedef struct rein_tools_task {
    rein_arena arena;
    const char *prompt, *category;
    const char *answer; /* what the expert says at the end; NULL: there is no expert */
    rein_tools_level level;
    uint64_t world; /* seed of the generated data */
    int64_t max_turns;
    int needed;  /* calls that an expert needs */
    bool strict; /* a message to a channel that no check names fails the task */
    int n_tool, n_setup, n_step, n_check;
    const char *tool[REIN_TOOLS_MOST];
    rein_tools_setup setup[REIN_TOOLS_MOST];
    rein_tools_step step[REIN_TOOLS_MOST];
    rein_tools_check check[REIN_TOOLS_MOST];
} rein_tools_task;

void rein_tools_task_deinit(rein_tools_task *task);

/* ---- generate.c ---- */

/** What may be drawn. Sets are bits: of domains in the order of rein_tool_domains, of categories, of tools. */
typedef struct rein_tools_pool {
    unsigned domains;
    uint64_t categories, heldout_categories;
    const char *const *heldout_tools; /* NULL-ended, or NULL */
    double mix[REIN_TOOLS_LEVELS];    /* shares of the levels, not all 0 */
    int tools_per_task;
    bool eval_heldout; /* evaluation is on what training never shows, and nothing else */
} rein_tools_pool;

int rein_tools_category_count(void);
const char *rein_tools_category_name(int category);
/** Is the category drawn in this split? */
bool rein_tools_category_in(const rein_tools_pool *pool, int category, rein_split split);

/** Task `index` of a split: a pure function of its arguments. number[0] is the category, number[1] the level.
 *  The pool has a category for every level whose share is not 0 (rein_tools_pool_check). */
void rein_tools_draw(rein_task *out, const rein_tools_pool *pool, uint64_t seed, rein_split split, int64_t index);
/** REIN_ERR_USAGE if a level has a share and no category. */
REIN_NODISCARD rein_status rein_tools_pool_check(const rein_tools_pool *pool);
/** The task behind a drawn one. */
REIN_NODISCARD rein_status rein_tools_generate(rein_tools_task *out, const rein_tools_pool *pool, const rein_task *task);

/* ---- load.c ---- */

typedef struct rein_tools_file {
    rein_tools_task *task; /* (n) */
    int64_t n, cap;
} rein_tools_file;

/** Users' tasks (the format is in load.c). REIN_ERR_USAGE with file:line for what is wrong in the file. */
REIN_NODISCARD rein_status rein_tools_load(rein_tools_file *out, const char *path);
void rein_tools_file_deinit(rein_tools_file *file);

/* ---- check.c ---- */

/** The folder of a slot. */
typedef struct rein_tools_slot {
    const char *folder;
    int root; /* its descriptor */
} rein_tools_slot;

/** Put the beginning of the task into a slot's folder, whose servers' folders are there and empty. */
REIN_NODISCARD rein_status rein_tools_set_up(const rein_tools_task *task, const rein_tools_slot *slot);
/** Which checks hold: met (n_check), and whether nothing was done that nobody asked for (*clean). */
REIN_NODISCARD rein_status rein_tools_judge(bool *met, bool *clean, const rein_tools_task *task,
                                            const rein_tools_slot *slot, const char *answer, size_t len);
/** Does text hold `wanted` as a whole word or number? */
bool rein_tools_holds(const char *text, size_t len, const char *wanted);

#endif
