/*
 * rein: the command line. Finds the command, parses its options, runs it, turns its status into an exit status.
 * Only this layer prints and exits.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "rein/version.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DIFFERENCE = 3, MAX_WORDS = 64 };

static int exit_status(rein_status s) {
    switch (s) {
    case REIN_OK: return EXIT_DONE;
    case REIN_ERR_USAGE: return EXIT_USAGE;
    case REIN_ERR_MISMATCH: return EXIT_DIFFERENCE;
    default: return EXIT_FAILED;
    }
}

static int fail(rein_status s) {
    rein_progress_end();
    fprintf(stderr, "rein: %s\n", rein_error_message());
    if (getenv("REIN_TRACE")) fputs(rein_error_frames(), stderr);
    return exit_status(s);
}

static void log_to_stderr(void *user, rein_log_level level, const char *message) {
    (void)user;
    rein_progress_end();
    fprintf(stderr, "rein: %s%s\n", level == REIN_LOG_WARN ? "warning: " : "", message);
}

/* ---- help ---- */

static void print_overview(FILE *out) {
    fputs("usage: rein COMMAND [SUBJECT] [--option value]...\n\n", out);
    for (const rein_command *const *c = rein_commands; *c; c++)
        fprintf(out, "  %-18s %s\n", (*c)->name, (*c)->summary);
    fputs("\nrein help COMMAND shows its options. Every command takes --json. REIN_ISA and REIN_NUM_THREADS choose the\n"
          "kernels and the number of threads; they never change a result.\n", out);
}

/* The command's options, for people or (rein help COMMAND --json) as a JSON Schema. */
static rein_status print_help(FILE *out, const rein_command *c, bool schema) {
    rein_options opts = {0};
    rein_str text = {0};
    void *values = NULL;
    rein_status status;
    if (c->values_size) REIN_TRY(rein_alloc(&values, 1, c->values_size));
    REIN_TRY_OUT(status, rein_command_options(&opts, c, values), out);
    if (schema)
        rein_options_write_schema(&opts, c->name, &text);
    else
        rein_options_write_help(&opts, &text);
    REIN_TRY_OUT(status, rein_str_check(&text), out);
    if (!schema)
        fprintf(out, "usage: rein %s%s%s [--option value]...\n%s\n\n", c->name, c->subject ? " " : "",
                c->subject ? c->subject : "", c->summary);
    fprintf(out, "%s%s", text.data ? text.data : "", schema ? "\n" : "");
out:
    rein_str_deinit(&text);
    rein_options_deinit(&opts);
    rein_free(values);
    return status;
}

/* ---- dispatch ---- */

/* The command with the most words that matches; *used is how many words it took. */
static const rein_command *find_command(int n, char **words, int *used) {
    const rein_command *best = NULL;
    *used = 0;
    for (const rein_command *const *c = rein_commands; *c; c++) {
        char two[64] = "";
        if (n > 1) snprintf(two, sizeof two, "%s %s", words[0], words[1]);
        int match = strcmp((*c)->name, two) == 0 ? 2 : strcmp((*c)->name, words[0]) == 0 ? 1 : 0;
        if (match > *used) {
            *used = match;
            best = *c;
        }
    }
    return best;
}

static rein_status unknown_command(const char *word) {
    const char *names[128];
    int64_t n = 0;
    for (const rein_command *const *c = rein_commands; *c && n < 128; c++) names[n++] = (*c)->name;
    const char *near = rein_nearest_name(word, names, n);
    return near ? rein_fail(REIN_ERR_USAGE, "unknown command '%s'; did you mean '%s'", word, near)
                : rein_fail(REIN_ERR_USAGE, "unknown command '%s'; 'rein help' lists them", word);
}

/* Take --json out of the words, wherever it stands before a "--json"-eating value cannot be meant; behind "--" it is
 * another program's. */
static bool take_json(int *argc, char **argv) {
    bool json = false, ours = true;
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        ours = ours && strcmp(argv[i], "--") != 0;
        if (ours && (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--json=true") == 0))
            json = true;
        else
            argv[n++] = argv[i];
    }
    *argc = n;
    return json;
}

static rein_status threads_from_environment(int *threads) {
    const char *names[] = {"REIN_NUM_THREADS", "OMP_NUM_THREADS"};
    *threads = 0;
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        const char *text = getenv(names[i]);
        char *end;
        if (!text || !*text) continue;
        long n = strtol(text, &end, 10);
        if (*end || n < 1 || n > 1024)
            return rein_fail(REIN_ERR_USAGE, "%s='%s': expected a number of threads from 1 to 1024", names[i], text);
        *threads = (int)n;
        return REIN_OK;
    }
    return REIN_OK;
}

static rein_status run_command(const rein_command *c, rein_cli *cli, int argc, char **argv) {
    rein_options opts = {0};
    void *values = NULL;
    const char *words[MAX_WORDS];
    int n_words = 0;
    rein_status status;
    if (c->values_size) REIN_TRY(rein_alloc(&values, 1, c->values_size));
    REIN_TRY_OUT(status, rein_command_options(&opts, c, values), out);
    REIN_TRY_OUT(status, rein_options_parse_args(&opts, argc, argv, words,
                                                 c->max_positional < MAX_WORDS ? c->max_positional : MAX_WORDS, &n_words),
                 out);
    if (n_words < c->min_positional) {
        status = rein_fail(REIN_ERR_USAGE, "%s: %s is missing; see 'rein help %s'", c->name,
                           c->subject ? c->subject : "an argument", c->name);
        goto out;
    }
    status = c->run(cli, &opts, words, n_words);
out:
    rein_options_deinit(&opts);
    rein_free(values);
    return status;
}

/*
 * Waiting threads spin for a moment, then sleep. libgomp spins for milliseconds by default, which is many times slower
 * than sleeping as soon as anything else wants a core (measured: rollouts 18 s instead of 0.6 s beside one compiler). It
 * reads the setting before main, so the program starts itself once more; a user's own setting is left alone.
 */
static void limit_spinning(char **argv) {
    static const char setting[] = "GOMP_SPINCOUNT";
    if (getenv(setting) || getenv("OMP_WAIT_POLICY")) return;
    setenv(setting, "2000", 1);
    execv("/proc/self/exe", argv); /* on failure: go on as we are */
}

int main(int argc, char **argv) {
    limit_spinning(argv);
    rein_cli cli = {.out = stdout, .isa = getenv("REIN_ISA")};
    signal(SIGPIPE, SIG_IGN);
    rein_log_set_sink(log_to_stderr, NULL);
    argc--;
    argv++;
    if (argc < 1) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0) return puts("rein " REIN_VERSION) < 0;
    bool help = strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0;
    if (help && argc == 1) {
        print_overview(stdout);
        return EXIT_DONE;
    }
    if (help) argc--, argv++;
    cli.json = take_json(&argc, argv);
    int used;
    const rein_command *command = argc > 0 ? find_command(argc, argv, &used) : NULL;
    if (!command) return fail(unknown_command(argc > 0 ? argv[0] : "--json"));
    for (int i = used; i < argc && !help && strcmp(argv[i], "--") != 0; i++) help = strcmp(argv[i], "--help") == 0;
    if (help) {
        rein_status status = print_help(stdout, command, cli.json);
        return status == REIN_OK ? EXIT_DONE : fail(status);
    }
    rein_status status = threads_from_environment(&cli.threads);
    if (status == REIN_OK) status = run_command(command, &cli, argc - used, argv + used);
    rein_progress_end();
    if (status != REIN_OK) return fail(status);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "rein: cannot write the results to standard output\n");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
