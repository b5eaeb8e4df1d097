/* Opening what most commands need: a device, a model (directory, checkpoint, run or adapter) and its tokenizer if any. */
#ifndef REIN_CLI_MODEL_H
#define REIN_CLI_MODEL_H

#include "cli/cli.h"
#include "model/model.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/** Of an option --max_model_length. */
#define REIN_CLI_MAX_LENGTH_HELP "positions, for which dynamic rotary frequencies are made too; 0: the config's"

typedef struct rein_cli_model {
    rein_device *dev;
    rein_model *model;
    rein_tokenizer *tokenizer; /* NULL if the model has none */
    char *dir;                 /* where the weights came from: the model, or the adapter's directory */
    rein_arena arena;
} rein_cli_model;

/** A model to compute with, not to train: its weights stay in the file. max_pos: as in rein_model_options. */
REIN_NODISCARD rein_status rein_cli_model_open(rein_cli_model *out, const rein_cli *cli, const char *path,
                                               int64_t max_pos);

/** A model with an adapter on it (NULL: none). `trained`: what gradients are wanted of is trained, the adapter or, without
 *  one, the whole model. */
REIN_NODISCARD rein_status rein_cli_model_open_adapted(rein_cli_model *out, const rein_cli *cli, const char *path,
                                                       const char *adapter, int64_t max_pos, bool trained);
void rein_cli_model_close(rein_cli_model *m);

/** The model's chat template, caller owns; an error if it has none. */
REIN_NODISCARD rein_status rein_cli_model_chat(rein_chat_template **out, const rein_cli_model *m);

/** Tokenizer and, unless `chat` is NULL, chat template (NULL: none) of a model whose weights do not matter: a directory, a
 *  GGUF file, an adapter or a run. Caller owns both. */
REIN_NODISCARD rein_status rein_cli_tokenizer_open(rein_tokenizer **tok, rein_chat_template **chat, const char *path);

/** REIN_ERR_USAGE naming the option if `value` is NULL. */
REIN_NODISCARD rein_status rein_cli_require(const char *value, const char *option);

#endif
