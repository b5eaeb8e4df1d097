/* Setting options: text to typed values, command line and YAML; see option.h. Writing them is in option_write.c. */
#include "base/option.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/option_value.h"
#include "base/yaml.h"

enum { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_COMMAND_LINE, SOURCE_END = 8, NAME_MAX_LENGTH = 63 };

/* ---- nearest name ---- */

/* Edits (insert, delete, replace, swap of neighbours) from a to b, both at most NAME_MAX_LENGTH long. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
    size_t row[3][NAME_MAX_LENGTH + 1]; /* the last three rows of the table, row i at i mod 3 */
    for (size_t j = 0; j <= n_b; j++) row[0][j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n_a % 3][n_b];
}

typedef struct nearest {
    const char *name;
    size_t distance;
} nearest;

static void consider_name(nearest *best, const char *wanted, const char *candidate, size_t n_candidate) {
    size_t n_wanted = strlen(wanted), longer = n_wanted > n_candidate ? n_wanted : n_candidate;
    if (longer > NAME_MAX_LENGTH) return;
    size_t distance = edit_distance(wanted, n_wanted, candidate, n_candidate);
    if (3 * distance > longer || (best->name && distance >= best->distance)) return;
    *best = (nearest){candidate, distance};
}

const char *rein_nearest_name(const char *name, const char *const *names, int64_t n) {
    nearest best = {0};
    for (int64_t i = 0; i < n; i++) consider_name(&best, name, names[i], strlen(names[i]));
    return best.name;
}

/* ---- text to value ---- */

typedef struct context { /* of an error */
    const rein_option *row;
    const char *text, *where;
} context;

static rein_status fail_value(const context *c, const char *problem) {
    return rein_fail(REIN_ERR_USAGE, "%s: \"%s\" %s (%s)", c->row->name, c->text, problem, c->where);
}

static rein_status check_range(const context *c, double x) {
    const rein_option *row = c->row;
    if ((row->min == 0 && row->max == 0) || (x >= row->min && x <= row->max)) return REIN_OK;
    if (isinf(row->max))
        return rein_fail(REIN_ERR_USAGE, "%s: %s is below %.15g (%s)", row->name, c->text, row->min, c->where);
    if (isinf(row->min))
        return rein_fail(REIN_ERR_USAGE, "%s: %s is above %.15g (%s)", row->name, c->text, row->max, c->where);
    return rein_fail(REIN_ERR_USAGE, "%s: %s is outside %.15g .. %.15g (%s)", row->name, c->text, row->min, row->max,
                     c->where);
}

static rein_status parse_bool(rein_option_value *out, const context *c) {
    out->boolean = strcmp(c->text, "true") == 0;
    if (!out->boolean && strcmp(c->text, "false") != 0) return fail_value(c, "is not true or false");
    return REIN_OK;
}

static size_t count_digits(const char *text) { return strspn(text, "0123456789"); }

static rein_status parse_int(rein_option_value *out, const context *c) {
    const bool negative = c->text[0] == '-';
    const char *digits = c->text + (negative || c->text[0] == '+');
    const size_t n = count_digits(digits);
    int64_t value = 0;
    if (n == 0 || digits[n] != '\0') return fail_value(c, "is not an integer");
    for (size_t i = 0; i < n; i++) {
        int digit = digits[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return fail_value(c, "does not fit a 64-bit integer");
    }
    out->integer = value;
    return check_range(c, (double)value);
}

/* Decimal only: strtod alone would take hexadecimal, nan, inf and leading space. */
static bool is_decimal(const char *text) {
    text += *text == '-' || *text == '+';
    size_t whole = count_digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = count_digits(text + 1);
        text += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t n = count_digits(text);
        if (n == 0) return false;
        text += n;
    }
    return *text == '\0';
}

static rein_status parse_float(rein_option_value *out, const context *c) {
    if (!is_decimal(c->text)) return fail_value(c, "is not a number");
    out->number = strtod(c->text, NULL);
    if (isinf(out->number)) return fail_value(c, "does not fit a double");
    return check_range(c, out->number);
}

static rein_status parse_choice(rein_option_value *out, const context *c) {
    nearest best = {0};
    rein_choice choice = {.next = c->row->choices};
    while (rein_choice_next(&choice)) {
        consider_name(&best, c->text, choice.name, choice.len);
        if (best.name != choice.name || best.distance > 0) continue;
        out->choice = choice.index;
        return REIN_OK;
    }
    if (!best.name)
        return rein_fail(REIN_ERR_USAGE, "%s: \"%s\" is not one of %s (%s)", c->row->name, c->text, c->row->choices,
                         c->where);
    return rein_fail(REIN_ERR_USAGE, "%s: \"%s\" is not one of %s; did you mean \"%.*s\"? (%s)", c->row->name, c->text,
                     c->row->choices, (int)strcspn(best.name, "|"), best.name, c->where);
}

