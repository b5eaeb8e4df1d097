/* Opening a device, a model and its tokenizer for a command; see model.h. */
#include "cli/model.h"

#include "base/file.h"
#include "io/model_text.h"
#include "run/resolve.h"
#include "run/run.h"

rein_status rein_cli_require(const char *value, const char *option) {
    return value ? REIN_OK : rein_fail(REIN_ERR_USAGE, "option --%s is missing", option);
}

static const char *base_of(const rein_cli_model *m) {
    return m->model->source ? rein_source_path(m->model->source) : NULL;
}

rein_status rein_cli_model_chat(rein_chat_template **out, const rein_cli_model *m) {
    return rein_model_text_need_chat(out, m->dir, base_of(m));
}

static rein_status open_texts(rein_tokenizer **tok, rein_chat_template **chat, const char *dir) {
    REIN_TRY(rein_model_text_tokenizer(tok, dir, NULL));
    if (!*tok) return rein_fail(REIN_ERR_IO, "'%s' has no tokenizer.json", dir);
    return chat ? rein_model_text_chat(chat, dir, NULL) : REIN_OK;
}

rein_status rein_cli_tokenizer_open(rein_tokenizer **tok, rein_chat_template **chat, const char *path) {
    rein_arena arena = {0};
    char *dir;
    rein_status status = REIN_OK;
    REIN_TRY_OUT(status, rein_path_format(&arena, &dir, "%s", path), out);
    if (rein_rundir_exists(path)) REIN_TRY_OUT(status, rein_model_dir_resolve(&dir, &arena, path), out);
    status = open_texts(tok, chat, dir);
    if (status != REIN_OK) rein_tokenizer_destroy(*tok);
    if (status != REIN_OK) *tok = NULL;
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_cli_model_open_adapted(rein_cli_model *out, const rein_cli *cli, const char *path, const char *adapter,
                                        int64_t max_pos, bool trained) {
    rein_model_options o = {.max_pos = max_pos, .frozen = !trained};
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
    REIN_TRY_OUT(status, rein_model_text_tokenizer(&out->tokenizer, out->dir, base_of(out)), fail);
    return REIN_OK;
fail:
    rein_cli_model_close(out);
    return status;
}

rein_status rein_cli_model_open(rein_cli_model *out, const rein_cli *cli, const char *path, int64_t max_pos) {
    return rein_cli_model_open_adapted(out, cli, path, NULL, max_pos, false);
}

void rein_cli_model_close(rein_cli_model *m) {
    rein_tokenizer_destroy(m->tokenizer);
    rein_model_destroy(m->model);
    rein_device_close(m->dev);
    rein_arena_deinit(&m->arena);
    *m = (rein_cli_model){0};
}
