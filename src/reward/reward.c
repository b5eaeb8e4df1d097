/* Lists of reward functions: opened, weighted, scored; see reward.h. */
#include "reward/reward.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/option_value.h"
#include "reward/internal.h"

struct rein_rewards {
    int64_t n;
    rein_reward_func func[REIN_REWARD_FUNCS];
};

static const rein_reward_class *const classes[] = {&rein_reward_accuracy, &rein_reward_reasoning, &rein_reward_cosine, &rein_reward_think,
                                                   &rein_reward_repetition, &rein_reward_overlong, &rein_reward_exact,
                                                   &rein_reward_numeric, &rein_reward_regex, &rein_reward_json,
                                                   &rein_reward_process, &rein_reward_model};

/* ---- text of a list ---- */

size_t rein_reward_item(const char *list, bool semicolon) {
    int depth = 0;
    bool quoted = false;
    size_t i = 0;
    for (; list[i]; i++) {
        const char c = list[i];
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (strchr("([{", c)) depth++;
        if (strchr(")]}", c) && depth > 0) depth--;
        if (depth == 0 && (c == ',' || (semicolon && c == ';'))) break;
    }
    return i;
}

static size_t word_length(const char *text) {
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_') n++;
    return n;
}

static void trim_item(char **text) {
    char *at = *text + strspn(*text, " \t\n");
    size_t len = strlen(at);
    while (len > 0 && strchr(" \t\n", at[len - 1])) at[--len] = '\0';
    *text = at;
}

static void unquote(char *text) {
    size_t len = strlen(text);
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') return;
    memmove(text, text + 1, len - 2);
    text[len - 2] = '\0';
}

/* ---- opening ---- */

/* Is `name` one of "name|alias|alias"? */
static bool has_name(const char *names, const char *name) {
    rein_choice choice = {.next = names};
    while (rein_choice_next(&choice))
        if (strlen(name) == choice.len && memcmp(name, choice.name, choice.len) == 0) return true;
    return false;
}

static rein_status unknown(const char *name) {
    enum { MOST = 4 * REIN_COUNT(classes) };
    char known[MOST][REIN_REWARD_NAME];
    const char *names[MOST];
    int64_t n = 0;
    for (size_t i = 0; i < REIN_COUNT(classes); i++) {
        rein_choice choice = {.next = classes[i]->names};
        while (n < MOST && rein_choice_next(&choice)) {
            snprintf(known[n], sizeof known[n], "%.*s", (int)choice.len, choice.name);
            names[n] = known[n];
            n++;
        }
    }
    const char *near = rein_nearest_name(name, names, n);
    return near ? rein_fail(REIN_ERR_USAGE, "unknown reward function '%s'; did you mean '%s'", name, near)
                : rein_fail(REIN_ERR_USAGE, "unknown reward function '%s'; a program is process:COMMAND", name);
}

static const rein_reward_class *find_class(const char *name) {
    for (size_t i = 0; i < REIN_COUNT(classes); i++)
        if (has_name(classes[i]->names, name)) return classes[i];
    return NULL;
}

/* "key=value,key=value" into the function's parameters. */
static rein_status set_parameters(rein_reward_func *f, char *pairs) {
    char where[REIN_REWARD_NAME + 24];
    snprintf(where, sizeof where, "reward function %s", f->name);
    while (*pairs) {
        size_t len = rein_reward_item(pairs, true);
        char *next = pairs + len + (pairs[len] != '\0');
        pairs[len] = '\0';
        trim_item(&pairs);
        char *eq = strchr(pairs, '=');
        if (!eq) return rein_fail(REIN_ERR_USAGE, "%s: '%s' is not key=value", where, pairs);
        *eq = '\0';
        unquote(eq + 1);
        if (!f->cls->options) return rein_fail(REIN_ERR_USAGE, "%s has no parameters, found '%s'", where, pairs);
        REIN_TRY(rein_options_set(&f->options, pairs, eq + 1, 2, where));
        pairs = next;
    }
    return REIN_OK;
}

