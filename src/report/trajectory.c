/* Trajectories out of the details of a case; see trajectory.h. */
#include "report/trajectory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* Element `at` of a row that may be a number itself. */
static rein_status element(double *out, struct json_object *row, size_t at) {
    if (json_object_is_type(row, json_type_array)) row = json_object_array_get_idx(row, at);
    if (!json_object_is_type(row, json_type_double) && !json_object_is_type(row, json_type_int))
        return rein_fail(REIN_ERR_FORMAT, "a trajectory holds something that is no number");
    *out = json_object_get_double(row);
    return REIN_OK;
}

static rein_status column(double **out, rein_arena *arena, struct json_object *rows, size_t at) {
    size_t n = json_object_array_length(rows);
    REIN_TRY(rein_arena_alloc(arena, out, sizeof **out * (n + 1)));
    for (size_t i = 0; i < n; i++) REIN_TRY(element(&(*out)[i], json_object_array_get_idx(rows, i), at));
    return REIN_OK;
}

static rein_status read_names(rein_trajectory *t, rein_arena *arena, struct json_object *doc) {
    static const char *const def[] = {"position", "velocity"};
    struct json_object *names = json_object_object_get(doc, "state_names");
    for (size_t k = 0; k < 2; k++) {
        struct json_object *given =
            json_object_is_type(names, json_type_array) ? json_object_array_get_idx(names, k) : NULL;
        const char *name = given ? json_object_get_string(given) : def[k];
        char *copy;
        REIN_TRY(rein_arena_strdup(arena, &copy, name, strlen(name)));
        t->state_name[k] = copy;
    }
    return REIN_OK;
}

static rein_status read_extras(rein_trajectory *t, rein_arena *arena, struct json_object *doc) {
    t->state_bound = t->control_bound = (double)NAN;
    if (rein_json_has(doc, "state_bound")) REIN_TRY(rein_json_double(&t->state_bound, doc, "state_bound"));
    if (rein_json_has(doc, "control_bound")) REIN_TRY(rein_json_double(&t->control_bound, doc, "control_bound"));
    t->has_target = rein_json_has(doc, "target");
    if (t->has_target) {
        struct json_object *target;
        REIN_TRY(rein_json_array(&target, doc, "target"));
        for (size_t k = 0; k < 2; k++) REIN_TRY(element(&t->target[k], target, k));
    }
    return read_names(t, arena, doc);
}

static rein_status read_arrays(rein_trajectory *t, rein_arena *arena, struct json_object *doc) {
    struct json_object *times, *states, *controls;
    REIN_TRY(rein_json_array(&times, doc, "times"));
    REIN_TRY(rein_json_array(&states, doc, "states"));
    REIN_TRY(rein_json_array(&controls, doc, "controls"));
    t->n = (int64_t)json_object_array_length(states);
    t->n_control = (int64_t)json_object_array_length(controls);
    if ((int64_t)json_object_array_length(times) != t->n || t->n_control > t->n || t->n < 1)
        return rein_fail(REIN_ERR_FORMAT, "a trajectory has %zu times, %lld states and %lld controls",
                         json_object_array_length(times), (long long)t->n, (long long)t->n_control);
    REIN_TRY(column(&t->time, arena, times, 0));
    REIN_TRY(column(&t->state[0], arena, states, 0));
    REIN_TRY(column(&t->state[1], arena, states, 1));
    return column(&t->control, arena, controls, 0);
}

rein_status rein_trajectory_read(rein_trajectory *t, const rein_eval_case *c, rein_arena *arena, bool *has) {
    struct json_object *doc = NULL;
    char name[96];
    *t = (rein_trajectory){0};
    *has = false;
    if (c->details_len == 0) return REIN_OK;
    snprintf(name, sizeof name, "details of policy '%.40s', case %lld", c->policy, (long long)c->index);
    REIN_TRY(rein_json_parse(&doc, name, c->details, c->details_len));
    rein_status status = REIN_OK;
    if (json_object_is_type(doc, json_type_object) && rein_json_has(doc, "states") && rein_json_has(doc, "controls")) {
        status = read_arrays(t, arena, doc);
        if (status == REIN_OK) status = read_extras(t, arena, doc);
        if (status != REIN_OK) status = rein_error_prefix(status, "%s", name);
        *has = status == REIN_OK;
    }
    json_object_put(doc);
    return status;
}