static rein_status parse_string(rein_option_value *out, const context *c) {
    size_t len = strlen(c->text);
    for (size_t i = 0, n; i < len; i += n)
        if ((n = rein_utf8_length(c->text + i, len - i)) == 0) return fail_value(c, "is not valid UTF-8");
    out->string = c->text;
    return REIN_OK;
}

rein_status rein_option_parse(rein_option_value *out, const rein_option *row, const char *text, const char *where) {
    const context c = {row, text, where};
    if (!text && row->type == REIN_OPT_STRING) {
        out->string = NULL;
        return REIN_OK;
    }
    if (!text) return rein_fail(REIN_ERR_USAGE, "%s: needs a value, found null (%s)", row->name, where);
    switch (row->type) {
    case REIN_OPT_BOOL:
        return parse_bool(out, &c);
    case REIN_OPT_INT:
        return parse_int(out, &c);
    case REIN_OPT_FLOAT:
        return parse_float(out, &c);
    case REIN_OPT_STRING:
        return parse_string(out, &c);
    case REIN_OPT_CHOICE:
        return parse_choice(out, &c);
    }
    return REIN_ERR_USAGE;
}

bool rein_option_numbers(double *out, int64_t n, const char *text) {
    for (int64_t i = 0; i < n; i++) {
        char *end;
        out[i] = strtod(text, &end);
        if (end == text || !isfinite(out[i]) || *end != (i + 1 < n ? ',' : '\0')) return false;
        text = end + 1;
    }
    return true;
}

/* ---- one option ---- */

static rein_status store_value(rein_options *opts, const rein_option *row, const rein_option_value *value) {
    char *member = (char *)opts->values + row->offset, *copy = NULL;
    switch (row->type) {
    case REIN_OPT_BOOL:
        memcpy(member, &value->boolean, sizeof value->boolean);
        break;
    case REIN_OPT_INT:
        memcpy(member, &value->integer, sizeof value->integer);
        break;
    case REIN_OPT_FLOAT:
        memcpy(member, &value->number, sizeof value->number);
        break;
    case REIN_OPT_CHOICE:
        memcpy(member, &value->choice, sizeof value->choice);
        break;
    case REIN_OPT_STRING:
        if (value->string) REIN_TRY(rein_arena_strdup(&opts->arena, &copy, value->string, strlen(value->string)));
        memcpy(member, &copy, sizeof copy);
        break;
    }
    return REIN_OK;
}

/* An option as it was named: by its own name (alias NULL) or another program's. */
typedef struct named {
    int64_t row;
    const rein_option_alias *alias;
} named;

static int64_t row_called(const rein_options *opts, const char *name) {
    for (int64_t i = 0; i < opts->n_rows; i++)
        if (strcmp(opts->rows[i].name, name) == 0) return i;
    return -1;
}

static bool is_alias(const rein_option_alias *alias, const char *name) {
    size_t whole = strlen(alias->name), n = strlen(name);
    return n <= whole && strcmp(alias->name + whole - n, name) == 0 &&
           (n == whole || alias->name[whole - n - 1] == '.');
}

/* The alias that `name` is; NULL if it is none. */
static rein_status find_alias(const rein_option_alias **out, const rein_options *opts, const char *name,
                              const char *where) {
    *out = NULL;
    for (const rein_option_alias *a = opts->aliases; a && a->name; a++) {
        if (!(a->use & opts->use) || !is_alias(a, name)) continue;
        if (*out)
            return rein_fail(REIN_ERR_USAGE, "\"%s\" may be %s or %s: say which (%s)", name, (*out)->name, a->name,
                             where);
        *out = a;
    }
    return REIN_OK;
}

static rein_status find_row(named *out, const rein_options *opts, const char *name, const char *where) {
    nearest best = {0};
    *out = (named){.row = row_called(opts, name)};
    if (out->row >= 0) return REIN_OK;
    REIN_TRY(find_alias(&out->alias, opts, name, where));
    if (out->alias && !out->alias->option)
        return rein_fail(REIN_ERR_USAGE, "there is no option \"%s\": %s (%s)", name, out->alias->say, where);
    if (out->alias) {
        out->row = row_called(opts, out->alias->option);
        REIN_ASSERT(out->row >= 0); /* the table is wrong */
        return REIN_OK;
    }
    for (int64_t i = 0; i < opts->n_rows; i++)
        consider_name(&best, name, opts->rows[i].name, strlen(opts->rows[i].name));
    if (!best.name) return rein_fail(REIN_ERR_USAGE, "unknown option \"%s\" (%s)", name, where);
    return rein_fail(REIN_ERR_USAGE, "unknown option \"%s\", did you mean \"%s\"? (%s)", name, best.name, where);
}

