/* What the commands of the control world share: options whose values struct begins with the environment's own. */
#ifndef REIN_CLI_CONTROL_CLI_H
#define REIN_CLI_CONTROL_CLI_H

#include "cli/cli.h"
#include "env/control/control.h"

/** REIN_ERR_USAGE unless `name` is the control environment's. */
REIN_NODISCARD rein_status rein_control_named(const char *name);

/** Print and release `text`; REIN_ERR_MEMORY if it is not whole. */
REIN_NODISCARD rein_status rein_cli_flush(const rein_cli *cli, rein_str *text);

#endif
