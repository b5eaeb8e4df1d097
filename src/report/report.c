/* Which runs a report is about, and where it goes. */
#include "report/report.h"

#include <string.h>

#include "base/file.h"
#include "report/page.h"

typedef struct path_list {
    const char **path, **name;
    int64_t n;
} path_list;

/* Last component, with what is not fit for a file name replaced. */
static rein_status safe_name(rein_arena *arena, char **out, const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t first = end;
    while (first > 0 && path[first - 1] != '/') first--;
    REIN_TRY(rein_arena_strdup(arena, out, path + first, end - first));
    for (char *c = *out; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c)) *c = '_';
    return REIN_OK;
}

static rein_status add_path(path_list *list, rein_arena *arena, const char *path, const char *name) {
    char *unique;
    REIN_TRY(rein_path_format(arena, &unique, "%s", name));
    for (int64_t k = 0, copy = 2; k < list->n; k++) {
        if (strcmp(list->name[k], unique) != 0) continue;
        REIN_TRY(rein_path_format(arena, &unique, "%s-%lld", name, (long long)copy++));
        k = -1; /* the new name may be taken as well */
    }
    REIN_TRY(rein_realloc(&list->path, list->n, list->n + 1, sizeof *list->path));
    REIN_TRY(rein_realloc(&list->name, list->n, list->n + 1, sizeof *list->name));
    list->path[list->n] = path;
    list->name[list->n++] = unique;
    return REIN_OK;
}

/* A path stands for itself and for the runs directly in it. */
static rein_status add_runs(path_list *list, rein_arena *arena, const char *path) {
    char **found, *name;
    int64_t n;
    REIN_TRY(rein_run_find(path, 1, arena, &found, &n));
    if (n == 0) return rein_fail(REIN_ERR_USAGE, "'%s' holds no run: no config.yaml and run.db in it or below", path);
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(safe_name(arena, &name, found[i]));
        REIN_TRY(add_path(list, arena, found[i], name));
    }
    return REIN_OK;
}

static rein_status open_sources(rein_page *page, const path_list *list) {
    REIN_TRY(rein_arena_alloc(&page->arena, &page->source, sizeof *page->source * (size_t)list->n));
    for (int64_t i = 0; i < list->n; i++) {
        rein_source *source = &page->source[i];
        REIN_TRY(rein_rundir_open(&source->run, list->path[i], false));
        page->n++;
        source->name = list->name[i];
        REIN_TRY(rein_read_evals(source->run, &page->arena, &source->evals, &source->n_eval));
    }
    return REIN_OK;
}

static rein_status write_page(rein_page *page, const char *title) {
    char *path;
    REIN_TRY(rein_page_write(page, title));
    if (!page->options->html) return REIN_OK;
    REIN_TRY(rein_path_format(&page->arena, &path, "%s/report.html", page->options->out_dir));
    return rein_file_write(path, page->html.data, page->html.len);
}

rein_status rein_report_write(const char *const *paths, int64_t n, const rein_report_options *options) {
    rein_page page = {.options = options};
    path_list list = {0};
    char *dir, *title;
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < n; i++) REIN_TRY_OUT(status, add_runs(&list, &page.arena, paths[i]), out);
    REIN_TRY_OUT(status, rein_path_format(&page.arena, &dir, "%s/figures", options->out_dir), out);
    REIN_TRY_OUT(status, rein_mkdirs(dir), out);
    page.figure_dir = dir;
    REIN_TRY_OUT(status, open_sources(&page, &list), out);
    REIN_TRY_OUT(status, safe_name(&page.arena, &title, paths[0]), out);
    REIN_TRY_OUT(status, write_page(&page, title), out);
out:
    for (int64_t i = 0; i < page.n; i++) rein_rundir_close(page.source[i].run);
    rein_free(list.path);
    rein_free(list.name);
    rein_str_deinit(&page.html);
    rein_arena_deinit(&page.arena);
    return status;
}
