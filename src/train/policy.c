/* Loading policies; see policy.h. */
#include "train/policy.h"

#include <string.h>

#include "base/file.h"
#include "io/model_text.h"
#include "model/lora.h"
#include "run/resolve.h"

static rein_status load_tokenizer(rein_tokenizer **tok, const char *path, const rein_model *model) {
    REIN_TRY(rein_model_text_tokenizer(tok, path, model->source ? rein_source_path(model->source) : NULL));
    return *tok ? REIN_OK : rein_fail(REIN_ERR_IO, "'%s' has no tokenizer.json; text cannot become ids", path);
}

rein_status rein_start_model(rein_model **model, rein_tokenizer **tok, const char *path, rein_device *dev,
                             const rein_model_options *options) {
    rein_arena arena = {0};
    char *dir;
    rein_status status;
    *model = NULL;
    *tok = NULL;
    REIN_TRY_OUT(status, rein_model_dir_resolve(&dir, &arena, path), out);
    REIN_TRY_OUT(status, rein_model_load(model, dir, dev, options), out);
    REIN_TRY_OUT(status, load_tokenizer(tok, dir, *model), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

/* ---- options ---- */

/* Options of adapters. lora_dropout is about training, not the adapter. */
static bool of_adapter(const char *name, const void *without_dropout) {
    if (strcmp(name, "lora_dropout") == 0) return !without_dropout;
    return strncmp(name, "lora_", 5) == 0 || strcmp(name, "use_rslora") == 0 || strcmp(name, "use_dora") == 0;
}

/* The first option of adapters that is not at its default, or NULL. */
static rein_status given_option(const char **name, const rein_train_args *args, bool dropout) {
    return rein_train_given(name, args, REIN_USE_GRPO, of_adapter, dropout ? NULL : "");
}

rein_status rein_policy_check(const rein_train_args *a) {
    const char *name = NULL;
    if (a->use_peft) return REIN_OK;
    if (a->adapter) return rein_fail(REIN_ERR_USAGE, "adapter '%s' is given but use_peft is false", a->adapter);
    REIN_TRY(given_option(&name, a, true));
    return name ? rein_fail(REIN_ERR_USAGE, "%s is given but use_peft is false, so nothing would read it", name) : REIN_OK;
}

static rein_status lora_config(rein_lora_config *c, rein_arena *arena, const rein_train_args *a) {
    *c = rein_lora_config_default();
    c->r = a->lora_r;
    c->alpha = a->lora_alpha;
    c->use_rslora = a->use_rslora;
    c->use_dora = a->use_dora;
    c->bias = (rein_lora_bias)a->lora_bias;
    REIN_TRY(rein_lora_parse_targets(c, arena, a->lora_target_modules));
    if (a->lora_modules_to_save) REIN_TRY(rein_lora_parse_names(&c->modules_to_save, arena, a->lora_modules_to_save));
    if (a->lora_rank_pattern) REIN_TRY(rein_lora_parse_patterns(&c->rank_pattern, arena, a->lora_rank_pattern));
    if (a->lora_alpha_pattern) REIN_TRY(rein_lora_parse_patterns(&c->alpha_pattern, arena, a->lora_alpha_pattern));
    if (a->lora_layers_to_transform) REIN_TRY(rein_lora_parse_layers(c, arena, a->lora_layers_to_transform));
    if (rein_lora_config_check(c) != REIN_OK) return rein_fail(REIN_ERR_USAGE, "%s", rein_error_message());
    return REIN_OK;
}

/* ---- policies ---- */

/* What use_peft loads: an adapter that is there already, or a new one. */
static rein_status adapter_options(rein_model_options *o, rein_lora_config *config, rein_arena *arena,
                                   const rein_train_args *a, bool is_adapter) {
    const char *name = NULL;
    char *dir = NULL;
    *o = (rein_model_options){.seed = (uint64_t)a->seed};
    if (is_adapter && a->adapter)
        return rein_fail(REIN_ERR_USAGE, "'%s' is an adapter already; adapter '%s' cannot be put on it: merge it first",
                         a->model_name_or_path, a->adapter);
    if (is_adapter || a->adapter) REIN_TRY(given_option(&name, a, false));
    if (name)
        return rein_fail(REIN_ERR_USAGE, "%s is a property of the adapter that is trained on; leave it out", name);
    if (a->adapter) {
        REIN_TRY(rein_model_dir_resolve(&dir, arena, a->adapter));
        if (!rein_peft_is_dir(dir))
            return rein_fail(REIN_ERR_USAGE, "adapter '%s' is no adapter (adapter_config.json is missing)", a->adapter);
        o->adapter = dir;
    } else if (!is_adapter) {
        REIN_TRY(lora_config(config, arena, a));
        o->lora = config;
    }
    return REIN_OK;
}

rein_status rein_start_policy(rein_model **model, rein_tokenizer **tok, const rein_train_args *a, rein_device *dev) {
    rein_model_options o = {.seed = (uint64_t)a->seed};
    rein_lora_config config;
    rein_arena arena = {0};
    char *dir;
    rein_status status;
    *model = NULL;
    *tok = NULL;
    REIN_TRY_OUT(status, rein_policy_check(a), out);
    REIN_TRY_OUT(status, rein_model_dir_resolve(&dir, &arena, a->model_name_or_path), out);
    bool is_adapter = rein_peft_is_dir(dir);
    if (a->use_peft) REIN_TRY_OUT(status, adapter_options(&o, &config, &arena, a, is_adapter), out);
    if (is_adapter && !a->use_peft) {
        status = rein_fail(REIN_ERR_USAGE, "'%s' is an adapter: give use_peft to train it on, or merge it first", dir);
        goto out;
    }
    o.max_pos = a->max_model_length;
    o.value_head = (rein_value_kind)a->value_head;
    REIN_TRY_OUT(status, rein_start_model(model, tok, dir, dev, &o), out);
    if ((*model)->lora) (*model)->lora->config.dropout = a->lora_dropout;
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status start_base(rein_model **model, rein_tokenizer **tok, const rein_train_args *a, rein_device *dev) {
    rein_model_options frozen = {.frozen = true, .max_pos = a->max_model_length};
    rein_arena arena = {0};
    char *dir;
    rein_status status;
    REIN_TRY_OUT(status, rein_model_dir_resolve(&dir, &arena, a->model_name_or_path), out);
    if (rein_peft_is_dir(dir)) REIN_TRY_OUT(status, rein_peft_base(&dir, &arena, dir), out);
    status = rein_start_model(model, tok, dir, dev, &frozen);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_scratch_template(rein_str *out, const rein_train_args *a) {
    if (!a->chat_template_path) return REIN_OK;
    if (strcmp(a->chat_template_path, "chatml") != 0) return rein_file_read(out, a->chat_template_path);
    rein_str_puts(out, rein_chatml);
    return rein_str_check(out);
}

rein_status rein_start_chat(rein_prompt_chat *chat, const char *path, const rein_prompt_chat_args *args) {
    rein_arena arena = {0};
    char *dir;
    rein_status status = rein_model_dir_resolve(&dir, &arena, path);
    if (status == REIN_OK) status = rein_prompt_chat_open(chat, dir, args);
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_start_reference(rein_model **model, const rein_train_args *a, rein_device *dev) {
    rein_model_options frozen = {.frozen = true, .max_pos = a->max_model_length};
    rein_tokenizer *tok = NULL;
    rein_status status;
    bool init = strcmp(a->ref_model, "init") == 0, base = strcmp(a->ref_model, "base") == 0;
    *model = NULL;
    if (base && !a->use_peft)
        return rein_fail(REIN_ERR_USAGE, "ref_model base is the model without its adapter; use_peft is false, so say init");
    if (init && a->use_peft)
        status = rein_start_policy(model, &tok, a, dev);
    else if (base)
        status = start_base(model, &tok, a, dev);
    else
        status = rein_start_model(model, &tok, init ? a->model_name_or_path : a->ref_model, dev, &frozen);
    rein_tokenizer_destroy(tok);
    return status;
}
