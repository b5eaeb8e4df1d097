/* Tasks, pages and prompts of MiniWoB++; see miniwob.h. */
#include "env/browse/miniwob.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char ORIGIN[] = "http://miniwob.test/";

static const rein_miniwob_page pages[] = {
    {"click-test", 1, false},
    {"click-test-2", 1, false},
    {"click-test-transfer", 1, false},
    {"click-button", 1, false},
    {"click-link", 1, false},
    {"click-dialog", 1, false},
    {"click-dialog-2", 1, false},
    {"click-tab", 1, false},
    {"click-tab-2-easy", 1, false},
    {"click-widget", 1, false},
    {"focus-text", 1, false},
    {"focus-text-2", 1, false},
    {"unicode-test", 1, false},
    {"click-button-sequence", 2, false},
    {"click-option", 2, false},
    {"click-collapsible", 2, false},
    {"click-collapsible-nodelay", 2, false},
    {"click-collapsible-2", 2, false},
    {"click-collapsible-2-nodelay", 2, false},
    {"click-tab-2", 2, false},
    {"click-tab-2-medium", 2, false},
    {"click-tab-2-hard", 2, false},
    {"choose-list", 2, false},
    {"enter-text", 2, false},
    {"enter-text-2", 2, false},
    {"enter-text-dynamic", 2, false},
    {"enter-date", 2, false},
    {"enter-time", 2, false},
    {"enter-password", 2, false},
    {"login-user", 2, false},
    {"simple-arithmetic", 2, false},
    {"simple-algebra", 2, false},
    {"text-transform", 2, false},
    {"find-word", 2, false},
    {"read-table", 2, false},
    {"use-spinner", 2, false},
    {"form-sequence-2", 2, false},
    {"form-sequence-3", 2, false},
    {"email-inbox-delete", 2, true},
    {"email-inbox-important", 2, true},
    {"read-table-2", 3, false},
    {"odd-or-even", 3, false},
    {"login-user-popup", 3, false},
    {"click-checkboxes", 3, false},
    {"click-checkboxes-transfer", 3, false},
    {"click-checkboxes-soft", 3, false},
    {"click-checkboxes-large", 3, false},
    {"multi-layouts", 3, false},
    {"multi-orderings", 3, false},
    {"navigate-tree", 3, false},
    {"guess-number", 3, false},
    {"phone-book", 3, false},
    {"search-engine", 3, true},
    {"email-inbox-reply", 3, true},
    {"email-inbox-forward", 3, true},
    {"email-inbox-star-reply", 3, true},
    {"email-inbox-noscroll", 3, true},
    {"email-inbox", 3, true},
};

const rein_miniwob_page *rein_miniwob_pages(int64_t *n) {
    *n = (int64_t)REIN_COUNT(pages);
    return pages;
}

static rein_miniwob *self(const rein_env *env) { return (rein_miniwob *)env; }

/* ---- which tasks ---- */

static bool is_name(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text[i]) || !text[i]) return false;
    return len > 0 && len < 100;
}

