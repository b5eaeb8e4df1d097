/* Writing options: effective values as YAML and JSON, the JSON Schema, the help text; see option.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "base/option_value.h"

enum { HELP_COLUMN = 36 };

bool rein_choice_next(rein_choice *choice) {
    if (!choice->next) return false;
    choice->index = choice->name ? choice->index + 1 : 0;
    choice->name = choice->next;
    choice->len = strcspn(choice->name, "|");
    choice->next = choice->name[choice->len] ? choice->name + choice->len + 1 : NULL;
    return true;
}

const char *rein_choice_name(const char *choices, int index, int *len) {
    rein_choice choice = {.next = choices};
    while (rein_choice_next(&choice)) {
        if (choice.index != index) continue;
        *len = (int)choice.len;
        return choice.name;
    }
    return NULL;
}

static void put_text(rein_str *out, const char *text) { rein_json_put_string(out, text, strlen(text)); }

static rein_option_value load_value(const rein_options *opts, const rein_option *row) {
    const char *member = (const char *)opts->values + row->offset;
    rein_option_value value = {0};
    switch (row->type) {
    case REIN_OPT_BOOL:
        memcpy(&value.boolean, member, sizeof value.boolean);
        break;
    case REIN_OPT_INT:
        memcpy(&value.integer, member, sizeof value.integer);
        break;
    case REIN_OPT_FLOAT:
        memcpy(&value.number, member, sizeof value.number);
        break;
    case REIN_OPT_STRING:
        memcpy(&value.string, member, sizeof value.string);
        break;
    case REIN_OPT_CHOICE:
        memcpy(&value.choice, member, sizeof value.choice);
        break;
    }
    return value;
}

static void put_choice(rein_str *out, const rein_option *row, int index) {
    rein_choice choice = {.next = row->choices};
    while (rein_choice_next(&choice))
        if (choice.index == index) rein_json_put_string(out, choice.name, choice.len);
}

/* As JSON, which is YAML too. */
static void put_value(rein_str *out, const rein_option *row, rein_option_value value) {
    switch (row->type) {
    case REIN_OPT_BOOL:
        rein_str_puts(out, value.boolean ? "true" : "false");
        break;
    case REIN_OPT_INT:
        rein_str_printf(out, "%lld", (long long)value.integer);
        break;
    case REIN_OPT_FLOAT:
        rein_json_put_f64(out, value.number);
        break;
    case REIN_OPT_CHOICE:
        put_choice(out, row, value.choice);
        break;
    case REIN_OPT_STRING:
        if (value.string)
            put_text(out, value.string);
        else
            rein_str_puts(out, "null");
        break;
    }
}

static bool is_written(const rein_option *row) { return strcmp(row->name, rein_option_config) != 0; }

void rein_options_write_yaml(const rein_options *opts, rein_str *out) {
    for (int64_t i = 0; i < opts->n_rows; i++) {
        const rein_option *row = &opts->rows[i];
        if (!is_written(row)) continue;
        rein_str_printf(out, "%s: ", row->name);
        put_value(out, row, load_value(opts, row));
        rein_str_putc(out, '\n');
    }
}

/* ---- JSON Schema ---- */

static bool has_range(const rein_option *row) {
    return (row->type == REIN_OPT_INT || row->type == REIN_OPT_FLOAT) && (row->min != 0 || row->max != 0);
}

static void put_enum(rein_str *out, const rein_option *row) {
    rein_choice choice = {.next = row->choices};
    rein_str_puts(out, "\"enum\":[");
    while (rein_choice_next(&choice)) {
        if (choice.index > 0) rein_str_putc(out, ',');
        rein_json_put_string(out, choice.name, choice.len);
    }
    rein_str_putc(out, ']');
}

