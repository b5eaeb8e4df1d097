/* Opening a device, a model and its tokenizer for a command; see model.h. */
#include "cli/model.h"

#include "base/file.h"
#include "run/resolve.h"

rein_status rein_cli_require(const char *value, const char *option) {
    return value ? REIN_OK : rein_fail(REIN_ERR_USAGE, "option --%s is missing", option);
}

/* The tokenizer lies beside the weights; an adapter without one has its base's. */
static rein_status open_tokenizer(rein_cli_model *m) {
    char *file;
    REIN_TRY(rein_path_format(&m->arena, &file, "%s/tokenizer.json", m->dir));
    if (!rein_path_exists(file) && m->model->source)
        REIN_TRY(rein_path_format(&m->arena, &file, "%s/tokenizer.json", rein_source_path(m->model->source)));
    return rein_path_exists(file) ? rein_tokenizer_load(&m->tokenizer, file) : REIN_OK;
}

rein_status rein_cli_model_open_adapted(rein_cli_model *out, const rein_cli *cli, const char *path, const char *adapter,
                                        bool trained) {
    rein_model_options o = {.frozen = !trained};
    rein_status status;
    char *dir, *base;
    *out = (rein_cli_model){0};
    REIN_TRY_OUT(status, rein_model_dir_resolve(&base, &out->arena, path), fail);
    out->dir = base;
    if (adapter) {
        REIN_TRY_OUT(status, rein_model_dir_resolve(&dir, &out->arena, adapter), fail);
        out->dir = dir;
        o.adapter = dir;
    }
    REIN_TRY_OUT(status, rein_device_open_cpu(&out->dev, cli->isa, cli->threads), fail);
    REIN_TRY_OUT(status, rein_model_load(&out->model, base, out->dev, &o), fail);
    REIN_TRY_OUT(status, open_tokenizer(out), fail);
    return REIN_OK;
fail:
    rein_cli_model_close(out);
    return status;
}

rein_status rein_cli_model_open(rein_cli_model *out, const rein_cli *cli, const char *path) {
    return rein_cli_model_open_adapted(out, cli, path, NULL, false);
}

void rein_cli_model_close(rein_cli_model *m) {
    rein_tokenizer_destroy(m->tokenizer);
    rein_model_destroy(m->model);
    rein_device_close(m->dev);
    rein_arena_deinit(&m->arena);
    *m = (rein_cli_model){0};
}
