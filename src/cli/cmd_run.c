/* rein run RECIPE.yaml: a whole pipeline; see recipe.h. */
#include "cli/commands.h"
#include "cli/recipe.h"

typedef struct values {
    const char *output_dir, *name;
} values;

static const rein_option options[] = {
    {"output_dir", REIN_OPT_STRING, offsetof(values, output_dir), NULL, 0, 0, NULL,
     "the pipeline's folder (default: runs/NAME)", "DIR"},
    {"name", REIN_OPT_STRING, offsetof(values, name), NULL, 0, 0, NULL, "name of the run (default: the recipe's)", "NAME"},
};

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    return rein_recipe_run(cli, &(rein_recipe_args){.path = words[0], .name = v->name, .dir = v->output_dir,
                                                    .set = words + 1, .n_set = n_words - 1});
}

const rein_command rein_cmd_run = {"run", "RECIPE.yaml [STAGE.OPTION=VALUE]... [VARIABLE=VALUE]...",
                                   "a whole pipeline; resumes where it stopped", options, REIN_COUNT(options),
                                   sizeof(values), 1, 64, run, NULL, 0};
