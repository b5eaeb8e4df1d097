/* Shared by the commands of the control world; see control_cli.h. */
#include "cli/control_cli.h"

#include <stdio.h>
#include <string.h>

rein_status rein_control_named(const char *name) {
    if (strcmp(name, rein_control_class.name) == 0) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "'%s' has no rewards or data sets here; known: %s", name, rein_control_class.name);
}

rein_status rein_cli_flush(const rein_cli *cli, rein_str *text) {
    rein_status status = rein_str_check(text);
    if (status == REIN_OK && text->len && fwrite(text->data, 1, text->len, cli->out) != text->len)
        status = rein_fail(REIN_ERR_IO, "cannot write the result");
    rein_str_deinit(text);
    return status;
}
