/*
 * A real browser, driven over a pair of descriptors: Chromium's DevTools protocol with --remote-debugging-pipe, so that
 * no socket is opened on either side. One process, any number of pages, each in a context of its own (no shared
 * cookies, storage or cache).
 *
 * All that a page asks the network for is answered by the caller (`serve`); what the caller does not know is blocked,
 * and names are not resolved. Time is the page's own: it stands still but for what an ADVANCE grants; clock and random
 * numbers are functions of a seed (page.js). A browser that dies is started anew by the next program; pages that were
 * open are opened anew with it.
 *
 * What a page is to do is a program: a list of steps that runs without the caller while he polls. Several threads may
 * use pages of one browser, each page one thread at a time.
 */
#ifndef REIN_BROWSER_BROWSER_H
#define REIN_BROWSER_BROWSER_H

#include <json-c/json.h>

#include "base/base.h"

struct pollfd;
typedef struct rein_browser rein_browser;
typedef struct rein_page rein_page;

/** Answers a request of a page: body appended, *type a static string ("text/html"); false: refused. `url` is untrusted.
 *  Called by whichever thread polls, under the browser's lock. */
typedef bool (*rein_serve_fn)(void *user, const char *url, rein_str *body, const char **type);

typedef struct rein_browser_options {
    const char *path; /* the program; NULL: chromium-headless-shell, or chromium, where distributions put them */
    rein_serve_fn serve;
    void *user;
    double deadline;   /* seconds of real time in which a program has to finish */
    int width, height; /* of a page's view, in CSS pixels */
} rein_browser_options;

/** Finds the program and keeps the options; the process is started by the first program of a page. REIN_ERR_USAGE if
 * there is no browser. `path` is copied. */
REIN_NODISCARD rein_status rein_browser_open(rein_browser **out, const rein_browser_options *options);
/** Close all pages first. Ends the process and removes its folder. NULL is fine. */
void rein_browser_close(rein_browser *b);
/** The program's path; whether it can start is found out by starting it. */
const char *rein_browser_path(const rein_browser *b);
/** Process id of the running browser's group, 0 if none runs: for tests. */
int rein_browser_pid(rein_browser *b);

REIN_NODISCARD rein_status rein_page_open(rein_page **out, rein_browser *b);
void rein_page_close(rein_page *p);

typedef enum rein_page_verb {
    REIN_PAGE_GOTO,    /* text: URL; waits for the load event, and grants 1 s of the page's time */
    REIN_PAGE_EVAL,    /* text: JavaScript; its value is the result */
    REIN_PAGE_CLICK,   /* text: JavaScript of a point {x, y}; mouse button pressed and released there */
    REIN_PAGE_HOVER,   /* text: JavaScript of a point; the mouse is moved there */
    REIN_PAGE_INSERT,  /* text: inserted where the focus is, as a keyboard's input method does; only if the step before
                          it  had the value {type: true} */
    REIN_PAGE_KEY,     /* text: a key with modifiers: "Enter", "Control+a", "x" */
    REIN_PAGE_ADVANCE, /* ms of the page's time */
    REIN_PAGE_BACK     /* one entry back in the history, waits like GOTO; an error if there is none */
} rein_page_verb;

enum { REIN_PAGE_STEPS = 16 };

/** Forget the last program and its result. Then add steps, then start. */
void rein_page_begin(rein_page *p);
void rein_page_add(rein_page *p, rein_page_verb verb, const char *text, size_t len);
void rein_page_add_f(rein_page *p, rein_page_verb verb, const char *fmt, ...) REIN_PRINTF(3, 4);
void rein_page_add_advance(rein_page *p, int64_t ms);
/** A step whose value is {error: text} is refused: the steps after it are skipped, but the last one. A program always
 * ends: what does not within the deadline, or whose page or browser breaks, has failed, and the page is opened anew. */
REIN_NODISCARD rein_status rein_page_start(rein_page *p);

typedef struct rein_page_result {
    struct json_object *value; /* of the last EVAL, borrowed until the next begin; NULL: null or none */
    const char *refused;       /* NULL, or the error of the step that was refused; untrusted */
    const char *failed;        /* NULL, or how page or browser broke */
    const char *dialogs;       /* "", or what alert, confirm and prompt said, one a line; untrusted, capped */
} rein_page_result;

/** Is the program done? Waits up to wait_ms (-1: until it is). Errors are what no retry mends: the browser cannot be
 *  started. */
REIN_NODISCARD rein_status rein_page_poll(rein_page *p, int wait_ms, rein_page_result *out, bool *ready);
/** True if the next program begins on a page that is opened anew: after open, a failure, or a browser's death. */
bool rein_page_is_fresh(const rein_page *p);
/** Make the next program begin on a page in a new context. */
void rein_page_renew(rein_page *p);
/** Descriptors to wait for; returns how many of `most`. A page may be done without one being ready: another page's poll
 *  may have read for it. */
int rein_page_descriptors(const rein_page *p, struct pollfd *out, int most);

/** Whether KEY knows it: "Enter", "ArrowDown", "Control+a", "x". */
bool rein_key_known(const char *key, size_t len);

#endif
