/* Tasks and pages of generated sites; see site.h. The sites themselves are site.js. */
#include "env/browse/site.h"

#include <stdio.h>
#include <string.h>

static const char ORIGIN[] = "http://site.test/";
static const char *const kinds[] = {"order", "cheapest", "settings", "lookup", "register"};
enum { KINDS = sizeof kinds / sizeof kinds[0], LEVELS = 3 };

typedef struct site {
    rein_browse_world world;
    rein_site_config config;
    int kind[KINDS]; /* (n_kind) that are asked for */
    int n_kind;
} site;

static site *self(const rein_env *env) { return (site *)env; }

/* Every address of the site is one page, which writes itself (site.js). */
static bool serve(void *user, const char *url, rein_str *body, const char **type) {
    static const char page[] = "<!DOCTYPE html><title>Site</title><body><script src=\"/site.js\"></script>";
    (void)user;
    if (strncmp(url, ORIGIN, sizeof ORIGIN - 1) != 0) return false;
    bool script = strcmp(url + sizeof ORIGIN - 1, "site.js") == 0;
    if (!script && strchr(url + sizeof ORIGIN - 1, '.')) return false; /* favicon.ico and the like */
    *type = script ? "text/javascript" : "text/html; charset=utf-8";
    rein_str_puts(body, script ? rein_site_js : page);
    return true;
}

static rein_status add_kind(site *s, const char *name, size_t len) {
    for (int k = 0; k < KINDS; k++) {
        if (strlen(kinds[k]) != len || memcmp(kinds[k], name, len) != 0) continue;
        for (int i = 0; i < s->n_kind; i++)
            if (s->kind[i] == k)
                return rein_fail(REIN_ERR_USAGE, "environment site: kind '%s' is named twice", kinds[k]);
        s->kind[s->n_kind++] = k;
        return REIN_OK;
    }
    return rein_fail(REIN_ERR_USAGE,
                     "environment site: no kind '%.*s'; there are order, cheapest, settings, lookup, register",
                     len > 40 ? 40 : (int)len, name);
}

static rein_status read_kinds(site *s) {
    for (const char *at = s->config.kinds; at;) {
        const char *comma = strchr(at, ',');
        REIN_TRY(add_kind(s, at, comma ? (size_t)(comma - at) : strlen(at)));
        at = comma ? comma + 1 : NULL;
    }
    return REIN_OK;
}

static void site_place(const rein_env *env, const rein_task *task, rein_browse_place *out) {
    (void)env;
    const char *kind = kinds[(int)task->number[REIN_SITE_KIND]];
    snprintf(out->name, sizeof out->name, "%s", kind);
    snprintf(out->url, sizeof out->url, "%s", ORIGIN);
    snprintf(out->argument, sizeof out->argument, "'%s', %.0f, %.0f", kind, task->number[REIN_SITE_LEVEL],
             task->number[REIN_SITE_SEED]);
    out->rest = REIN_BROWSE_NOTHING;
}

static void site_destroy(rein_env *env) {
    if (!env) return;
    rein_browser_close(self(env)->world.browser);
    rein_free(env);
}

static rein_status site_open(site *s) {
    REIN_TRY(read_kinds(s));
    return rein_browser_open(&s->world.browser, &(rein_browser_options){.path = s->config.browser,
                                                                        .serve = serve,
                                                                        .deadline = s->config.step_deadline,
                                                                        .width = 800,
                                                                        .height = 600});
}

static rein_status site_create(rein_env **out, const void *config) {
    const rein_site_config *c = config;
    site *s;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    s->config = *c;
    s->world = (rein_browse_world){.env = {&rein_site_class},
                                   .origin = ORIGIN,
                                   .max_steps = c->max_steps,
                                   .max_chars = c->max_chars,
                                   .invalid_penalty = c->invalid_penalty,
                                   .place = site_place};
    rein_status status = site_open(s);
    if (status != REIN_OK)
        site_destroy(&s->world.env);
    else
        *out = &s->world.env;
    return status;
}

static int64_t site_fixed_count(const rein_env *env) { return self(env)->n_kind * REIN_BROWSE_FIXED_EACH; }

/* Kinds take turns. Without a level of its own, a problem's seed says how hard it is. */
static rein_status site_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index, rein_task *out) {
    const site *s = self(env);
    if (index < 0 || (split == REIN_SPLIT_FIXED && index >= site_fixed_count(env)))
        return rein_fail(REIN_ERR_ARG, "environment site: task %lld of %lld", (long long)index,
                         (long long)site_fixed_count(env));
    const int kind = s->kind[index % s->n_kind];
    const int64_t problem = rein_browse_problem(seed, split, kind, index / s->n_kind, s->config.train_seeds);
    const int64_t level = s->config.level ? s->config.level : 1 + problem % LEVELS;
    *out = (rein_task){.key = (uint64_t)level << 48 | (uint64_t)kind << 32 | (uint64_t)problem,
                       .index = index,
                       .number = {(double)kind, (double)problem, (double)level}};
    return REIN_OK;
}

static rein_status site_difficulty(const rein_env *env, const rein_task *task, double *out) {
    (void)env;
    *out = (task->number[REIN_SITE_LEVEL] - 1) / (LEVELS - 1);
    return REIN_OK;
}

static const rein_option options[] = {
    {"kinds", REIN_OPT_STRING, offsetof(rein_site_config, kinds), "order,cheapest,settings,lookup,register", 0, 0, NULL,
     "tasks with commas between: order, cheapest, settings, lookup, register", NULL},
    {"level", REIN_OPT_INT, offsetof(rein_site_config, level), "0", 0, LEVELS, NULL,
     "1 to 3: larger sites, more to do; 0: all", NULL},
    {"browser", REIN_OPT_STRING, offsetof(rein_site_config, browser), NULL, 0, 0, NULL,
     "chromium-headless-shell or chromium (default: where distributions put it)", "FILE"},
    {"train_seeds", REIN_OPT_INT, offsetof(rein_site_config, train_seeds), "900000", 1, REIN_BROWSE_TRAIN_SEEDS, NULL,
     "different problems of a kind to train on", NULL},
    {"max_steps", REIN_OPT_INT, offsetof(rein_site_config, max_steps), "15", 1, 1000, NULL, "actions of an episode",
     NULL},
    {"max_chars", REIN_OPT_INT, offsetof(rein_site_config, max_chars), "2000", 100, 100000, NULL,
     "characters of a page that are shown", NULL},
    {"invalid_penalty", REIN_OPT_FLOAT, offsetof(rein_site_config, invalid_penalty), "0.05", 0, 10, NULL,
     "taken off for an action that cannot be read or done", NULL},
    {"step_deadline", REIN_OPT_FLOAT, offsetof(rein_site_config, step_deadline), "20", 0.1, 3600, NULL,
     "seconds of real time after which a page has hung", NULL},
};

static const char *const baselines[] = {NULL};

const rein_env_class rein_site_class = {
    .name = "site",
    .summary = "generated web sites with a task each, in a real browser",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_site_config),
    .create = site_create,
    .destroy = site_destroy,
    .task = site_task,
    .fixed_count = site_fixed_count,
    .difficulty = site_difficulty,
    .messages = rein_browse_messages,
    .prompt = rein_browse_prompt,
    .baselines = baselines,
    .turns = &rein_browse_turns,
};
