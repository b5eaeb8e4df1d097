/*
 * The browser's driver against pages that misbehave: each is survived or refused, and nothing is left behind. The pages
 * are served from this file. Skipped, with a notice, where there is no browser.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "browse_world.h"
#include "browser/browser.h"

static const char start_page[] =
    "<title>Start</title><p>Hello <b>you</b></p>"
    "<button onclick='for(;;);'>hang</button>"
    "<button onclick='alert(\"first\");document.title=confirm(\"sure?\")+\"/\"+prompt(\"name?\")'>ask</button>"
    "<button onclick='for(;;)alert(1)'>storm</button>"
    "<button onclick='window.open(\"/next\")'>open</button>"
    "<a href='/next' target='_blank' rel='noopener'>away</a>"
    "<a href='javascript:void(document.title=\"script\")'>script</a>"
    "<a href='http://elsewhere.test/'>elsewhere</a>"
    "<button onclick='fetch(\"http://elsewhere.test/data\").then(()=>document.title=\"got "
    "it\",e=>document.title=\"blocked\")'>"
    "fetch</button>"
    "<button onclick='setTimeout(()=>document.body.append(\"late\"),400)'>later</button>";

static const char form_page[] =
    "<form onsubmit='document.title=\"sent \"+this.q.value;return false'><label>Query <input name=q></label></form>"
    "<input disabled value=no><select><option>red<option>blue</select>"
    "<div style='position:relative'><button id=under>under</button>"
    "<div style='position:absolute;inset:0;background:red'></div></div>"
    "<input type=date><div onmouseover='document.title=\"hovered\"' onclick=1>hover here</div>"
    "<div style='height:3000px'></div><button onclick='document.title=\"bottom\"'>bottom</button>"
    "<p id=odd>a\xe2\x80\xaetxt.exe &lt;|im_start|&gt;</p>";

static const char luck_page[] =
    "<script>document.write([Math.random(),Date.now(),new Date().getFullYear(),performance.now(),"
    "crypto.getRandomValues(new Uint8Array(3)).join('-')].join(' '));"
    "requestAnimationFrame(t=>document.body.append(' frame '+t))</script>";

static bool big_page(rein_str *body) {
    for (int i = 0; i < 5000; i++) {
        rein_str_puts(body, "<p>");
        for (int k = 0; k < 200; k++) rein_str_puts(body, "long page ");
    }
    return true;
}

static bool serve(void *user, const char *url, rein_str *body, const char **type) {
    static const char *const pages[][2] = {{"http://site.test/", start_page},
                                           {"http://site.test/next", "<p>next page</p><a href='/'>back</a>"},
                                           {"http://site.test/form", form_page},
                                           {"http://site.test/luck", luck_page}};
    int *asked_elsewhere = user;
    *type = "text/html; charset=utf-8";
    for (size_t i = 0; i < REIN_COUNT(pages); i++)
        if (strcmp(url, pages[i][0]) == 0) return rein_str_puts(body, pages[i][1]), true;
    if (strcmp(url, "http://site.test/big") == 0) return big_page(body);
    if (asked_elsewhere && strstr(url, "elsewhere")) ++*asked_elsewhere;
    return false;
}

static int elsewhere;

static rein_browser *open_browser(double deadline) {
    rein_browser *b;
    OK(rein_browser_open(&b, &(rein_browser_options){.path = getenv("REIN_BROWSER"),
                                                     .serve = serve,
                                                     .user = &elsewhere,
                                                     .deadline = deadline,
                                                     .width = 800,
                                                     .height = 600}));
    return b;
}

/* ---- short programs ---- */

static void add(rein_page *p, rein_page_verb verb, const char *text) { rein_page_add(p, verb, text, strlen(text)); }

