/* What the driver's files share: the browser's process and its pages. All under the browser's lock. */
#ifndef REIN_BROWSER_INTERNAL_H
#define REIN_BROWSER_INTERNAL_H

#include <pthread.h>

#include "browser/browser.h"
#include "browser/cdp.h"

struct rein_child;

enum { ID_TEXT = 80, DIALOGS_MAX = 1000, DIALOG_LIMIT = 50 };

struct rein_browser {
    rein_browser_options opt;
    char *path;
    pthread_mutex_t lock;
    struct rein_child *child; /* NULL: none runs */
    char folder[64];          /* its profile and home; "" if none */
    int64_t generation;       /* processes that were started */
    int64_t last_id;
    rein_str out; /* command being built */
    rein_page *pages;
};

typedef struct step {
    rein_page_verb verb;
    size_t text, len; /* in the page's text */
    int64_t ms;
} step;

/* How far a page is; the stages up to READY open it. */
typedef enum stage { STAGE_CLOSED, STAGE_CONTEXT, STAGE_TARGET, STAGE_ATTACH, STAGE_CONFIGURE, STAGE_READY } stage;

/* What the running step waits for, beside the answer `await`. */
enum { WAIT_BUDGET = 1, WAIT_LOAD = 2 };

struct rein_page {
    rein_browser *b;
    rein_page *next;
    int64_t generation; /* of the process that it lives in */
    stage stage;
    char context[ID_TEXT], target[ID_TEXT], session[ID_TEXT];
    bool loading; /* the main frame is on its way to another document */

    rein_str text;
    step steps[REIN_PAGE_STEPS];
    int n, at;
    int phase;      /* of the step */
    int64_t await;  /* id of the command whose answer the page waits for, 0: none */
    unsigned waits; /* WAIT_... */
    bool running, type_next;
    double deadline; /* rein_clock */
    struct json_object *value;
    rein_str refused, dialogs;
    char failed[200]; /* "": it did not */
    int n_dialogs;
};

/* process.c */
rein_status rein_browser_find(char **out, const char *wanted);
rein_status rein_process_start(rein_browser *b);
/** Ends it, orderly or at once, and removes its folder. */
void rein_process_stop(rein_browser *b, bool orderly);

/* browser.c: commands are built between begin and send; returns the command's id. */
rein_str *rein_command(rein_browser *b, const char *session, const char *method);
int64_t rein_command_send(rein_browser *b);
/** Parameters as JSON text without braces. */
int64_t rein_command_simple(rein_browser *b, const char *session, const char *method, const char *params);
/** Reads what is there and acts on it; a process that ended is forgotten and its pages fail. */
void rein_browser_pump(rein_browser *b);
/** One message, as if the browser had said it. */
void rein_browser_hear(rein_browser *b, const char *text, size_t len);

/* page.c */
void rein_page_answered(rein_page *p, const rein_cdp *m);
void rein_page_event(rein_page *p, const rein_cdp *m);
void rein_page_fail(rein_page *p, const char *fmt, ...) REIN_PRINTF(2, 3);

/* intercept.c */
void rein_page_request(rein_page *p, struct json_object *params);

/* keys.c: the commands of a key press, or false if the key is unknown; *last is the last command's id. */
bool rein_key_send(rein_browser *b, const char *session, const char *key, size_t len, int64_t *last);

/* page.js */
extern const char rein_page_js[];

#endif
