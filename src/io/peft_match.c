/*
 * Which linear layers an adapter's configuration means, as PEFT decides it (check_target_module_exists and get_pattern_key
 * of peft 0.21). Python's re.fullmatch and re.match are anchored PCRE2 matches; the names of layers are ASCII.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/peft.h"

typedef struct expression {
    pcre2_code *code;
    const char *source;
    bool used; /* matched something */
} expression;

struct rein_lora_matcher {
    const rein_lora_config *config;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    expression target;
    expression *rank, *alpha;        /* by pattern */
    bool *target_used, *saved_used;  /* by name */
    int64_t adapted, last_layer;     /* layers seen so far */
};

/* ---- expressions ---- */

static rein_status compile(expression *out, const char *before, const char *source, const char *after) {
    rein_str s = {0};
    int error;
    size_t offset;
    rein_str_printf(&s, "%s%s%s", before, source, after);
    REIN_TRY(rein_str_check(&s));
    *out = (expression){.source = source};
    out->code = pcre2_compile((PCRE2_SPTR)s.data, s.len, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error,
                              &offset, NULL);
    rein_str_deinit(&s);
    if (out->code) return REIN_OK;
    char message[256];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
    return rein_fail(REIN_ERR_FORMAT, "'%s' is no regular expression: %s", source, message);
}

static rein_status matches(bool *out, rein_lora_matcher *m, const expression *e, const char *text) {
    int n = pcre2_match(e->code, (PCRE2_SPTR)text, strlen(text), 0, 0, m->data, m->limits);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH)
        return rein_fail(REIN_ERR_FORMAT, "'%s' cannot be matched with '%s': the expression is too costly", e->source,
                         text);
    *out = n >= 0;
    return REIN_OK;
}

static rein_status compile_patterns(expression **out, const rein_lora_patterns *p) {
    REIN_TRY(rein_alloc(out, p->n, sizeof **out));
    for (int64_t i = 0; i < p->n; i++) REIN_TRY(compile(&(*out)[i], "(?:.*\\.)?(?:", p->list[i].key, ")"));
    return REIN_OK;
}

static rein_status prepare(rein_lora_matcher *m) {
    const rein_lora_config *c = m->config;
    m->data = pcre2_match_data_create(1, NULL);
    m->limits = pcre2_match_context_create(NULL);
    if (!m->data || !m->limits) return rein_fail(REIN_ERR_MEMORY, "out of memory");
    pcre2_set_match_limit(m->limits, 100000);
    if (c->target_regex) REIN_TRY(compile(&m->target, "", c->target_regex, ""));
    REIN_TRY(compile_patterns(&m->rank, &c->rank_pattern));
    REIN_TRY(compile_patterns(&m->alpha, &c->alpha_pattern));
    REIN_TRY(rein_alloc(&m->target_used, c->targets.n, sizeof *m->target_used));
    return rein_alloc(&m->saved_used, c->modules_to_save.n, sizeof *m->saved_used);
}