static void put_property(rein_str *out, const rein_option *row) {
    static const char *const types[] = {
        [REIN_OPT_BOOL] = "\"type\":\"boolean\"",
        [REIN_OPT_INT] = "\"type\":\"integer\"",
        [REIN_OPT_FLOAT] = "\"type\":\"number\"",
        [REIN_OPT_STRING] = "\"type\":[\"string\",\"null\"]",
    };
    rein_option_value value = {0};
    if (row->type == REIN_OPT_CHOICE)
        put_enum(out, row);
    else
        rein_str_puts(out, types[row->type]);
    if (has_range(row) && isfinite(row->min)) {
        rein_str_puts(out, ",\"minimum\":");
        rein_json_put_f64(out, row->min);
    }
    if (has_range(row) && isfinite(row->max)) {
        rein_str_puts(out, ",\"maximum\":");
        rein_json_put_f64(out, row->max);
    }
    rein_status status = rein_option_parse(&value, row, row->def, "default");
    REIN_ASSERT(status == REIN_OK); /* rein_options_init has read it */
    rein_str_puts(out, ",\"default\":");
    put_value(out, row, value);
    if (row->help) {
        rein_str_puts(out, ",\"description\":");
        put_text(out, row->help);
    }
}

void rein_options_write_schema(const rein_options *opts, const char *title, rein_str *out) {
    const char *separator = "";
    rein_str_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":");
    put_text(out, title);
    rein_str_puts(out, ",\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (int64_t i = 0; i < opts->n_rows; i++) {
        if (!is_written(&opts->rows[i])) continue;
        rein_str_puts(out, separator);
        put_text(out, opts->rows[i].name);
        rein_str_puts(out, ":{");
        put_property(out, &opts->rows[i]);
        rein_str_putc(out, '}');
        separator = ",";
    }
    rein_str_puts(out, "}}");
}

/* ---- help ---- */

static const char *metavar(const rein_option *row) {
    if (row->metavar) return row->metavar;
    switch (row->type) {
    case REIN_OPT_BOOL:
        return "[true|false]";
    case REIN_OPT_INT:
        return "N";
    case REIN_OPT_FLOAT:
        return "X";
    case REIN_OPT_STRING:
        return "TEXT";
    case REIN_OPT_CHOICE:
        return row->choices;
    }
    return "";
}

static void put_bounds(rein_str *out, const rein_option *row) {
    if (!has_range(row)) return;
    if (isinf(row->max))
        rein_str_printf(out, ", at least %.15g", row->min);
    else if (isinf(row->min))
        rein_str_printf(out, ", at most %.15g", row->max);
    else
        rein_str_printf(out, ", %.15g .. %.15g", row->min, row->max);
}

static void put_aliases(const rein_options *opts, rein_str *out) {
    const char *title = "\nOther trainers' names, whole or from a dot on:\n";
    for (const rein_option_alias *a = opts->aliases; a && a->name; a++) {
        if (!(a->use & opts->use)) continue;
        rein_str_puts(out, title);
        title = "";
        rein_str_printf(out, "  --%s: ", a->name);
        if (a->option) rein_str_printf(out, "%s%s%s", a->option, a->values ? ", " : "", a->values ? a->values : "");
        rein_str_printf(out, "%s%s\n", a->option && a->say ? "; else " : "", a->say ? a->say : "");
    }
}

void rein_options_write_help(const rein_options *opts, rein_str *out) {
    for (int64_t i = 0; i < opts->n_rows; i++) {
        const rein_option *row = &opts->rows[i];
        const size_t start = out->len;
        rein_str_printf(out, "  --%s %s", row->name, metavar(row));
        if (out->len - start >= HELP_COLUMN) rein_str_printf(out, "\n%*s", HELP_COLUMN, "");
        while (!out->failed && out->len - start < HELP_COLUMN) rein_str_putc(out, ' ');
        rein_str_printf(out, "%s%s(default %s", row->help ? row->help : "", row->help ? " " : "",
                        row->def && row->def[0] ? row->def : "none");
        put_bounds(out, row);
        rein_str_puts(out, ")\n");
    }
    put_aliases(opts, out);
}