static rein_status unknown(const rein_miniwob *m, const char *name) {
    const char *names[REIN_COUNT(pages)];
    for (size_t i = 0; i < REIN_COUNT(pages); i++) names[i] = pages[i].name;
    const char *near = rein_nearest_name(name, names, (int64_t)REIN_COUNT(pages));
    return rein_fail(REIN_ERR_USAGE, "environment miniwob: no page miniwob/%s.html in '%s'%s%s%s", name, m->config.html,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}

/* A name stands once among all. */
static rein_status add_task(rein_miniwob *m, const char **list, int64_t *n, const char *name) {
    char *path;
    for (int64_t i = 0; i < *n; i++)
        if (strcmp(list[i], name) == 0)
            return rein_fail(REIN_ERR_USAGE, "environment miniwob: task '%s' is named twice", name);
    REIN_TRY(rein_path_format(&m->arena, &path, "%s/miniwob/%s.html", m->html, name));
    if (!rein_path_exists(path)) return unknown(m, name);
    list[(*n)++] = name;
    return REIN_OK;
}

/* "all", "level1" ... stand for the pages that have experts. False: it is a name. */
static rein_status add_word(rein_miniwob *m, const char **list, int64_t *n, const char *word, bool *group) {
    *group = strcmp(word, "all") == 0;
    int level = strncmp(word, "level", 5) == 0 && word[5] >= '1' && word[5] <= '3' && !word[6] ? word[5] - '0' : 0;
    if (!*group && !level) return REIN_OK;
    *group = true;
    for (size_t i = 0; i < REIN_COUNT(pages); i++)
        if (!level || pages[i].level == level) REIN_TRY(add_task(m, list, n, pages[i].name));
    return REIN_OK;
}

static rein_status read_tasks(rein_miniwob *m, rein_split split, const char *text) {
    int64_t words = 1;
    for (const char *c = text; *c; c++) words += *c == ',';
    const char **list;
    REIN_TRY(rein_arena_alloc(&m->arena, &list, (size_t)(words + 4) * sizeof pages));
    for (const char *at = text; at;) {
        const char *comma = strchr(at, ',');
        size_t len = comma ? (size_t)(comma - at) : strlen(at);
        char *word;
        bool group;
        if (!is_name(at, len))
            return rein_fail(REIN_ERR_USAGE,
                             "environment miniwob: tasks '%s': names with commas between, as in (click-test,"
                             "level2)",
                             text);
        REIN_TRY(rein_arena_strdup(&m->arena, &word, at, len));
        REIN_TRY(add_word(m, list, &m->n_task[split], word, &group));
        if (!group) REIN_TRY(add_task(m, list, &m->n_task[split], word));
        at = comma ? comma + 1 : NULL;
    }
    m->task[split] = list;
    return REIN_OK;
}

static int64_t index_of(const char *const *list, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return i;
    return -1;
}

static rein_status collect(rein_miniwob *m) {
    REIN_TRY(rein_arena_alloc(&m->arena, &m->all, (size_t)(m->n_task[0] + m->n_task[1]) * sizeof *m->all));
    for (int split = 0; split < 2; split++)
        for (int64_t i = 0; i < m->n_task[split]; i++) {
            const char *name = m->task[split][i];
            if (index_of(m->all, m->n_all, name) < 0)
                m->all[m->n_all++] = name;
            else if (split == 1)
                return rein_fail(REIN_ERR_USAGE, "environment miniwob: task '%s' is both trained on and held out",
                                 name);
        }
    if (m->n_task[REIN_SPLIT_EVAL] > 0) return REIN_OK;
    m->task[REIN_SPLIT_EVAL] = m->task[REIN_SPLIT_TRAIN];
    m->n_task[REIN_SPLIT_EVAL] = m->n_task[REIN_SPLIT_TRAIN];
    return REIN_OK;
}

/* ---- pages from memory ---- */

static const char *type_of(const char *path) {
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".css", "text/css"},
                                           {".js", "text/javascript"},
                                           {".png", "image/png"},
                                           {".gif", "image/gif"},
                                           {".jpg", "image/jpeg"},
                                           {".svg", "image/svg+xml"},
                                           {".json", "application/json"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < REIN_COUNT(types); i++)
        if (strcmp(dot, types[i][0]) == 0) return types[i][1];
    return NULL;
}

/* Only files of known types below the folder: nothing that climbs out of it, and no links out of it. */
static bool serve(void *user, const char *url, rein_str *body, const char **type) {
    const rein_miniwob *m = user;
    char path[1024], real[PATH_MAX];
    size_t base = strlen(m->html);
    if (strncmp(url, ORIGIN, sizeof ORIGIN - 1) != 0) return false;
    const char *name = url + sizeof ORIGIN - 1;
    int len = (int)strcspn(name, "?#");
    if (len > 500 || strchr(name, '%')) return false;
    snprintf(path, sizeof path, "%.400s/%.*s", m->html, len, name);
    *type = type_of(path);
    if (!*type || !realpath(path, real)) return false;
    return strncmp(real, m->html, base) == 0 && real[base] == '/' && rein_file_read(body, real) == REIN_OK;
}