rein_status rein_lora_matcher_create(rein_lora_matcher **out, const rein_lora_config *config) {
    rein_lora_matcher *m;
    REIN_TRY(rein_alloc(&m, 1, sizeof *m));
    m->config = config;
    m->last_layer = -1;
    rein_status status = prepare(m);
    if (status != REIN_OK) {
        rein_lora_matcher_destroy(m);
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    *out = m;
    return REIN_OK;
}

void rein_lora_matcher_destroy(rein_lora_matcher *m) {
    if (!m) return;
    for (int64_t i = 0; m->rank && i < m->config->rank_pattern.n; i++) pcre2_code_free(m->rank[i].code);
    for (int64_t i = 0; m->alpha && i < m->config->alpha_pattern.n; i++) pcre2_code_free(m->alpha[i].code);
    pcre2_code_free(m->target.code);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    rein_free(m->rank);
    rein_free(m->alpha);
    rein_free(m->target_used);
    rein_free(m->saved_used);
    rein_free(m);
}

/* ---- names ---- */

/* The whole module, or its end after a dot. */
static bool ends_with(const char *module, const char *name) {
    size_t m = strlen(module), n = strlen(name);
    if (m < n || strcmp(module + m - n, name) != 0) return false;
    return m == n || module[m - n - 1] == '.';
}

static bool in_list(const rein_name_list *list, const char *module, bool *used) {
    bool found = false;
    for (int64_t i = 0; i < list->n; i++) {
        if (!ends_with(module, list->name[i])) continue;
        found = true;
        if (used) used[i] = true;
    }
    return found;
}

bool rein_lora_saves(rein_lora_matcher *m, const char *module) {
    return in_list(&m->config->modules_to_save, module, m->saved_used);
}

/* The first number that stands alone between dots, with the name before it; -1 if there is none. */
static int64_t layer_of(const char *module, const char **name, size_t *len) {
    const char *before = module;
    for (const char *part = module; *part;) {
        size_t n = strcspn(part, ".");
        if (part != module && n > 0 && part[n] == '.' && strspn(part, "0123456789") == n) {
            *name = before;
            *len = (size_t)(part - before) - 1;
            return strtoll(part, NULL, 10);
        }
        before = part;
        part += n + (part[n] == '.');
    }
    return -1;
}

static bool in_layers(const rein_lora_config *c, const char *module) {
    const char *name = module;
    size_t len = 0;
    int64_t layer = layer_of(module, &name, &len);
    bool named = c->layers_pattern.n == 0, listed = false;
    for (int64_t i = 0; i < c->layers_pattern.n; i++)
        named |= strlen(c->layers_pattern.name[i]) == len && memcmp(c->layers_pattern.name[i], name, len) == 0;
    for (int64_t i = 0; i < c->n_layers; i++) listed |= c->layers[i] == layer;
    return c->n_layers == 0 || (named && listed);
}

/* ---- a module ---- */

static rein_status is_target(bool *out, rein_lora_matcher *m, const char *module) {
    const rein_lora_config *c = m->config;
    *out = false;
    if (in_list(&c->exclude, module, NULL) || in_list(&c->modules_to_save, module, NULL)) return REIN_OK;
    if (c->target_regex && strcmp(c->target_regex, "all-linear") == 0) {
        *out = strcmp(module, "lm_head") != 0 && strcmp(module, "model.embed_tokens") != 0;
        return REIN_OK;
    }
    if (c->target_regex) return matches(out, m, &m->target, module);
    for (int64_t i = 0; i < c->targets.n && !*out; i++) *out = strcmp(c->targets.name[i], module) == 0; /* any layer */
    *out = in_list(&c->targets, module, m->target_used) && (*out || in_layers(c, module));
    return REIN_OK;
}

/* The value of the first pattern that matches, or `otherwise`. */
static rein_status pattern_value(double *out, rein_lora_matcher *m, const rein_lora_patterns *p, expression *e,
                                 const char *module, double otherwise) {
    *out = otherwise;
    for (int64_t i = 0; i < p->n; i++) {
        bool yes;
        REIN_TRY(matches(&yes, m, &e[i], module));
        if (!yes) continue;
        e[i].used = true;
        *out = p->list[i].value;
        return REIN_OK;
    }
    return REIN_OK;
}

rein_status rein_lora_match_module(rein_lora_match *out, rein_lora_matcher *m, const char *module) {
    const rein_lora_config *c = m->config;
    const char *name;
    size_t len;
    double r, alpha;
    int64_t layer = layer_of(module, &name, &len);
    *out = (rein_lora_match){0};
    if (layer > m->last_layer) m->last_layer = layer;
    REIN_TRY(is_target(&out->adapted, m, module));
    if (!out->adapted) return REIN_OK;
    REIN_TRY(pattern_value(&r, m, &c->rank_pattern, m->rank, module, (double)c->r));
    REIN_TRY(pattern_value(&alpha, m, &c->alpha_pattern, m->alpha, module, c->alpha));
    out->r = (int64_t)r;
    out->scale = (float)(alpha / (c->use_rslora ? sqrt(r) : r));
    m->adapted++;
    return REIN_OK;
}

/* ---- what matched nothing ---- */

static rein_status unmatched(const char *key, const char *entry) {
    return rein_fail(REIN_ERR_FORMAT, "%s: '%s' fits no linear layer of this model", key, entry);
}

rein_status rein_lora_matcher_check(const rein_lora_matcher *m) {
    const rein_lora_config *c = m->config;
    for (int64_t i = 0; i < c->targets.n; i++)
        if (!m->target_used[i]) return unmatched("target_modules", c->targets.name[i]);
    for (int64_t i = 0; i < c->n_layers; i++)
        if (c->layers[i] > m->last_layer)
            return rein_fail(REIN_ERR_FORMAT, "layers_to_transform: layer %lld, the model's last is %lld",
                             (long long)c->layers[i], (long long)m->last_layer);
    for (int64_t i = 0; i < c->modules_to_save.n; i++)
        if (!m->saved_used[i])
            return rein_fail(REIN_ERR_FORMAT, "modules_to_save: '%s' is neither lm_head nor embed_tokens",
                             c->modules_to_save.name[i]);
    if (m->adapted == 0) return unmatched("target_modules", c->target_regex ? c->target_regex : "the list");
    for (int64_t i = 0; i < c->rank_pattern.n; i++)
        if (!m->rank[i].used) return unmatched("rank_pattern", m->rank[i].source);
    for (int64_t i = 0; i < c->alpha_pattern.n; i++)
        if (!m->alpha[i].used) return unmatched("alpha_pattern", m->alpha[i].source);
    return REIN_OK;
}
