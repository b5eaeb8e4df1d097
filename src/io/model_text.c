/* Tokenizers and chat templates of models; see model_text.h. */
#include "io/model_text.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf_source.h"
#include "io/peft.h"

/* Where the texts of a model lie. */
typedef struct place {
    char *dir;        /* NULL: a GGUF file */
    rein_gguf *gguf;
    bool adapter;
    char *base;       /* of an adapter; NULL: the one that it names */
    struct place *under; /* the base, once a file of it was asked for */
    rein_arena arena; /* paths, and all texts that were read */
} place;

/* ---- places ---- */

static rein_status open_place(place *p, const char *path, const char *base) {
    if (!rein_path_exists(path)) return rein_fail(REIN_ERR_IO, "'%s' is no model: there is nothing", path);
    if (base) REIN_TRY(rein_path_format(&p->arena, &p->base, "%s", base));
    return rein_path_is_dir(path) ? rein_path_format(&p->arena, &p->dir, "%s", path) : rein_gguf_open(&p->gguf, path);
}

static void close_one(place *p) {
    if (!p) return;
    rein_gguf_close(p->gguf);
    rein_arena_deinit(&p->arena);
    rein_free(p);
}

/* A base is no adapter: nothing lies below it. */
static void close_model(place *p) {
    close_one(p->under);
    close_one(p);
}

static rein_status open_one(place **out, const char *path, const char *base, bool adapter) {
    place *p;
    REIN_TRY(rein_alloc(&p, 1, sizeof *p));
    p->adapter = adapter;
    rein_status status = open_place(p, path, base);
    if (status == REIN_OK)
        *out = p;
    else
        close_one(p);
    return status;
}

static rein_status open_model(place **out, const char *path, const char *base) {
    return open_one(out, path, base, rein_peft_is_dir(path));
}

/* ---- texts ---- */

rein_status rein_model_text_file(rein_str *out, bool *found, const char *dir, const char *file) {
    rein_arena arena = {0};
    char *path;
    *found = false;
    rein_status status = rein_path_format(&arena, &path, "%s/%s", dir, file);
    if (status == REIN_OK) *found = rein_path_exists(path);
    if (*found) status = rein_file_read(out, path);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status read_here(rein_str *out, bool *found, const place *p, const char *file) {
    return p->dir ? rein_model_text_file(out, found, p->dir, file) : rein_gguf_text(out, found, p->gguf, file);
}

static rein_status read_under(rein_str *out, bool *found, place *p, const char *file) {
    if (!p->base) REIN_TRY(rein_peft_base(&p->base, &p->arena, p->dir));
    if (!p->under) REIN_TRY(open_one(&p->under, p->base, NULL, false));
    return read_here(out, found, p->under, file);
}

static rein_status read_text(place *p, const char *file, const char **text, size_t *len) {
    rein_str content = {0};
    char *copy = NULL;
    bool found;
    *text = NULL;
    *len = 0;
    rein_status status = read_here(&content, &found, p, file);
    if (status == REIN_OK && !found && p->adapter) status = read_under(&content, &found, p, file);
    if (status == REIN_OK && found)
        status = rein_arena_strdup(&p->arena, &copy, content.data ? content.data : "", content.len);
    if (status == REIN_OK) {
        *text = copy;
        *len = content.len;
    }
    rein_str_deinit(&content);
    return status;
}

/* ---- copies ---- */

static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                    "chat_template.jinja", "generation_config.json"};

_Static_assert(REIN_COUNT(names) == REIN_COUNT(((rein_model_texts *)0)->text), "a text for each name");

rein_status rein_model_texts_read(rein_model_texts *out, const char *path, const char *base) {
    place *p;
    rein_status status;
    *out = (rein_model_texts){0};
    REIN_TRY(open_model(&p, path, base));
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        const char *text;
        REIN_TRY_OUT(status, read_text(p, names[i], &text, &out->len[i]), out);
        if (text) REIN_TRY_OUT(status, rein_arena_strdup(&out->arena, &out->text[i], text, out->len[i]), out);
    }
    status = REIN_OK;
