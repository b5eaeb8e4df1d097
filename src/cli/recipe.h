/*
 * Recipes: pipelines of commands, read from YAML and run in one process, one stage after the other.
 *
 *   name: control-quick
 *   vars:                       # {env}, {run} and other names in braces are replaced in every value
 *     env: control:decimals=1
 *   stages:
 *     - name: sft
 *       run: sft                # any command but run and sweep
 *       args: [a, b]            # its positional words
 *       options: {output_dir: "{run}/sft", learning_rate: 1e-3}
 *
 * Instead of stages, `include: OTHER.yaml` takes those of a recipe beside this one, and `foreach: {seed: [1, 2, 3]}` runs
 * all stages once for each value, as NAME-VALUE/STAGE in {run} = FOLDER/NAME-VALUE, with {seed} set.
 *
 * The pipeline's folder is a run of kind "pipeline" that records which stages are done, so the same command again goes on
 * where it stopped.
 */
#ifndef REIN_CLI_RECIPE_H
#define REIN_CLI_RECIPE_H

#include "cli/cli.h"

typedef struct rein_recipe_args {
    const char *path;       /* of the YAML file */
    const char *name;       /* of the run; NULL: the recipe's */
    const char *dir;        /* the pipeline's folder; NULL: runs/NAME */
    const char *const *set; /* (n_set) STAGE.OPTION=VALUE or VARIABLE=VALUE */
    int n_set;
} rein_recipe_args;

/** Run a recipe, or what is left of it. REIN_ERR_USAGE naming file:line:column, or the word of `set`, before anything
 *  runs; else the first stage's error. */
REIN_NODISCARD rein_status rein_recipe_run(const rein_cli *cli, const rein_recipe_args *args);

/* ---- reading, shared with other files of recipes ---- */

struct rein_yaml_node;
/** REIN_ERR_USAGE: "file:line:column: what". */
REIN_NODISCARD rein_status rein_recipe_bad(const struct rein_yaml_node *n, const char *what);
/** REIN_ERR_USAGE if a key of the mapping is none of (n) keys. */
REIN_NODISCARD rein_status rein_recipe_keys(const struct rein_yaml_node *map, const char *const *keys, int64_t n);
/** `name` as it is seen from the file `path`: in its folder. */
REIN_NODISCARD rein_status rein_recipe_beside(rein_arena *arena, char **out, const char *path, const char *name);

#endif
