/* Actions as steps of a page's program; see steps.h. */
#include "env/browse/steps.h"

#include "base/json.h"

/* A call of the page's own helper: before, then the texts as JavaScript, then after. */
static void eval_with_texts(rein_page *p, const char *function, const rein_action *a, bool list) {
    rein_str script = {0};
    rein_str_printf(&script, "%s(%lld, %s", function, (long long)a->ref, list ? "[" : "");
    for (int i = 0; i < a->n_text; i++) {
        if (i > 0) rein_str_putc(&script, ',');
        rein_json_put_string(&script, a->texts[i].data ? a->texts[i].data : "", a->texts[i].len);
    }
    rein_str_puts(&script, list ? "])" : ")");
    rein_page_add(p, REIN_PAGE_EVAL, script.data ? script.data : "", script.len);
    rein_str_deinit(&script);
}

static void add_text(rein_page *p, rein_page_verb verb, const rein_str *text) {
    rein_page_add(p, verb, text->data ? text->data : "", text->len);
}

void rein_action_steps(rein_page *p, const rein_action *a) {
    if (a->error[0]) return;
    switch (a->verb) {
    case REIN_ACTION_CLICK:
        rein_page_add_f(p, REIN_PAGE_CLICK, "rein.point(%lld)", (long long)a->ref);
        break;
    case REIN_ACTION_HOVER:
        rein_page_add_f(p, REIN_PAGE_HOVER, "rein.point(%lld)", (long long)a->ref);
        break;
    case REIN_ACTION_FILL:
        eval_with_texts(p, "rein.fill", a, false);
        add_text(p, REIN_PAGE_INSERT, &a->texts[0]);
        break;
    case REIN_ACTION_SELECT:
        eval_with_texts(p, "rein.select", a, true);
        break;
    case REIN_ACTION_PRESS:
        rein_page_add_f(p, REIN_PAGE_EVAL, "rein.focus(%lld)", (long long)a->ref);
        add_text(p, REIN_PAGE_KEY, &a->texts[0]);
        break;
    case REIN_ACTION_SCROLL:
        rein_page_add_f(p, REIN_PAGE_EVAL, "rein.scroll(%lld, %lld)", (long long)a->by[0], (long long)a->by[1]);
        break;
    case REIN_ACTION_GOTO:
        add_text(p, REIN_PAGE_GOTO, &a->texts[0]);
        break;
    case REIN_ACTION_BACK:
        rein_page_add(p, REIN_PAGE_BACK, "", 0);
        break;
    case REIN_ACTION_NOOP:
    case REIN_ACTION_SEND:
        break;
    }
    rein_page_add_advance(p, REIN_ACTION_MS);
}
