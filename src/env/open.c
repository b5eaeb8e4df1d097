/* Opening an environment from one line of text: "name" or "name:key=value,key=(a,b)". */
#include <string.h>

#include "base/option.h"
#include "env/open.h"

static rein_status set_pair(rein_options *opts, char *pair, const char *spec) {
    char *eq = strchr(pair, '=');
    if (!eq)
        return rein_fail(REIN_ERR_USAGE, "environment '%s': '%s' is not key=value", spec, pair);
    *eq = '\0';
    char *value = eq + 1;
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '(' && value[len - 1] == ')') { /* a list: (a,b) */
        value[len - 1] = '\0';
        value++;
    }
    return rein_options_set(opts, pair, value, 2, "--env");
}

/* The first comma outside of brackets and quotes, or NULL. */
static char *next_comma(char *text) {
    int depth = 0;
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '"') quoted = !quoted;
        if (quoted) continue;
        if (*text == ',' && depth == 0) return text;
        depth += strchr("([{", *text) != NULL;
        depth -= strchr(")]}", *text) != NULL;
    }
    return NULL;
}

static rein_status parse(rein_options *opts, char *pairs, const char *spec) {
    while (pairs && *pairs) {
        char *comma = next_comma(pairs);
        if (comma) *comma = '\0';
        REIN_TRY(set_pair(opts, pairs, spec));
        pairs = comma ? comma + 1 : NULL;
    }
    return REIN_OK;
}

static rein_status unknown(const char *name) {
    const char *names[64];
    int64_t n = 0;
    for (const rein_env_class *const *c = rein_env_classes(); *c && n < 64; c++) names[n++] = (*c)->name;
    const char *near = rein_nearest_name(name, names, n);
    return near ? rein_fail(REIN_ERR_USAGE, "unknown environment '%s'; did you mean '%s'", name, near)
                : rein_fail(REIN_ERR_USAGE, "unknown environment '%s'", name);
}

rein_status rein_env_open(rein_env **out, const char *spec) { return rein_env_open_host(out, spec, NULL); }

rein_status rein_env_open_host(rein_env **out, const char *spec, const struct rein_reward_host *host) {
    rein_arena arena = {0};
    rein_options opts = {0};
    char *name;
    void *config = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_arena_strdup(&arena, &name, spec, strlen(spec)), out);
    char *colon = strchr(name, ':');
    if (colon) *colon = '\0';
    const rein_env_class *cls = rein_env_find(name);
    if (!cls) {
        status = unknown(name);
        goto out;
    }
    REIN_TRY_OUT(status, rein_alloc(&config, 1, cls->config_size), out);
    REIN_TRY_OUT(status, rein_options_init(&opts, cls->options, cls->n_options, config), out);
    REIN_TRY_OUT(status, parse(&opts, colon ? colon + 1 : NULL, spec), out);
    if (cls->host_offset) memcpy((char *)config + cls->host_offset, &host, sizeof host);
    REIN_TRY_OUT(status, cls->create(out, config), out);
out:
    rein_options_deinit(&opts);
    rein_free(config);
    rein_arena_deinit(&arena);
    return status;
}

void rein_env_close(rein_env *env) {
    if (env) env->cls->destroy(env);
}