/* What follows a function's name: "", "(...)" or ":...". *argument points into `text`. */
static rein_status split_argument(char **argument, char *text, const char *item) {
    size_t len = strlen(text);
    *argument = text;
    if (len == 0) return REIN_OK;
    *argument = text + 1;
    if (*text == ':') return REIN_OK;
    if (*text != '(' || text[len - 1] != ')')
        return rein_fail(REIN_ERR_USAGE, "reward function '%s': write NAME, NAME(key=value,...) or NAME:key=value", item);
    text[len - 1] = '\0';
    return REIN_OK;
}

static rein_status open_class(rein_reward_func *f, char *argument) {
    const rein_reward_class *c = f->cls;
    if (c->config_size > 0) {
        REIN_TRY(rein_alloc(&f->config, 1, c->config_size));
        REIN_TRY(rein_options_init(&f->options, c->options, c->n_options, f->config));
    }
    if (c->batch)
        f->argument = argument;
    else
        REIN_TRY(set_parameters(f, argument));
    return c->open ? c->open(f) : REIN_OK;
}

/* "NAME", "LABEL=NAME", either with an argument. */
static rein_status open_item(rein_reward_func *f, rein_arena *arena, const char *item, size_t len) {
    char *text, *label = NULL, *argument, name[REIN_REWARD_NAME];
    REIN_TRY(rein_arena_strdup(arena, &text, item, len));
    trim_item(&text);
    if (!*text) return rein_fail(REIN_ERR_USAGE, "reward_funcs: a name is missing");
    if (text[word_length(text)] == '=') {
        label = text;
        text += word_length(text) + 1;
        text[-1] = '\0';
    }
    size_t n = word_length(text);
    if (n >= sizeof name || (label && strlen(label) >= sizeof name))
        return rein_fail(REIN_ERR_USAGE, "reward function '%s': a name has at most %d letters", label ? label : text,
                         REIN_REWARD_NAME - 1);
    memcpy(name, text, n);
    name[n] = '\0';
    f->cls = find_class(name);
    if (!f->cls) return unknown(name);
    if (label)
        snprintf(f->name, sizeof f->name, "%s", label);
    else
        snprintf(f->name, sizeof f->name, "%.*s", (int)strcspn(f->cls->names, "|"), f->cls->names);
    REIN_TRY(split_argument(&argument, text + n, text));
    return open_class(f, argument);
}

static rein_status open_all(rein_rewards *r, rein_arena *arena, const char *funcs) {
    for (const char *at = funcs;;) {
        size_t len = rein_reward_item(at, false);
        if (r->n == REIN_REWARD_FUNCS)
            return rein_fail(REIN_ERR_USAGE, "reward_funcs: more than %d functions", REIN_REWARD_FUNCS);
        rein_reward_func *f = &r->func[r->n++];
        REIN_TRY(open_item(f, arena, at, len));
        for (int64_t k = 0; k < r->n - 1; k++)
            if (strcmp(r->func[k].name, f->name) == 0)
                return rein_fail(REIN_ERR_USAGE, "two reward functions are called '%s'; write OTHERNAME=FUNCTION for one",
                                 f->name);
        if (!at[len]) return REIN_OK;
        at += len + 1;
    }
}

static rein_status set_weights(rein_rewards *r, const char *weights) {
    double value[REIN_REWARD_FUNCS];
    if (weights && !rein_option_numbers(value, r->n, weights))
        return rein_fail(REIN_ERR_USAGE, "reward_weights: \"%s\" is no list of %lld numbers, one a reward function",
                         weights, (long long)r->n);
    for (int64_t k = 0; k < r->n; k++) r->func[k].weight = weights ? value[k] : 1;
    return REIN_OK;
}

rein_status rein_rewards_open(rein_rewards **out, const char *funcs, const char *weights, double timeout) {
    rein_rewards *r;
    rein_arena arena = {0};
    REIN_TRY(rein_alloc(&r, 1, sizeof *r));
    rein_status status = open_all(r, &arena, funcs);
    if (status == REIN_OK) status = set_weights(r, weights);
    for (int64_t k = 0; k < r->n && status == REIN_OK; k++) {
        rein_reward_func *f = &r->func[k];
        f->timeout = timeout;
        if (f->argument) status = rein_arena_strdup(&f->options.arena, &f->argument, f->argument, strlen(f->argument));
    }
    rein_arena_deinit(&arena);
    if (status != REIN_OK)
        rein_rewards_close(r);
    else
        *out = r;
    return status;
}