static rein_page_result finish(rein_page *p) {
    rein_page_result r;
    bool ready = false;
    rein_page_add_advance(p, 500);
    add(p, REIN_PAGE_EVAL, "rein.observe()");
    OK(rein_page_start(p));
    OK(rein_page_poll(p, -1, &r, &ready));
    assert_true(ready);
    return r;
}

static rein_page_result visit(rein_page *p, const char *url) {
    rein_page_begin(p);
    add(p, REIN_PAGE_GOTO, url);
    return finish(p);
}

static rein_page_result click(rein_page *p, int ref) {
    rein_page_begin(p);
    rein_page_add_f(p, REIN_PAGE_CLICK, "rein.point(%d)", ref);
    return finish(p);
}

static rein_page_result evaluate(rein_page *p, const char *script) {
    rein_page_begin(p);
    add(p, REIN_PAGE_EVAL, script);
    return finish(p);
}

static const char *member(const rein_page_result *r, const char *key) {
    struct json_object *value = NULL;
    if (r->failed) fail_msg("the page failed: %s", r->failed);
    assert_true(json_object_object_get_ex(r->value, key, &value));
    return json_object_get_string(value);
}

static void assert_text(rein_page_result r, const char *part) {
    const char *text = member(&r, "text");
    if (!strstr(text, part)) fail_msg("'%s' is not in:\n%s", part, text);
}

static void assert_title(rein_page_result r, const char *title) { assert_string_equal(member(&r, "title"), title); }

static void assert_failed(rein_page_result r, const char *part) {
    assert_non_null(r.failed);
    if (!strstr(r.failed, part)) fail_msg("failed with '%s', not '%s'", r.failed, part);
}

/* One browser for the tests that do not end it. */
typedef struct world {
    rein_browser *browser;
    rein_page *page;
} world;

static int set_up(void **state) {
    static world w;
    *state = NULL;
    if (!have_browser()) return 0;
    w.browser = open_browser(60);
    OK(rein_page_open(&w.page, w.browser));
    *state = &w;
    return 0;
}

static int tear_down(void **state) {
    world *w = *state;
    if (!w) return 0;
    rein_page_close(w->page);
    rein_browser_close(w->browser);
    return 0;
}

static rein_page *at(void **state, const char *url) {
    world *w = *state;
    if (!w) skip();
    rein_page_result r = visit(w->page, url);
    if (r.failed) fail_msg("%s: %s", url, r.failed);
    return w->page;
}

/* ---- pages ---- */

static void page_is_text_with_references(void **state) {
    rein_page *p = at(state, "http://site.test/");
    rein_page_result r = evaluate(p, "0");
    assert_string_equal(member(&r, "text"), "Hello you\n[1] button \"hang\"\n[2] button \"ask\"\n[3] button \"storm\"\n"
                                            "[4] button \"open\"\n[5] link \"away\"\n[6] link \"script\"\n"
                                            "[7] link \"elsewhere\"\n[8] button \"fetch\"\n[9] button \"later\"");
    assert_string_equal(member(&r, "kinds"), "ccccccccc");
    assert_title(r, "Start");
}

static void form_can_be_used(void **state) {
    rein_page *p = at(state, "http://site.test/form");
    rein_page_begin(p);
    add(p, REIN_PAGE_EVAL, "rein.fill(1, 'na\\u00efve')");
    add(p, REIN_PAGE_INSERT, "na\xc3\xafve");
    add(p, REIN_PAGE_KEY, "Enter");
    rein_page_result r = finish(p);
    assert_title(r, "sent na\xc3\xafve");
    assert_text(r, "[1] textbox value=\"na\xc3\xafve\" \"Query\"");
    rein_page_begin(p);
    add(p, REIN_PAGE_EVAL, "rein.fill(1, 'x')");
    add(p, REIN_PAGE_INSERT, "x");
    assert_text(finish(p), "[1] textbox value=\"x\"");
    assert_text(evaluate(p, "rein.fill(1, '')"), "[1] textbox \"Query\"");
    assert_text(evaluate(p, "rein.select(3, ['blue'])"), "[3] combobox value=\"blue\" options=[red|blue]");
    assert_text(evaluate(p, "rein.fill(5, '2026-01-31')"), "[5] textbox yyyy-mm-dd value=\"2026-01-31\"");
    assert_title(click(p, 7), "bottom");
}

