/*
 * The browser's process: where it is found, how it is started, and that nothing of it stays behind.
 *
 * A shell stands between: it waits for the browser and then removes its folder (profile, home, temporary files), even
 * when we were killed, since the browser ends when its pipe does. Started as root, the browser runs as nobody, so that
 * Chromium's own sandbox works; it has a network namespace without interfaces where the system allows that. What is not
 * to be had is said.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "browser/internal.h"
#include "os/child.h"

enum { NOBODY = 65534, ARGV_MAX = 64 };
static const double START_SECONDS = 30; /* until its first answer, on a machine that is busy */

static const char *const places[] = {"/usr/lib/chromium/chromium-headless-shell",
                                     "/usr/bin/chromium-headless-shell",
                                     "/usr/lib/chromium/chromium",
                                     "/usr/bin/chromium",
                                     "/usr/lib/chromium-browser/chromium-browser",
                                     "/usr/bin/chromium-browser",
                                     "/usr/bin/google-chrome"};

rein_status rein_browser_find(char **out, const char *wanted) {
    const char *found = wanted;
    for (size_t i = 0; !wanted && !found && i < REIN_COUNT(places); i++)
        if (access(places[i], X_OK) == 0) found = places[i];
    if (!found)
        return rein_fail(
            REIN_ERR_USAGE,
            "no browser is here: install Debian's package chromium-headless-shell, or name one with browser=FILE");
    if (access(found, X_OK) != 0) return rein_fail(REIN_ERR_USAGE, "browser '%s': %s", found, strerror(errno));
    REIN_TRY(rein_alloc(out, (int64_t)strlen(found) + 1, 1));
    memcpy(*out, found, strlen(found));
    return REIN_OK;
}

/* Measured: see docs/browse.md. No flag that stops the compositor: mouse moves would take seconds. */
static const char *const flags[] = {"--headless",
                                    "--disable-gpu",
                                    "--disable-quic",
                                    "--no-first-run",
                                    "--no-default-browser-check",
                                    "--disable-background-networking",
                                    "--disable-component-update",
                                    "--disable-sync",
                                    "--disable-extensions",
                                    "--disable-default-apps",
                                    "--disable-breakpad",
                                    "--disable-background-timer-throttling",
                                    "--disable-backgrounding-occluded-windows",
                                    "--disable-renderer-backgrounding",
                                    "--disable-ipc-flooding-protection",
                                    "--disable-site-isolation-trials", /* a frame's requests are its page's */
                                    "--disable-features=IsolateOrigins,site-per-process,BackForwardCache",
                                    "--mute-audio",
                                    "--hide-scrollbars",
                                    "--lang=en-US",
                                    "--host-resolver-rules=MAP * ~NOTFOUND",
                                    "--remote-debugging-pipe"};

/* The background job is not killed with us, its parent is; the descriptors are closed before the folder goes, so that
 * we see the end at once. */
static const char shell_script[] = "folder=$1; shift\n"
                                   "{ \"$@\" </dev/null; exec 3<&- 4>&-; rm -rf \"$folder\"; } &\n"
                                   "exec 3<&- 4>&-; wait";

/* How much of the enclosure the system gives, best first. */
typedef struct enclosure {
    bool own_network, sandbox;
    const char *lacks;
} enclosure;

static const enclosure enclosures[] = {
    {true, true, NULL},
    {false, true, "a network namespace of its own (requests are still answered here only)"},
    {false, false, "Chromium's sandbox and a network namespace: open no pages that you do not trust"}};

typedef struct words {
    const char *argv[ARGV_MAX];
    int n;
} words;

static void put(words *w, const char *word) {
    REIN_ASSERT(w->n + 1 < ARGV_MAX);
    w->argv[w->n++] = word;
}

static void put_all(words *w, const char *const *more, size_t n) {
    for (size_t i = 0; i < n; i++) put(w, more[i]);
}

