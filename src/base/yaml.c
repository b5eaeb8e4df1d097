/*
 * YAML events of libfyaml to a tree in an arena; see yaml.h. Events come one by one, so that nothing recurses and what
 * configurations do not need is refused where it is met.
 */
#include "base/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json_check.h"

enum { DEPTH_MAX = 16, BYTES_MAX = 1 << 20 };

/* A mapping or sequence that is still open: its children so far, from rein_alloc. */
typedef struct frame {
    rein_yaml_node node;
    const char **key;
    rein_yaml_node *child;
    int64_t cap;
    const char *pending; /* MAPPING: key that waits for its value */
} frame;

typedef struct builder {
    rein_arena *arena;
    const char *file;
    frame open[DEPTH_MAX];
    int depth, documents;
    int line, column; /* of the last event that had a place */
    rein_yaml_node root;
} builder;

static rein_status fail_at(const char *file, int line, int column, const char *fmt, ...) REIN_PRINTF(4, 5);

static rein_status fail_at(const char *file, int line, int column, const char *fmt, ...) {
    char reason[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: %s", file, line, column, reason);
}

static rein_yaml_node here(const builder *b, rein_yaml_kind kind) {
    return (rein_yaml_node){.kind = kind, .line = b->line, .column = b->column, .file = b->file};
}

static rein_status grow_frame(frame *f) {
    const int64_t cap = f->cap ? 2 * f->cap : 16;
    if (f->node.n < f->cap) return REIN_OK;
    if (f->node.kind == REIN_YAML_MAPPING) REIN_TRY(rein_realloc(&f->key, f->cap, cap, sizeof *f->key));
    REIN_TRY(rein_realloc(&f->child, f->cap, cap, sizeof *f->child));
    f->cap = cap;
    return REIN_OK;
}

static rein_status add_key(frame *f, const rein_yaml_node *node) {
    if (node->null) return fail_at(node->file, node->line, node->column, "a key is missing");
    for (int64_t i = 0; i < f->node.n; i++)
        if (strcmp(f->key[i], node->text) == 0)
            return fail_at(node->file, node->line, node->column, "key \"%s\" is written twice", node->text);
    f->pending = node->text;
    return REIN_OK;
}

static rein_status add_node(builder *b, const rein_yaml_node *node) {
    if (b->depth == 0) {
        b->root = *node;
        return REIN_OK;
    }
    frame *f = &b->open[b->depth - 1];
    if (f->node.kind == REIN_YAML_MAPPING && !f->pending) return add_key(f, node);
    REIN_TRY(grow_frame(f));
    if (f->node.kind == REIN_YAML_MAPPING) f->key[f->node.n] = f->pending;
    f->child[f->node.n++] = *node;
    f->pending = NULL;
    return REIN_OK;
}

static rein_status open_container(builder *b, rein_yaml_kind kind) {
    const frame *parent = b->depth > 0 ? &b->open[b->depth - 1] : NULL;
    if (parent && parent->node.kind == REIN_YAML_MAPPING && !parent->pending)
        return fail_at(b->file, b->line, b->column, "a key must be a single value");
    if (b->depth == DEPTH_MAX) return fail_at(b->file, b->line, b->column, "nested deeper than %d levels", DEPTH_MAX);
    b->open[b->depth++] = (frame){.node = here(b, kind)};
    return REIN_OK;
}

static rein_status close_container(builder *b) {
    frame *f = &b->open[b->depth - 1];
    const int64_t n = f->node.n;
    rein_yaml_node *child;
    REIN_TRY(rein_arena_alloc(b->arena, &child, (size_t)n * sizeof *child));
    if (n > 0) memcpy(child, f->child, (size_t)n * sizeof *child);
    f->node.child = child;
    if (f->node.kind == REIN_YAML_MAPPING) {
        REIN_TRY(rein_arena_alloc(b->arena, &f->node.key, (size_t)n * sizeof *f->key));
        if (n > 0) memcpy(f->node.key, f->key, (size_t)n * sizeof *f->key);
    }
    rein_free(f->child);
    rein_free(f->key);
    b->depth--;
    REIN_TRY(add_node(b, &f->node));
    return REIN_OK;
}

static rein_status add_scalar(builder *b, struct fy_token *token) {
    rein_yaml_node node = here(b, REIN_YAML_SCALAR);
    const enum fy_scalar_style style = fy_token_scalar_style(token);
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : "";
    char *copy;
    if (!text) return rein_fail(REIN_ERR_MEMORY, "%s: out of memory", b->file);
    node.column -= style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED; /* the mark is behind the quote */
    if (memchr(text, '\0', len)) return fail_at(b->file, node.line, node.column, "a NUL character in a value");
    REIN_TRY(rein_arena_strdup(b->arena, &copy, text, len));
    node.text = copy;
    node.null = style == FYSS_PLAIN && (len == 0 || strcmp(copy, "~") == 0 || strcmp(copy, "null") == 0);
    REIN_TRY(add_node(b, &node));
    return REIN_OK;
}

static rein_status refuse_extras(const builder *b, struct fy_event *event) {
    const char *what = event->type == FYET_ALIAS          ? "an alias (*)"
                       : fy_event_get_anchor_token(event) ? "an anchor (&)"
                       : fy_event_get_tag_token(event)    ? "a tag (!)"
                                                          : NULL;
    return what ? fail_at(b->file, b->line, b->column, "%s is not allowed in a configuration", what) : REIN_OK;
}

static rein_status take_event(builder *b, struct fy_event *event) {
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark) {
        b->line = mark->line + 1;
        b->column = mark->column + 1;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return b->documents++ ? fail_at(b->file, b->line, b->column, "a second document (---)") : REIN_OK;
    case FYET_ALIAS:
        return refuse_extras(b, event);
    case FYET_SCALAR:
        REIN_TRY(refuse_extras(b, event));
        return add_scalar(b, event->scalar.value);
    case FYET_SEQUENCE_START:
    case FYET_MAPPING_START:
        REIN_TRY(refuse_extras(b, event));
        return open_container(b, event->type == FYET_MAPPING_START ? REIN_YAML_MAPPING : REIN_YAML_SEQUENCE);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        return close_container(b);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
    return REIN_OK;
}

/* The first error that libfyaml has collected; it would print it otherwise. */
static rein_status fail_parser(const builder *b, struct fy_diag *diag) {
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
    if (error && error->line > 0) return fail_at(b->file, error->line, error->column, "%s", error->msg);
    return fail_at(b->file, b->line, b->column, "%s", error ? error->msg : "not valid YAML");
}

static rein_status read_events(builder *b, struct fy_parser *parser, struct fy_diag *diag) {
    struct fy_event *event;
    while ((event = fy_parser_parse(parser))) {
        rein_status status = take_event(b, event);
        fy_parser_event_free(parser, event);
        REIN_TRY(status);
    }
    return fy_parser_get_stream_error(parser) ? fail_parser(b, diag) : REIN_OK;
}

/* Some of libfyaml's complaints are printed even where errors are collected. */
static void drop_output(struct fy_diag *diag, void *user, const char *text, size_t len) {
    (void)diag, (void)user, (void)text, (void)len;
}

static rein_status parse_text(builder *b, const char *text, size_t len) {
    rein_status status;
    struct fy_parser *parser = NULL;
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = drop_output;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (diag) {
        fy_diag_set_collect_errors(diag, true);
        const struct fy_parse_cfg config = {.flags = FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2, .diag = diag};
        parser = fy_parser_create(&config);
    }
    if (!parser || fy_parser_set_string(parser, len ? text : "\n", len ? len : 1) != 0)
        status = rein_fail(REIN_ERR_MEMORY, "%s: out of memory", b->file);
    else
        status = read_events(b, parser, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}

/* Bytes that are no text are refused before libfyaml sees them. */
static rein_status check_bytes(const char *name, const char *text, size_t len) {
    int line = 1, column = 1;
    if (len > BYTES_MAX) return rein_fail(REIN_ERR_USAGE, "%s: more than 1 MiB is no configuration", name);
    for (size_t i = 0, n; i < len; i += n, column++) {
        n = rein_utf8_length(text + i, len - i);
        if (n == 0 || text[i] == '\0')
            return fail_at(name, line, column, "byte 0x%02x is no text", (unsigned)(unsigned char)text[i]);
        if (text[i] == '\n') {
            line++;
            column = 0;
        }
    }
    return REIN_OK;
}

rein_status rein_yaml_parse(const rein_yaml_node **out, rein_arena *arena, const char *name, const char *text,
                            size_t len) {
    builder b = {.arena = arena, .line = 1, .column = 1};
    rein_status status;
    char *file;
    rein_yaml_node *root;
    REIN_TRY(check_bytes(name, text, len));
    REIN_TRY(rein_arena_strdup(arena, &file, name, strlen(name)));
    b.file = file;
    b.root = here(&b, REIN_YAML_SCALAR); /* an empty document is a null */
    b.root.text = "";
    b.root.null = true;
    REIN_TRY_OUT(status, parse_text(&b, text, len), out);
    REIN_TRY_OUT(status, rein_arena_alloc(arena, &root, sizeof *root), out);
    *root = b.root;
    *out = root;
out:
    for (int i = 0; i < b.depth; i++) {
        rein_free(b.open[i].child);
        rein_free(b.open[i].key);
    }
    return status;
}

rein_status rein_yaml_load(const rein_yaml_node **out, rein_arena *arena, const char *path) {
    rein_str text = {0};
    rein_status status = rein_file_read(&text, path);
    /* a configuration that cannot be read is a wrong command line */
    if (status == REIN_ERR_IO) status = rein_trace_add(REIN_ERR_USAGE, __FILE__, __LINE__);
    if (status == REIN_OK) status = rein_yaml_parse(out, arena, path, text.data, text.len);
    rein_str_deinit(&text);
    return status;
}

const rein_yaml_node *rein_yaml_get(const rein_yaml_node *mapping, const char *key) {
    for (int64_t i = 0; mapping->kind == REIN_YAML_MAPPING && i < mapping->n; i++)
        if (strcmp(mapping->key[i], key) == 0) return &mapping->child[i];
    return NULL;
}