out:
    if (status != REIN_OK) rein_model_texts_deinit(out);
    close_model(p);
    return status;
}

rein_status rein_model_texts_put(rein_model_texts *t, const char *name, const char *text, size_t len) {
    size_t i = 0;
    while (i < REIN_COUNT(names) && strcmp(names[i], name) != 0) i++;
    REIN_ASSERT(i < REIN_COUNT(names));
    t->len[i] = len;
    return rein_arena_strdup(&t->arena, &t->text[i], text, len);
}

rein_status rein_model_texts_write(const rein_model_texts *t, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status = REIN_OK;
    for (size_t i = 0; i < REIN_COUNT(names) && status == REIN_OK; i++) {
        if (!t->text[i]) continue;
        status = rein_path_format(&arena, &path, "%s/%s", dir, names[i]);
        if (status == REIN_OK) status = rein_file_write(path, t->text[i], t->len[i]);
    }
    rein_arena_deinit(&arena);
    return status;
}

void rein_model_texts_deinit(rein_model_texts *t) {
    rein_arena_deinit(&t->arena);
    *t = (rein_model_texts){0};
}

rein_status rein_model_texts_copy(const char *dir, const char *path) {
    rein_model_texts texts;
    REIN_TRY(rein_model_texts_read(&texts, path, NULL));
    rein_status status = rein_model_texts_write(&texts, dir);
    rein_model_texts_deinit(&texts);
    return status;
}

/* ---- what is made of them ---- */

/* "NAME/tokenizer.json": how errors of the text begin. */
static rein_status label(char **out, place *p, const char *file) {
    const place *at = p->under ? p->under : p;
    return rein_path_format(&p->arena, out, "%s/%s", at->dir ? at->dir : rein_gguf_path(at->gguf), file);
}

rein_status rein_model_text_tokenizer(rein_tokenizer **out, const char *path, const char *base) {
    place *p;
    const char *text;
    char *name;
    size_t len;
    rein_status status;
    *out = NULL;
    REIN_TRY(open_model(&p, path, base));
    REIN_TRY_OUT(status, read_text(p, "tokenizer.json", &text, &len), out);
    REIN_TRY_OUT(status, label(&name, p, "tokenizer.json"), out);
    if (text) status = rein_tokenizer_parse(out, name, text, len);
out:
    close_model(p);
    return status;
}

/* Does tokenizer_config.json hold a template? */
static rein_status holds_template(bool *yes, const char *name, const char *config, size_t len) {
    struct json_object *doc;
    *yes = false;
    if (!config) return REIN_OK;
    REIN_TRY(rein_json_parse(&doc, name, config, len));
    *yes = rein_json_has(doc, "chat_template");
    json_object_put(doc);
    return REIN_OK;
}

static rein_status make_chat(rein_chat_template **out, place *p) {
    const char *text, *config;
    size_t len, config_len;
    char *name;
    bool inside;
    REIN_TRY(read_text(p, "chat_template.jinja", &text, &len));
    REIN_TRY(read_text(p, "tokenizer_config.json", &config, &config_len));
    REIN_TRY(label(&name, p, text ? "chat_template.jinja" : "tokenizer_config.json"));
    REIN_TRY(holds_template(&inside, name, config, config_len));
    return text || inside ? rein_chat_template_create(out, name, text, len, config, config_len) : REIN_OK;
}

rein_status rein_model_text_chat(rein_chat_template **out, const char *path, const char *base) {
    place *p;
    *out = NULL;
    REIN_TRY(open_model(&p, path, base));
    rein_status status = make_chat(out, p);
    close_model(p);
    return status;
}

rein_status rein_model_text_need_chat(rein_chat_template **out, const char *path, const char *base) {
    REIN_TRY(rein_model_text_chat(out, path, base));
    if (*out) return REIN_OK;
    return rein_fail(REIN_ERR_IO, "%s has no chat template: neither chat_template.jinja nor a 'chat_template' in "
                                  "tokenizer_config.json; give prompts as text or ids", path);
}