static void put_enclosure(words *w, const enclosure *e) {
    static const char *const nobody[] = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
    static const char *const own_net[] = {"unshare", "--user", "--map-current-user", "--net"};
    const bool root = geteuid() == 0;
    if (e->own_network && root) put_all(w, (const char *const[]){"unshare", "--net"}, 2);
    if (e->own_network && !root) put_all(w, own_net, REIN_COUNT(own_net));
    if (root && e->sandbox) put_all(w, nobody, REIN_COUNT(nobody));
}

static rein_status make_folder(rein_browser *b) {
    snprintf(b->folder, sizeof b->folder, "/tmp/rein-browser-XXXXXX");
    if (!mkdtemp(b->folder) || (geteuid() == 0 && chown(b->folder, NOBODY, NOBODY) != 0)) {
        rein_status status = rein_fail(REIN_ERR_IO, "folder '%s': %s", b->folder, strerror(errno));
        b->folder[0] = '\0';
        return status;
    }
    return REIN_OK;
}

static rein_status launch(rein_browser *b, const enclosure *e) {
    char profile[96], home[96], temporary[96];
    words w = {.n = 0};
    REIN_TRY(make_folder(b));
    snprintf(profile, sizeof profile, "--user-data-dir=%s", b->folder);
    snprintf(home, sizeof home, "HOME=%s", b->folder);
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", b->folder);
    const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "TZ=UTC", "LANG=C.UTF-8", home, temporary, NULL};
    put_all(&w, (const char *const[]){"/bin/sh", "-c", shell_script, "rein-browser", b->folder}, 5);
    put_enclosure(&w, e);
    put(&w, b->path);
    put_all(&w, flags, REIN_COUNT(flags));
    if (!e->sandbox) put(&w, "--no-sandbox");
    put(&w, profile);
    put(&w, "about:blank");
    return rein_child_start(
        &b->child, &(rein_child_options){.argv = w.argv, .env = env, .input_fd = 3, .output_fd = 4, .nul_ends = true});
}

/* Its first answer, or false. What went wrong is in `why`. */
static bool answers(rein_browser *b, rein_str *why) {
    const char *message = NULL;
    size_t len;
    rein_command_simple(b, "", "Browser.getVersion", "");
    rein_status status = rein_child_receive(b->child, START_SECONDS, &message, &len);
    if (status == REIN_OK && message) return true;
    rein_str_clear(why);
    if (status == REIN_OK)
        rein_child_describe(b->child, why);
    else
        rein_str_puts(why, rein_error_message());
    return false;
}

rein_status rein_process_start(rein_browser *b) {
    rein_str why = {0};
    rein_status status = REIN_OK;
    bool up = false;
    for (size_t i = 0; !up && i < REIN_COUNT(enclosures); i++) {
        status = launch(b, &enclosures[i]);
        up = status == REIN_OK && answers(b, &why);
        if (!up) rein_process_stop(b, false);
        if (status != REIN_OK) break;
        if (up && enclosures[i].lacks) rein_log(REIN_LOG_WARN, "the browser runs without %s", enclosures[i].lacks);
    }
    if (status == REIN_OK && !up)
        status = rein_fail(REIN_ERR_IO, "browser '%s' does not start: %s", b->path, why.data ? why.data : "");
    rein_str_deinit(&why);
    if (status != REIN_OK) return status;
    b->generation++;
    rein_command_simple(b, "", "Target.setDiscoverTargets", "\"discover\":true");
    rein_command_simple(b, "", "Browser.setDownloadBehavior", "\"behavior\":\"deny\"");
    return REIN_OK;
}

void rein_process_stop(rein_browser *b, bool orderly) {
    if (b->child && !orderly) rein_child_kill(b->child);
    rein_child_close(b->child);
    b->child = NULL;
    if (b->folder[0] && rein_remove_tree(b->folder) != REIN_OK)
        rein_log(REIN_LOG_WARN, "the browser's folder is left: %s", rein_error_message());
    b->folder[0] = '\0';
}