void rein_options_accept(rein_options *opts, const rein_option_alias *aliases, unsigned use) {
    opts->aliases = aliases;
    opts->use = use;
}

/* As rein_options_set; `text` NULL is a null in a file. */
static rein_status set_row(rein_options *opts, int64_t i, const char *text, int source, const char *where) {
    const rein_option *row = &opts->rows[i];
    const unsigned bit = 1u << source;
    rein_option_value value;
    REIN_ASSERT(source >= 0 && source < SOURCE_END);
    if (opts->sources[i] & bit) return rein_fail(REIN_ERR_USAGE, "%s: given twice (%s)", row->name, where);
    REIN_TRY(rein_option_parse(&value, row, text, where)); /* also where a higher source has set it: no error hides */
    if (opts->sources[i] < bit) REIN_TRY(store_value(opts, row, &value));
    opts->sources[i] = (unsigned char)(opts->sources[i] | bit);
    opts->is_set[i] = opts->sources[i] > 1u << SOURCE_DEFAULT;
    return REIN_OK;
}

/* The value that an alias' value is here. */
static rein_status translate(rein_options *opts, const rein_option_alias *alias, const char **text, const char *where) {
    size_t n = *text ? strlen(*text) : 0;
    char *copy;
    for (const char *at = alias->values; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (strcmp(at, "*") == 0) return REIN_OK;
        if (!*text || strncmp(at, *text, n) != 0 || at[n] != '=') continue;
        at += n + 1;
        REIN_TRY(rein_arena_strdup(&opts->arena, &copy, at, strcspn(at, "|")));
        *text = copy;
        return REIN_OK;
    }
    return rein_fail(REIN_ERR_USAGE, "%s: there is no \"%s\" here: %s (%s)", alias->name, *text ? *text : "null",
                     alias->say, where);
}

/* As rein_options_set, of an option that was found. */
static rein_status set_named(rein_options *opts, const named *option, const char *text, int source, const char *where) {
    char as[320];
    if (!option->alias) return set_row(opts, option->row, text, source, where);
    snprintf(as, sizeof as, "%s, as %s", where, option->alias->name);
    if (option->alias->values) REIN_TRY(translate(opts, option->alias, &text, where));
    return set_row(opts, option->row, text, source, as);
}

rein_status rein_options_set(rein_options *opts, const char *name, const char *text, int source, const char *where) {
    named option;
    REIN_TRY(find_row(&option, opts, name, where));
    return set_named(opts, &option, text, source, where);
}

static rein_status set_defaults(rein_options *opts) {
    for (int64_t i = 0; i < opts->n_rows; i++) {
        rein_status status = set_row(opts, i, opts->rows[i].def, SOURCE_DEFAULT, "default");
        REIN_ASSERT(status != REIN_ERR_USAGE); /* the table is wrong */
        REIN_TRY(status);
    }
    return REIN_OK;
}

/* Room beside the rows, and the defaults. */
static rein_status start(rein_options *opts) {
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&opts->is_set, opts->n_rows, sizeof *opts->is_set), out);
    REIN_TRY_OUT(status, rein_alloc(&opts->sources, opts->n_rows, sizeof *opts->sources), out);
    REIN_TRY_OUT(status, set_defaults(opts), out);
out:
    if (status != REIN_OK) rein_options_deinit(opts);
    return status;
}

rein_status rein_options_init(rein_options *opts, const rein_option *rows, int64_t n_rows, void *values) {
    *opts = (rein_options){.rows = rows, .n_rows = n_rows, .values = values};
    return start(opts);
}

rein_status rein_options_init_use(rein_options *opts, const rein_shared_option *rows, unsigned use, void *values) {
    rein_option *chosen;
    size_t n = 0;
    while (rows[n].option.name) n++;
    *opts = (rein_options){.values = values};
    REIN_TRY(rein_arena_alloc(&opts->arena, &chosen, n * sizeof *chosen));
    for (size_t i = 0; i < n; i++)
        if (rows[i].use == 0 || (rows[i].use & use)) chosen[opts->n_rows++] = rows[i].option;
    opts->rows = chosen;
    return start(opts);
}

void rein_options_deinit(rein_options *opts) {
    rein_free(opts->is_set);
    rein_free(opts->sources);
    rein_arena_deinit(&opts->arena);
    *opts = (rein_options){0};
}

/* ---- command line ---- */

static const char command_line[] = "command line";

typedef struct word_reader {
    const rein_options *opts;
    int argc, at;
    char **argv;
    bool only_words; /* after "--" */
} word_reader;

