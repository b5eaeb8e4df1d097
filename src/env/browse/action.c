/* The reader of actions; see action.h. */
#include "env/browse/action.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4000, NUMBER_MAX = 100000 };

/* What an action takes: r a reference, s text, o text or a list of texts, n a whole number. */
typedef struct form {
    const char *name;
    rein_action_verb verb;
    const char *takes, *example;
} form;

static const form forms[] = {{"click", REIN_ACTION_CLICK, "r", "click('3')"},
                             {"hover", REIN_ACTION_HOVER, "r", "hover('3')"},
                             {"fill", REIN_ACTION_FILL, "rs", "fill('3', 'text')"},
                             {"select_option", REIN_ACTION_SELECT, "ro", "select_option('3', 'option')"},
                             {"press", REIN_ACTION_PRESS, "rs", "press('3', 'Enter')"},
                             {"scroll", REIN_ACTION_SCROLL, "nn", "scroll(0, 200)"},
                             {"goto", REIN_ACTION_GOTO, "s", "goto('http://...')"},
                             {"go_back", REIN_ACTION_BACK, "", "go_back()"},
                             {"noop", REIN_ACTION_NOOP, "", "noop()"},
                             {"send_msg_to_user", REIN_ACTION_SEND, "s", "send_msg_to_user('text')"}};

typedef struct reader {
    const char *at, *end;
    rein_action *out;
} reader;

static bool REIN_PRINTF(2, 3) wrong(reader *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->out->error, sizeof r->out->error, fmt, args);
    va_end(args);
    return false;
}

static void skip_space(reader *r) {
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at) r->at++;
}

static bool eat(reader *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- literals ---- */

static bool read_escape(reader *r, rein_str *out) {
    static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
    if (r->at == r->end) return wrong(r, "the text has no closing quote");
    const char *found = *r->at ? strchr(from, *r->at) : NULL;
    if (!found) return wrong(r, "a backslash in a text is followed by one of n r t \\ ' \"");
    rein_str_putc(out, to[found - from]);
    r->at++;
    return true;
}

static bool read_text(reader *r, rein_str *out) {
    skip_space(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"')) return wrong(r, "a text in quotes is missing");
    const char quote = *r->at++;
    while (r->at < r->end && *r->at != quote) {
        char c = *r->at++;
        if (c == '\n') return wrong(r, "a text ends on its line; a new line is written \\n");
        if (c != '\\')
            rein_str_putc(out, c);
        else if (!read_escape(r, out))
            return false;
    }
    if (r->at == r->end) return wrong(r, "the text has no closing quote");
    r->at++;
    return true;
}

static bool read_number(reader *r, int64_t *out) {
    bool minus = eat(r, '-');
    skip_space(r);
    if (r->at == r->end || !is_digit(*r->at)) return wrong(r, "a whole number is missing");
    for (*out = 0; r->at < r->end && is_digit(*r->at); r->at++) {
        *out = *out * 10 + (*r->at - '0');
        if (*out > NUMBER_MAX) return wrong(r, "a number is larger than %d", NUMBER_MAX);
    }
    if (minus) *out = -*out;
    return true;
}

/* '3' or 3 */
static bool read_ref(reader *r, int64_t *out) {
    skip_space(r);
    char quote = r->at < r->end && (*r->at == '\'' || *r->at == '"') ? *r->at++ : '\0';
    if (r->at == r->end || !is_digit(*r->at)) return wrong(r, "the element's number is missing, as in click('3')");
    if (!read_number(r, out)) return false;
    if (quote && (r->at == r->end || *r->at != quote))
        return wrong(r, "an element is named by its number, as in click('3')");
    r->at += quote != '\0';
    return *out > 0 || wrong(r, "elements count from 1");
}

static bool read_one_text(reader *r) {
    rein_action *a = r->out;
    if (a->n_text == REIN_ACTION_TEXTS) return wrong(r, "more than %d texts", REIN_ACTION_TEXTS);
    return read_text(r, &a->texts[a->n_text++]);
}

static bool read_texts(reader *r) {
    if (!eat(r, '[')) return read_one_text(r);
    do {
        if (!read_one_text(r)) return false;
    } while (eat(r, ','));
    return eat(r, ']') || wrong(r, "a list of texts ends with ]");
}

/* ---- the call ---- */

static bool read_argument(reader *r, char what, int *n_number) {
    if (what == 'r') return read_ref(r, &r->out->ref);
    if (what == 'n') return read_number(r, &r->out->by[(*n_number)++]);
    return what == 'o' ? read_texts(r) : read_one_text(r);
}

static const form *read_name(reader *r) {
    const char *name = r->at;
    while (r->at < r->end && (*r->at == '_' || (*r->at >= 'a' && *r->at <= 'z'))) r->at++;
    size_t len = (size_t)(r->at - name);
    for (size_t i = 0; i < REIN_COUNT(forms); i++)
        if (strlen(forms[i].name) == len && memcmp(forms[i].name, name, len) == 0) return &forms[i];
    wrong(r, "that is no action; write one, as in click('3') or fill('3', 'text')");
    return NULL;
}

static bool read_call(reader *r) {
    skip_space(r);
    const form *f = read_name(r);
    int n_number = 0;
    if (!f) return false;
    r->out->verb = f->verb;
    if (!eat(r, '(')) return wrong(r, "%s is written %s", f->name, f->example);
    for (const char *what = f->takes; *what; what++) {
        if (what != f->takes && !eat(r, ',')) return wrong(r, "%s is written %s", f->name, f->example);
        if (!read_argument(r, *what, &n_number)) return false;
    }
    if (!eat(r, ')')) return wrong(r, "%s is written %s", f->name, f->example);
    skip_space(r);
    return r->at == r->end || wrong(r, "write one action and nothing after it");
}

rein_status rein_action_read(rein_action *out, const char *text, size_t len) {
    *out = (rein_action){.verb = REIN_ACTION_NOOP};
    reader r = {text, text + len, out};
    if (len > TEXT_MAX) {
        wrong(&r, "an action is at most %d bytes long", TEXT_MAX);
        return REIN_OK;
    }
    read_call(&r);
    for (int i = 0; i < out->n_text; i++) REIN_TRY(rein_str_check(&out->texts[i]));
    return REIN_OK;
}

void rein_action_deinit(rein_action *a) {
    for (int i = 0; i < REIN_ACTION_TEXTS; i++) rein_str_deinit(&a->texts[i]);
}

/* (1|2|5), or nothing if no element is of these kinds */
static bool put_refs(rein_str *out, const char *before, const char *kinds, const char *wanted, const char *after) {
    bool any = false;
    for (int i = 0; kinds[i]; i++) {
        if (!strchr(wanted, kinds[i])) continue;
        rein_str_puts(out, any ? "|" : before);
        rein_str_printf(out, "%d", i + 1);
        any = true;
    }
    if (any) rein_str_puts(out, after);
    return any;
}

void rein_action_pattern(rein_str *out, const char *kinds) {
    static const char text[] = "'([^'\\\\\\n]|\\\\['\\\\])*'";
    rein_str_puts(out, "noop\\(\\)");
    put_refs(out, "|click\\('(", kinds, "cts", ")'\\)");
    if (put_refs(out, "|fill\\('(", kinds, "t", ")', ")) rein_str_printf(out, "%s\\)", text);
    if (put_refs(out, "|select_option\\('(", kinds, "s", ")', ")) rein_str_printf(out, "%s\\)", text);
    put_refs(out, "|press\\('(", kinds, "t", ")', '(Enter|Tab|Backspace|ArrowUp|ArrowDown)'\\)");
}