static void mouse_hovers(void **state) {
    rein_page *p = at(state, "http://site.test/form");
    rein_page_begin(p);
    add(p, REIN_PAGE_HOVER, "rein.point(6)");
    assert_title(finish(p), "hovered");
}

static void what_cannot_be_done_is_refused(void **state) {
    rein_page *p = at(state, "http://site.test/form");
    assert_string_equal(click(p, 99).refused, "there is no [99] on the page");
    assert_string_equal(click(p, 2).refused, "[2] is disabled");
    assert_string_equal(click(p, 4).refused, "[4] is covered");
    assert_string_equal(evaluate(p, "rein.fill(2, 'x')").refused, "[2] is disabled");
    assert_string_equal(evaluate(p, "rein.fill(4, 'x')").refused, "[4] takes no text");
    assert_string_equal(evaluate(p, "rein.fill(5, 'x')").refused, "[5] wants yyyy-mm-dd");
    assert_string_equal(evaluate(p, "rein.select(3, ['green'])").refused, "[3] has no option \"green\"");
    assert_string_equal(evaluate(p, "rein.select(1, ['green'])").refused, "[1] is no list to select from");
    assert_string_equal(evaluate(p, "document.getElementById('under').remove(), rein.point(4)").refused, "[4] is gone");
    assert_text(evaluate(p, "0"), "Query"); /* and the page is still seen */
}

static void text_of_pages_is_cleaned(void **state) {
    assert_text(evaluate(at(state, "http://site.test/form"), "0"), "a txt.exe <|im_start|>");
}

static void dialogs_are_dismissed_and_told(void **state) {
    rein_page *p = at(state, "http://site.test/");
    rein_page_result r = click(p, 2);
    assert_string_equal(r.dialogs, "first\nsure?\nname?");
    assert_title(r, "false/null");
}

static void windows_do_not_open(void **state) {
    rein_page *p = at(state, "http://site.test/");
    assert_title(click(p, 4), "Start");
    assert_text(click(p, 5), "next page"); /* in the same window */
}

static void history_goes_back(void **state) {
    rein_page *p = at(state, "http://site.test/");
    assert_null(visit(p, "http://site.test/next").failed);
    rein_page_begin(p);
    add(p, REIN_PAGE_BACK, "");
    assert_title(finish(p), "Start");
    rein_page_renew(p);
    assert_null(visit(p, "http://site.test/").failed);
    rein_page_begin(p);
    add(p, REIN_PAGE_BACK, "");
    assert_string_equal(finish(p).refused, "there is no page to go back to");
}

static void script_links_stay_on_the_page(void **state) {
    assert_title(click(at(state, "http://site.test/"), 6), "script");
}

static void other_origins_are_refused(void **state) {
    rein_page *p = at(state, "http://site.test/");
    elsewhere = 0;
    assert_title(click(p, 7), "Start");
    assert_title(click(p, 8), "blocked");
    assert_int_equal(elsewhere, 2); /* asked here, and nowhere else */
    assert_string_equal(visit(p, "http://elsewhere.test/").refused, "the page cannot be loaded");
    assert_string_equal(visit(p, "file:///etc/passwd").refused, "the page cannot be loaded");
}

static void delayed_reactions_are_seen(void **state) { assert_text(click(at(state, "http://site.test/"), 9), "late"); }

static void big_page_is_cut(void **state) {
    rein_page *p = at(state, "http://site.test/big");
    rein_page_result r = evaluate(p, "0");
    assert_in_range(strlen(member(&r, "text")), 1000, 4100);
    assert_text(r, "(cut here)");
}

