/* All commands of this build, and what several of them share. */
#ifndef REIN_CLI_COMMANDS_H
#define REIN_CLI_COMMANDS_H

#include "base/json.h"
#include "cli/cli.h"
#include "text/tokenizer.h"

extern const rein_command *const rein_commands[]; /* NULL-ended, in the order of help */
extern const rein_command rein_cmd_run, rein_cmd_sweep; /* which are no stages of a recipe */

/** The command's rows with their defaults, as rein_options_init. */
REIN_NODISCARD rein_status rein_command_options(rein_options *opts, const rein_command *c, void *values);

/** Ids of a JSON array of integers, appended. */
REIN_NODISCARD rein_status rein_cli_ids(rein_ids *out, struct json_object *array);
/** Ids of a row {"ids":[..]} or {"text":str} (which needs a tokenizer), appended. */
REIN_NODISCARD rein_status rein_cli_row_ids(rein_ids *out, const rein_tokenizer *tokenizer, struct json_object *row);
void rein_cli_put_ids(rein_str *s, const int32_t *ids, int64_t n);

#endif
