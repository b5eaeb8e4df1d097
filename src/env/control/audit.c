/* The audit of a data set: shared prompts, and labels replayed bit for bit; see dataset.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "env/control/dataset.h"

/* Prompts as text, owned by the arena. */
typedef struct prompt_list {
    rein_arena arena;
    char **text;
    int64_t n, cap;
} prompt_list;

static rein_status prompt_add(prompt_list *list, const char *text, size_t len) {
    if (list->n == list->cap) {
        int64_t cap = list->cap ? 2 * list->cap : 1024;
        REIN_TRY(rein_realloc(&list->text, list->cap, cap, sizeof *list->text));
        list->cap = cap;
    }
    return rein_arena_strdup(&list->arena, &list->text[list->n++], text, len);
}

static void prompt_list_deinit(prompt_list *list) {
    rein_arena_deinit(&list->arena);
    rein_free(list->text);
}

static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* ---- one label ---- */

/* An array of n numbers; false if it is none. */
static bool read_numbers(double *out, struct json_object *array, size_t n) {
    if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) != n) return false;
    for (size_t i = 0; i < n; i++) {
        struct json_object *x = json_object_array_get_idx(array, i);
        if (!json_object_is_type(x, json_type_double) && !json_object_is_type(x, json_type_int)) return false;
        out[i] = json_object_get_double(x);
    }
    return true;
}

static rein_status read_plant(rein_plant *plant, struct json_object *row) {
    static const char *const names[] = {"semi", "zoh", "rk4"};
    const char *system, *how;
    size_t len;
    REIN_TRY(rein_json_string(&system, &len, row, "system_type"));
    REIN_TRY(rein_json_string(&how, &len, row, "discretization"));
    REIN_TRY(rein_json_double(&plant->dt, row, "dt"));
    REIN_TRY(rein_system_find(&plant->system, system));
    for (size_t i = 0; i < REIN_COUNT(names); i++)
        if (strcmp(how, names[i]) == 0) {
            plant->how = (rein_discretization)i;
            return rein_system_check(plant->system, plant->how);
        }
    return rein_fail(REIN_ERR_FORMAT, "discretization '%s' is none of semi, zoh, rk4", how);
}

static bool replays(const rein_plant *plant, const double x0[2], const double *u, int steps,
                    struct json_object *trajectory) {
    rein_rollout r;
    double stored[2];
    if (json_object_array_length(trajectory) != (size_t)steps + 1) return false;
    rein_rollout_run(&r, plant, x0, u, steps, false);
    for (int k = 0; k <= steps; k++) {
        struct json_object *pair = json_object_array_get_idx(trajectory, (size_t)k);
        if (!read_numbers(stored, pair, 2) || memcmp(stored, r.state[k], sizeof stored) != 0) return false;
    }
    return true;
}

/* `label` is the row's list of controls. */
static rein_status audit_label(rein_data_report *out, struct json_object *row, struct json_object *label,
                               const char *prompt, size_t prompt_len) {
    double u[REIN_CONTROL_MAX_STEPS], said[REIN_CONTROL_MAX_STEPS], x0[2], shown[2];
    const size_t steps = json_object_array_length(label);
    const char *completion;
    size_t len;
    struct json_object *start, *trajectory;
    rein_plant plant;
    REIN_TRY(read_plant(&plant, row));
    REIN_TRY(rein_json_string(&completion, &len, row, "completion"));
    REIN_TRY(rein_json_array(&start, row, "initial_state"));
    REIN_TRY(rein_json_array(&trajectory, row, "trajectory"));
    if (steps < 1 || steps > REIN_CONTROL_MAX_STEPS || !read_numbers(u, label, steps) || !read_numbers(x0, start, 2))
        return rein_fail(REIN_ERR_FORMAT, "controls must be 1 to %d numbers, initial_state two",
                         REIN_CONTROL_MAX_STEPS);
    out->labels++;
    if (rein_answer_parse(said, (int)steps, completion, len) != REIN_ANSWER_OK)
        out->malformed++;
    else
        out->wrong_controls += memcmp(said, u, steps * sizeof *u) != 0;
    out->wrong_states += !rein_prompt_state(shown, prompt, prompt_len) || memcmp(shown, x0, sizeof x0) != 0;
    out->wrong_trajectories += !replays(&plant, x0, u, (int)steps, trajectory);
    return REIN_OK;
}

/* ---- files ---- */

typedef struct reader {
    rein_data_report *report;
    prompt_list prompts;
} reader;

/* A conversational prompt counts by its JSON text. */
static rein_status read_prompt(const char **out, size_t *len, struct json_object *row) {
    struct json_object *value;
    if (json_object_object_get_ex(row, "prompt", &value) && json_object_is_type(value, json_type_array)) {
        *out = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, len);
        return *out ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "out of memory for a prompt");
    }
    return rein_json_string(out, len, row, "prompt");
}

static rein_status audit_row(void *user, int64_t line, struct json_object *row) {
    reader *r = user;
    (void)line;
    const char *prompt;
    size_t len;
    struct json_object *label;
    REIN_TRY(read_prompt(&prompt, &len, row));
    REIN_TRY(prompt_add(&r->prompts, prompt, len));
    if (!json_object_object_get_ex(row, "controls", &label) || !json_object_is_type(label, json_type_array))
        return REIN_OK;
    return audit_label(r->report, row, label, prompt, len);
}

static rein_status read_file(reader *r, const char *path) {
    REIN_TRY(rein_jsonl_each(path, audit_row, r));
    if (r->prompts.n > 0) qsort(r->prompts.text, (size_t)r->prompts.n, sizeof *r->prompts.text, compare_text);
    return REIN_OK;
}

static void compare_prompts(rein_data_report *out, const prompt_list *train, const prompt_list *eval) {
    for (int64_t i = 0; i < eval->n; i++) {
        out->repeated_eval += i > 0 && strcmp(eval->text[i], eval->text[i - 1]) == 0;
        out->shared_prompts += train->n > 0 && bsearch(&eval->text[i], train->text, (size_t)train->n,
                                                       sizeof *train->text, compare_text) != NULL;
    }
}

rein_status rein_data_audit(rein_data_report *out, const char *train, const char *eval) {
    reader one = {.report = out}, two = {.report = out};
    rein_status status;
    *out = (rein_data_report){0};
    REIN_TRY_OUT(status, read_file(&one, train), out);
    if (eval) REIN_TRY_OUT(status, read_file(&two, eval), out);
    out->train = one.prompts.n;
    out->eval = two.prompts.n;
    compare_prompts(out, &one.prompts, &two.prompts);
out:
    prompt_list_deinit(&one.prompts);
    prompt_list_deinit(&two.prompts);
    return status;
}

int64_t rein_data_faults(const rein_data_report *r) {
    return r->shared_prompts + r->repeated_eval + r->malformed + r->wrong_controls + r->wrong_states +
           r->wrong_trajectories;
}