static void chance_and_time_are_the_pages_own(void **state) {
    rein_page *p = at(state, "http://site.test/luck"), *q;
    rein_page_result r = evaluate(p, "0");
    char *first = strdup(member(&r, "text"));
    assert_non_null(strstr(first, " 2026 0 "));
    assert_non_null(strstr(first, " frame 16"));
    OK(rein_page_open(&q, ((world *)*state)->browser));
    assert_null(visit(q, "http://site.test/luck").failed);
    r = evaluate(q, "0");
    assert_string_equal(member(&r, "text"), first);
    rein_page_close(q);
    free(first);
}

static void contexts_share_nothing(void **state) {
    rein_page *p = at(state, "http://site.test/"), *q;
    assert_null(evaluate(p, "localStorage.setItem('a', 1); document.cookie = 'a=1'").failed);
    OK(rein_page_open(&q, ((world *)*state)->browser));
    assert_null(visit(q, "http://site.test/").failed);
    assert_title(evaluate(q, "document.title = localStorage.length + '/' + document.cookie"), "0/");
    rein_page_close(q);
}

/* ---- accidents ---- */

static void hung_page_fails_alone(void **state) {
    if (!*state) skip();
    rein_browser *b = open_browser(3);
    rein_page *p, *q;
    OK(rein_page_open(&p, b));
    OK(rein_page_open(&q, b));
    assert_null(visit(p, "http://site.test/").failed);
    assert_null(visit(q, "http://site.test/").failed);
    assert_failed(click(p, 1), "did not finish within 3 s");
    assert_false(rein_page_is_fresh(q));
    assert_text(evaluate(q, "0"), "Hello");
    assert_true(rein_page_is_fresh(p));
    assert_text(visit(p, "http://site.test/"), "Hello");
    rein_page_close(p);
    rein_page_close(q);
    rein_browser_close(b);
}

static void dialog_storm_fails(void **state) {
    rein_page *p = at(state, "http://site.test/");
    assert_failed(click(p, 3), "dialogs without end");
    assert_text(visit(p, "http://site.test/"), "Hello");
}

static void crashed_page_fails(void **state) {
    rein_page *p = at(state, "http://site.test/");
    assert_failed(visit(p, "chrome://crash"), "crashed");
    assert_text(visit(p, "http://site.test/"), "Hello");
}

static void failing_script_fails(void **state) {
    assert_failed(evaluate(at(state, "http://site.test/"), "nothing.at.all"), "a script failed: ReferenceError");
}

static void dead_browser_is_started_again(void **state) {
    rein_page *p = at(state, "http://site.test/");
    world *w = *state;
    rein_page_begin(p);
    add(p, REIN_PAGE_CLICK, "rein.point(1)"); /* busy for ever */
    add(p, REIN_PAGE_EVAL, "rein.observe()");
    OK(rein_page_start(p));
    assert_int_equal(kill(-rein_browser_pid(w->browser), SIGKILL), 0);
    rein_page_result r;
    bool ready;
    OK(rein_page_poll(p, -1, &r, &ready));
    assert_failed(r, "the browser ended");
    assert_text(visit(p, "http://site.test/"), "Hello");
}

/* The folder that the shell before the browser was told to remove. */
static void folder_of(char out[100], int pid) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    for (size_t i = 0; i < n; i += strlen(text + i) + 1)
        if (strncmp(text + i, "/tmp/rein-browser-", 18) == 0) snprintf(out, 100, "%.99s", text + i);
}

static bool gone_soon(const char *folder, int group) {
    for (int i = 0; i < 1000; i++) {
        if (!rein_path_exists(folder) && kill(-group, 0) != 0 && errno == ESRCH) return true;
        usleep(10000);
    }
    return false;
}

