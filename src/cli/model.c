/* Opening a device, a model and its tokenizer for a command; see model.h. */
#include "cli/model.h"

#include "base/file.h"
#include "run/resolve.h"

rein_status rein_cli_require(const char *value, const char *option) {
    return value ? REIN_OK : rein_fail(REIN_ERR_USAGE, "option --%s is missing", option);
}

rein_status rein_cli_model_open(rein_cli_model *out, const rein_cli *cli, const char *path) {
    rein_status status;
    char *file;
    *out = (rein_cli_model){0};
    REIN_TRY_OUT(status, rein_model_dir_resolve(&out->dir, &out->arena, path), fail);
    REIN_TRY_OUT(status, rein_device_open_cpu(&out->dev, cli->isa, cli->threads), fail);
    REIN_TRY_OUT(status, rein_model_load(&out->model, out->dir, out->dev, 0), fail);
    REIN_TRY_OUT(status, rein_path_format(&out->arena, &file, "%s/tokenizer.json", out->dir), fail);
    if (rein_path_exists(file)) REIN_TRY_OUT(status, rein_tokenizer_load(&out->tokenizer, file), fail);
    return REIN_OK;
fail:
    rein_cli_model_close(out);
    return status;
}

void rein_cli_model_close(rein_cli_model *m) {
    rein_tokenizer_destroy(m->tokenizer);
    rein_model_destroy(m->model);
    rein_device_close(m->dev);
    rein_arena_deinit(&m->arena);
    *m = (rein_cli_model){0};
}