void rein_rewards_close(rein_rewards *r) {
    for (int64_t k = 0; r && k < r->n; k++) {
        rein_reward_func *f = &r->func[k];
        if (f->cls && f->cls->close) f->cls->close(f);
        rein_options_deinit(&f->options);
        rein_free(f->config);
    }
    rein_free(r);
}

rein_status rein_rewards_bind(rein_rewards *r, const rein_reward_host *host) {
    for (int64_t k = 0; k < r->n; k++) {
        rein_reward_func *f = &r->func[k];
        if (f->cls != &rein_reward_model) continue;
        if (!host)
            return rein_fail(REIN_ERR_USAGE, "reward function model:%s: only training and rein eval run reward models",
                             f->argument);
        REIN_TRY(host->open(&f->state, f->argument, host->user));
        f->host = *host;
    }
    return REIN_OK;
}

int64_t rein_rewards_count(const rein_rewards *r) { return r->n; }
const char *rein_rewards_name(const rein_rewards *r, int64_t k) { return r->func[k].name; }
double rein_rewards_weight(const rein_rewards *r, int64_t k) { return r->func[k].weight; }
rein_reward_judges rein_rewards_judges(const rein_rewards *r, int64_t k) { return r->func[k].cls->judges; }

/* ---- scoring ---- */

static rein_status score_func(double *column, const rein_reward_func *f, const rein_reward_answer *a, int64_t n) {
    if (f->cls->batch) return f->cls->batch(column, f, a, n);
    for (int64_t i = 0; i < n; i++) REIN_TRY(f->cls->score(&column[i], f, &a[i]));
    return REIN_OK;
}

rein_status rein_rewards_score(double *reward, const rein_rewards *r, const rein_reward_answer *answer, int64_t n) {
    double *column;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&column, n, sizeof *column));
    for (int64_t k = 0; k < r->n && status == REIN_OK; k++) {
        status = score_func(column, &r->func[k], answer, n);
        if (status != REIN_OK) rein_error_prefix(status, "reward function %s", r->func[k].name);
        for (int64_t i = 0; i < n && status == REIN_OK; i++) {
            reward[i * r->n + k] = column[i];
            if (isinf(column[i]))
                status = rein_fail(REIN_ERR_NUMERIC, "reward function %s gave %g for answer %lld", r->func[k].name,
                                   column[i], (long long)i);
        }
    }
    rein_free(column);
    return status;
}

/* ---- shared by the functions ---- */

rein_status rein_reward_column(const char **text, size_t *len, bool *missing, struct json_object *row,
                               const char *column) {
    struct json_object *value;
    if (json_object_object_get_ex(row, column, &value)) {
        *missing = !value;
        *text = "";
        *len = 0;
        if (!value) return REIN_OK;
        if (json_object_is_type(value, json_type_string)) {
            *text = json_object_get_string(value);
            *len = (size_t)json_object_get_string_len(value);
            return REIN_OK;
        }
        *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, len);
        return *text ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "out of memory for column '%s'", column);
    }
    rein_str names = {0};
    json_object_object_foreach(row, key, unused) {
        (void)unused;
        rein_str_printf(&names, "%s%s", names.len ? ", " : "", key);
    }
    rein_status status = rein_fail(REIN_ERR_FORMAT, "the row has no column '%s'; it has %s: choose one with column=",
                                   column, names.data ? names.data : "none");
    rein_str_deinit(&names);
    return status;
}

void rein_reward_trim(const char **text, size_t *len) {
    while (*len > 0 && isspace((unsigned char)**text)) ++*text, --*len;
    while (*len > 0 && isspace((unsigned char)(*text)[*len - 1])) --*len;
}

rein_status rein_reward_need_ids(const rein_reward_func *f, const rein_reward_answer *a) {
    if (a->ids) return REIN_OK;
    return rein_fail(REIN_ERR_ARG, "%s counts tokens, and this answer is text only", f->name);
}