/* ---- create ---- */

static void miniwob_destroy(rein_env *env) {
    if (!env) return;
    rein_miniwob *m = self(env);
    rein_browser_close(m->world.browser);
    rein_arena_deinit(&m->arena);
    rein_free(m);
}

static rein_status find_pages(rein_miniwob *m) {
    char real[PATH_MAX], *copy, *core;
    if (!realpath(m->config.html, real))
        return rein_fail(REIN_ERR_USAGE,
                         "environment miniwob: no folder '%s': tools/fetch-miniwob makes it, or name one with "
                         "html=DIR",
                         m->config.html);
    REIN_TRY(rein_arena_strdup(&m->arena, &copy, real, strlen(real)));
    REIN_TRY(rein_path_format(&m->arena, &core, "%s/core/core.js", copy));
    if (!rein_path_exists(core) || strlen(copy) > 400)
        return rein_fail(REIN_ERR_USAGE,
                         "environment miniwob: '%s' holds no core/core.js: it is not the benchmark's html",
                         m->config.html);
    m->html = copy;
    return REIN_OK;
}

static rein_status miniwob_open(rein_miniwob *m) {
    REIN_TRY(find_pages(m));
    REIN_TRY(read_tasks(m, REIN_SPLIT_TRAIN, m->config.tasks));
    if (m->config.held_out_tasks) REIN_TRY(read_tasks(m, REIN_SPLIT_EVAL, m->config.held_out_tasks));
    REIN_TRY(collect(m));
    return rein_browser_open(&m->world.browser, &(rein_browser_options){.path = m->config.browser,
                                                                        .serve = serve,
                                                                        .user = m,
                                                                        .deadline = m->config.step_deadline,
                                                                        .width = 800,
                                                                        .height = 600});
}

static bool begins_like_new(const char *name) {
    for (size_t i = 0; i < REIN_COUNT(pages); i++)
        if (strcmp(pages[i].name, name) == 0) return !pages[i].reload;
    return false;
}

static void miniwob_place(const rein_env *env, const rein_task *task, rein_browse_place *out) {
    const char *name = self(env)->all[(int64_t)task->number[REIN_MINIWOB_TASK]];
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->url, sizeof out->url, "%sminiwob/%.100s.html", ORIGIN, name);
    snprintf(out->argument, sizeof out->argument, "'%.100s', %.0f", name, task->number[REIN_MINIWOB_SEED]);
    out->rest = begins_like_new(name) ? REIN_BROWSE_SAME_PAGE : REIN_BROWSE_RELOADED;
}

static rein_status miniwob_create(rein_env **out, const void *config) {
    rein_miniwob *m;
    REIN_TRY(rein_alloc(&m, 1, sizeof *m));
    const rein_miniwob_config *c = config;
    m->config = *c;
    m->world = (rein_browse_world){.env = {&rein_miniwob_class},
                                   .script = rein_miniwob_js,
                                   .max_steps = c->max_steps,
                                   .max_chars = c->max_chars,
                                   .invalid_penalty = c->invalid_penalty,
                                   .place = miniwob_place};
    rein_status status = miniwob_open(m);
    if (status != REIN_OK)
        miniwob_destroy(&m->world.env);
    else
        *out = &m->world.env;
    return status;
}

/* ---- tasks ---- */

static int64_t miniwob_fixed_count(const rein_env *env) {
    return self(env)->n_task[REIN_SPLIT_EVAL] * REIN_BROWSE_FIXED_EACH;
}