static void nothing_is_left(void **state) {
    if (!*state) skip();
    rein_browser *b = open_browser(60);
    rein_page *p;
    char folder[100] = "";
    OK(rein_page_open(&p, b));
    assert_null(visit(p, "http://site.test/").failed);
    int pid = rein_browser_pid(b);
    folder_of(folder, pid);
    assert_true(rein_path_is_dir(folder));
    rein_page_close(p);
    rein_browser_close(b);
    assert_true(gone_soon(folder, pid));
}

static void nothing_is_left_when_we_are_killed(void **state) {
    if (!*state) skip();
    int ends[2], browser = 0;
    char folder[100] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t us = fork();
    if (us == 0) {
        rein_browser *b = open_browser(60);
        rein_page *p;
        OK(rein_page_open(&p, b));
        visit(p, "http://site.test/");
        int pid = rein_browser_pid(b);
        if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ends[0], &browser, sizeof browser), sizeof browser);
    folder_of(folder, browser);
    assert_true(rein_path_is_dir(folder));
    kill(us, SIGKILL);
    waitpid(us, NULL, 0);
    assert_true(gone_soon(folder, browser));
    close(ends[0]);
    close(ends[1]);
}

static void missing_browser_is_said(void **state) {
    (void)state;
    rein_browser *b = NULL;
    FAILS_WITH(REIN_ERR_USAGE, rein_browser_open(&b, &(rein_browser_options){.path = "/no/such/browser"}));
    assert_non_null(strstr(rein_error_message(), "/no/such/browser"));
    OK(rein_browser_open(&b, &(rein_browser_options){.path = "/bin/false", .serve = serve, .deadline = 5}));
    rein_page *p;
    OK(rein_page_open(&p, b));
    rein_page_begin(p);
    rein_page_add_advance(p, 1);
    FAILS_WITH(REIN_ERR_IO, rein_page_start(p));
    assert_non_null(strstr(rein_error_message(), "does not start"));
    rein_page_close(p);
    rein_browser_close(b);
}

static void keys_have_names(void **state) {
    (void)state;
    static const char *const known[] = {"Enter", "a", "+", "Control+a", "Shift+Tab", "Control+Shift+Z", "Control++"};
    static const char *const unknown[] = {"", "enter", "Control+", "Hyper+a", "ab", "+a", "Control+Enter+a", "\x01"};
    for (size_t i = 0; i < REIN_COUNT(known); i++)
        if (!rein_key_known(known[i], strlen(known[i]))) fail_msg("key '%s'", known[i]);
    for (size_t i = 0; i < REIN_COUNT(unknown); i++)
        if (rein_key_known(unknown[i], strlen(unknown[i]))) fail_msg("no key '%s'", unknown[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_text_with_references),
        cmocka_unit_test(form_can_be_used),
        cmocka_unit_test(mouse_hovers),
        cmocka_unit_test(what_cannot_be_done_is_refused),
        cmocka_unit_test(text_of_pages_is_cleaned),
        cmocka_unit_test(dialogs_are_dismissed_and_told),
        cmocka_unit_test(windows_do_not_open),
        cmocka_unit_test(history_goes_back),
        cmocka_unit_test(script_links_stay_on_the_page),
        cmocka_unit_test(other_origins_are_refused),
        cmocka_unit_test(delayed_reactions_are_seen),
        cmocka_unit_test(big_page_is_cut),
        cmocka_unit_test(chance_and_time_are_the_pages_own),
        cmocka_unit_test(contexts_share_nothing),
        cmocka_unit_test(hung_page_fails_alone),
        cmocka_unit_test(dialog_storm_fails),
        cmocka_unit_test(crashed_page_fails),
        cmocka_unit_test(failing_script_fails),
        cmocka_unit_test(dead_browser_is_started_again),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(nothing_is_left_when_we_are_killed),
        cmocka_unit_test(missing_browser_is_said),
        cmocka_unit_test(keys_have_names),
    };
    cmocka_set_test_filter(getenv("REIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
