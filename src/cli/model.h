/* Opening what most commands need: a device, a model (directory, checkpoint, run or adapter) and its tokenizer if any. */
#ifndef REIN_CLI_MODEL_H
#define REIN_CLI_MODEL_H

#include "cli/cli.h"
#include "model/model.h"
#include "text/tokenizer.h"

typedef struct rein_cli_model {
    rein_device *dev;
    rein_model *model;
    rein_tokenizer *tokenizer; /* NULL if the directory has none */
    char *dir;                 /* where the weights came from: the model's, or the adapter's directory */
    rein_arena arena;
} rein_cli_model;

/** A model to compute with, not to train: its weights stay in the file. */
REIN_NODISCARD rein_status rein_cli_model_open(rein_cli_model *out, const rein_cli *cli, const char *path);

/** A model with an adapter on it (NULL: none). `trained`: what gradients are wanted of is trained, the adapter or, without
 *  one, the whole model. */
REIN_NODISCARD rein_status rein_cli_model_open_adapted(rein_cli_model *out, const rein_cli *cli, const char *path,
                                                       const char *adapter, bool trained);
void rein_cli_model_close(rein_cli_model *m);

/** REIN_ERR_USAGE naming the option if `value` is NULL. */
REIN_NODISCARD rein_status rein_cli_require(const char *value, const char *option);

#endif
