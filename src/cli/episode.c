/* rein runs show RUN --episode K; see episode.h. */
#include "cli/episode.h"

#include <string.h>

#include "base/json.h"

static const char *text_of(struct json_object *o, const char *key) {
    struct json_object *value;
    return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

static double number_of(struct json_object *o, const char *key) {
    struct json_object *value;
    return json_object_object_get_ex(o, key, &value) ? json_object_get_double(value) : 0;
}

/* Every line of a text behind a mark: "+" was trained on, "." was only read. */
static void put_marked(rein_str *out, char mark, const char *text) {
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        rein_str_printf(out, "%c %.*s\n", mark, (int)strcspn(line, "\n"), line);
}

static void put_turns(rein_str *out, struct json_object *episode) {
    struct json_object *turns = NULL;
    json_object_object_get_ex(episode, "turns", &turns);
    int64_t n = json_object_is_type(turns, json_type_array) ? (int64_t)json_object_array_length(turns) : 0;
    for (int64_t k = 0; k < n; k++) {
        struct json_object *turn = json_object_array_get_idx(turns, (size_t)k);
        rein_str_printf(out, "--- turn %lld: model, reward %.6g\n", (long long)k + 1, number_of(turn, "reward"));
        put_marked(out, '+', text_of(turn, "action"));
        const char *error = text_of(turn, "error");
        rein_str_printf(out, "--- turn %lld: world%s%s\n", (long long)k + 1, *error ? ", error: " : "", error);
        put_marked(out, '.', text_of(turn, "observation"));
    }
    rein_str_printf(out, "--- %s%s%s\n", number_of(episode, "terminated") != 0 ? "terminated" : "",
                    number_of(episode, "truncated") != 0 ? "truncated" : "",
                    number_of(episode, "failed") != 0 ? "failed: the world broke twice" : "");
}

static rein_status put_conversation(rein_str *out, const rein_completion *c) {
    rein_str_printf(out, "step %lld, prompt %lld, sample %lld: reward %.6g, advantage %.6g, %s\n", (long long)c->step,
                    (long long)c->prompt, (long long)c->sample, c->reward, c->advantage, c->finish);
    for (int64_t i = 0; i < c->n_part; i++) rein_str_printf(out, "  %s %.6g\n", c->part[i].name, c->part[i].value);
    rein_str_puts(out, "--- prompt\n");
    put_marked(out, '.', c->prompt_text);
    if (!c->episode) {
        rein_str_puts(out, "--- answer\n");
        put_marked(out, '+', c->text);
        return rein_str_check(out);
    }
    struct json_object *episode;
    REIN_TRY(rein_json_parse(&episode, "episode", c->episode, c->episode_len));
    put_turns(out, episode);
    json_object_put(episode);
    return rein_str_check(out);
}

rein_status rein_cli_episode(rein_str *out, rein_arena *arena, const rein_rundir *run, int64_t step, int64_t which,
                             bool json) {
    rein_completion *c;
    int64_t n;
    REIN_TRY(rein_read_completions(run, arena, step, which, &c, &n));
    if (n < which)
        return rein_fail(REIN_ERR_USAGE, "episode %lld: run '%s' kept %lld answers of that step (num_completions_to_print)",
                         (long long)which, rein_rundir_path(run), (long long)n);
    if (!json) return put_conversation(out, &c[which - 1]);
    rein_completion_write(&c[which - 1], out);
    return rein_str_check(out);
}