/* The value of the option that the word argv[at - 1] names; *value is borrowed. */
static rein_status read_value(word_reader *r, const named *option, const char *equals, const char **value) {
    const rein_option *row = &r->opts->rows[option->row];
    const char *next = r->at < r->argc ? r->argv[r->at] : NULL;
    bool flag = row->type == REIN_OPT_BOOL && !(option->alias && option->alias->values);
    if (equals) {
        *value = equals + 1;
        return REIN_OK;
    }
    if (flag && !(next && (strcmp(next, "true") == 0 || strcmp(next, "false") == 0))) {
        *value = "true";
        return REIN_OK;
    }
    if (!next) return rein_fail(REIN_ERR_USAGE, "%s: needs a value (%s)", row->name, command_line);
    if (strncmp(next, "--", 2) == 0)
        return rein_fail(REIN_ERR_USAGE, "%s: needs a value, found \"%s\"; write --%s=%s if that is the value (%s)",
                         row->name, next, row->name, next, command_line);
    *value = next;
    r->at++;
    return REIN_OK;
}

/* One option (row >= 0) with its value, or one positional word (row -1, the word is *value). */
static rein_status read_argument(word_reader *r, named *option, const char **value) {
    char name[NAME_MAX_LENGTH + 1];
    const char *word = r->argv[r->at++];
    *option = (named){.row = -1};
    *value = word;
    if (r->only_words || word[0] != '-' || word[1] == '\0') return REIN_OK;
    if (word[1] != '-') return rein_fail(REIN_ERR_USAGE, "unknown option \"%s\"; options begin with --", word);
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word - 2) : strlen(word) - 2;
    if (len > NAME_MAX_LENGTH) return rein_fail(REIN_ERR_USAGE, "unknown option \"%s\" (%s)", word, command_line);
    memcpy(name, word + 2, len);
    name[len] = '\0';
    REIN_TRY(find_row(option, r->opts, name, command_line));
    return read_value(r, option, equals, value);
}

/* The next argument, if there is one, past a "--". */
static bool more_arguments(word_reader *r) {
    if (!r->only_words && r->at < r->argc && strcmp(r->argv[r->at], "--") == 0) {
        r->only_words = true;
        r->at++;
    }
    return r->at < r->argc;
}

static rein_status load_config(rein_options *opts, int argc, char **argv) {
    word_reader r = {.opts = opts, .argc = argc, .argv = argv};
    const rein_yaml_node *root;
    named option;
    const char *value;
    while (more_arguments(&r)) {
        REIN_TRY(read_argument(&r, &option, &value));
        if (option.row < 0 || strcmp(opts->rows[option.row].name, rein_option_config) != 0) continue;
        REIN_TRY(rein_yaml_load(&root, &opts->arena, value));
        REIN_TRY(rein_options_load_yaml(opts, root));
        return REIN_OK;
    }
    return REIN_OK;
}

rein_status rein_options_parse_args(rein_options *opts, int argc, char **argv, const char **positional,
                                    int max_positional, int *n_positional) {
    word_reader r = {.opts = opts, .argc = argc, .argv = argv};
    named option;
    const char *value;
    *n_positional = 0;
    REIN_TRY(load_config(opts, argc, argv));
    while (more_arguments(&r)) {
        REIN_TRY(read_argument(&r, &option, &value));
        if (option.row >= 0) {
            REIN_TRY(set_named(opts, &option, value, SOURCE_COMMAND_LINE, command_line));
            continue;
        }
        if (*n_positional == max_positional)
            return rein_fail(REIN_ERR_USAGE, "unexpected word \"%s\" (%s)", value, command_line);
        positional[(*n_positional)++] = value;
    }
    return REIN_OK;
}

/* ---- YAML ---- */

rein_status rein_options_load_yaml(rein_options *opts, const rein_yaml_node *mapping) {
    char where[512];
    if (mapping->kind == REIN_YAML_SCALAR && mapping->null) return REIN_OK; /* an empty file */
    if (mapping->kind != REIN_YAML_MAPPING)
        return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: expected lines of the form \"option: value\"", mapping->file,
                         mapping->line, mapping->column);
    for (int64_t i = 0; i < mapping->n; i++) {
        const rein_yaml_node *node = &mapping->child[i];
        named option;
        snprintf(where, sizeof where, "%s:%d:%d", node->file, node->line, node->column);
        REIN_TRY(find_row(&option, opts, mapping->key[i], where));
        if (strcmp(mapping->key[i], rein_option_config) == 0)
            return rein_fail(REIN_ERR_USAGE, "config: a file cannot load another (%s)", where);
        if (node->kind != REIN_YAML_SCALAR)
            return rein_fail(REIN_ERR_USAGE, "%s: expected one value, found a %s (%s)", mapping->key[i],
                             node->kind == REIN_YAML_SEQUENCE ? "sequence" : "mapping", where);
        REIN_TRY(set_named(opts, &option, node->null ? NULL : node->text, SOURCE_FILE, where));
    }
    return REIN_OK;
}