/* Tasks take turns, so that any stretch of n_task indices has each of them once. */
static rein_status miniwob_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index, rein_task *out) {
    const rein_miniwob *m = self(env);
    const rein_split part = split == REIN_SPLIT_TRAIN ? REIN_SPLIT_TRAIN : REIN_SPLIT_EVAL;
    const int64_t n = m->n_task[part], round = index / n;
    if (index < 0 || (split == REIN_SPLIT_FIXED && index >= miniwob_fixed_count(env)))
        return rein_fail(REIN_ERR_ARG, "environment miniwob: task %lld of %lld", (long long)index,
                         (long long)miniwob_fixed_count(env));
    const char *name = m->task[part][index % n];
    const int64_t which = index_of(m->all, m->n_all, name);
    const int64_t problem = rein_browse_problem(seed, split, which, round, m->config.train_seeds);
    *out = (rein_task){
        .key = (uint64_t)which << 32 | (uint64_t)problem, .index = index, .number = {(double)which, (double)problem}};
    return REIN_OK;
}

static rein_status miniwob_difficulty(const rein_env *env, const rein_task *task, double *out) {
    const char *name = self(env)->all[(int64_t)task->number[REIN_MINIWOB_TASK]];
    *out = 1;
    for (size_t i = 0; i < REIN_COUNT(pages); i++)
        if (strcmp(pages[i].name, name) == 0) *out = (pages[i].level - 1) / 2.0;
    return REIN_OK;
}

static const rein_option options[] = {
    {"tasks", REIN_OPT_STRING, offsetof(rein_miniwob_config, tasks), "all", 0, 0, NULL,
     "pages with commas between: names, level1, level2, level3, all", NULL},
    {"held_out_tasks", REIN_OPT_STRING, offsetof(rein_miniwob_config, held_out_tasks), NULL, 0, 0, NULL,
     "pages that are only evaluated on (default: the same pages, with other seeds)", NULL},
    {"html", REIN_OPT_STRING, offsetof(rein_miniwob_config, html), "miniwob-html", 0, 0, NULL,
     "folder of the benchmark, from tools/fetch-miniwob", "DIR"},
    {"browser", REIN_OPT_STRING, offsetof(rein_miniwob_config, browser), NULL, 0, 0, NULL,
     "chromium-headless-shell or chromium (default: where distributions put it)", "FILE"},
    {"train_seeds", REIN_OPT_INT, offsetof(rein_miniwob_config, train_seeds), "900000", 1, REIN_BROWSE_TRAIN_SEEDS,
     NULL, "different problems of a page to train on", NULL},
    {"max_steps", REIN_OPT_INT, offsetof(rein_miniwob_config, max_steps), "15", 1, 1000, NULL, "actions of an episode",
     NULL},
    {"max_chars", REIN_OPT_INT, offsetof(rein_miniwob_config, max_chars), "2000", 100, 100000, NULL,
     "characters of a page that are shown", NULL},
    {"invalid_penalty", REIN_OPT_FLOAT, offsetof(rein_miniwob_config, invalid_penalty), "0.05", 0, 10, NULL,
     "taken off for an action that cannot be read or done", NULL},
    {"step_deadline", REIN_OPT_FLOAT, offsetof(rein_miniwob_config, step_deadline), "20", 0.1, 3600, NULL,
     "seconds of real time after which a page has hung", NULL},
};

static const char *const baselines[] = {NULL};

const rein_env_class rein_miniwob_class = {
    .name = "miniwob",
    .summary = "small web pages with a task each, in a real browser (MiniWoB++)",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_miniwob_config),
    .create = miniwob_create,
    .destroy = miniwob_destroy,
    .task = miniwob_task,
    .fixed_count = miniwob_fixed_count,
    .difficulty = miniwob_difficulty,
    .messages = rein_browse_messages,
    .prompt = rein_browse_prompt,
    .baselines = baselines,
    .turns = &rein_browse_turns,
};
