/*
 * Actions on a web page, as a model writes them: one call with BrowserGym's names and Python's literals.
 *
 *   click('3')   hover('3')   fill('3', 'some text')   select_option('3', 'blue')   select_option('3', ['a', 'b'])
 *   press('3', 'Control+a')   scroll(0, 200)   goto('http://...')   go_back()   noop()   send_msg_to_user('text')
 *
 * Strict: exactly one action and nothing else but white space around it. The text is untrusted; what is wrong with it
 * is said in words that can be shown to the model.
 */
#ifndef REIN_ENV_BROWSE_ACTION_H
#define REIN_ENV_BROWSE_ACTION_H

#include "base/base.h"

typedef enum rein_action_verb {
    REIN_ACTION_CLICK,
    REIN_ACTION_HOVER,
    REIN_ACTION_FILL,
    REIN_ACTION_SELECT,
    REIN_ACTION_PRESS,
    REIN_ACTION_SCROLL,
    REIN_ACTION_GOTO,
    REIN_ACTION_BACK,
    REIN_ACTION_NOOP,
    REIN_ACTION_SEND
} rein_action_verb;

enum { REIN_ACTION_TEXTS = 8 };

typedef struct rein_action {
    rein_action_verb verb;
    int64_t ref;   /* number of an element, from 1; where the verb takes one */
    int64_t by[2]; /* of scroll: CSS pixels to the right and down */
    rein_str texts[REIN_ACTION_TEXTS];
    int n_text;      /* text, key, address, message; several only for select_option */
    char error[160]; /* "", or what is wrong: then the rest means nothing */
} rein_action;

/** Errors of the text are in out->error; the status is for memory only. Release with rein_action_deinit in any case. */
REIN_NODISCARD rein_status rein_action_read(rein_action *out, const char *text, size_t len);
void rein_action_deinit(rein_action *a);

/** The regular expression of what can be done with the elements of a page, appended. `kinds` has a letter an element
 *  (page.js): c can be clicked, t takes text, s is a list. */
void rein_action_pattern(rein_str *out, const char *kinds);

#endif
