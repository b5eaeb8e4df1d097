/* Reward models as reward functions; see reward_model.h. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "run/resolve.h"
#include "train/reward_model.h"

enum { PART_TOKENS = 8192 }; /* rows computed at a time; cannot change a bit */

typedef struct scorer {
    rein_model *model;
    rein_tokenizer *tok;
    rein_prompt_chat chat;
    rein_dataset_options options;
    rein_leaf leaf;
} scorer;

static void scorer_close(void *state) {
    scorer *s = state;
    rein_leaf_deinit(&s->leaf);
    rein_prompt_chat_close(&s->chat);
    rein_model_destroy(s->model);
    rein_tokenizer_destroy(s->tok);
    rein_free(s);
}

/* A model without the file would get a new head, and its rewards would be noise. */
static rein_status need_head(const char *path) {
    rein_arena arena = {0};
    char *dir, *file;
    rein_status status = rein_model_dir_resolve(&dir, &arena, path);
    if (status == REIN_OK) status = rein_path_format(&arena, &file, "%s/value_head.safetensors", dir);
    if (status == REIN_OK && !rein_path_exists(file))
        status = rein_fail(REIN_ERR_USAGE, "'%s' is no reward model: value_head.safetensors is missing", dir);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status scorer_load(scorer *s, const char *path, rein_device *dev) {
    const rein_model_options frozen = {.frozen = true, .value_head = REIN_VALUE_LINEAR};
    const rein_prompt_chat_args chat = {0};
    REIN_TRY(need_head(path));
    REIN_TRY(rein_start_model(&s->model, &s->tok, path, dev, &frozen));
    if (s->model->cfg.n_eos < 1) return rein_fail(REIN_ERR_FORMAT, "'%s': config.json names no eos_token_id", path);
    REIN_TRY(rein_start_chat(&s->chat, path, &chat));
    s->options = (rein_dataset_options){
        .format = REIN_DATASET_RANKED, .eos = (int32_t)s->model->cfg.eos_id[0], .chat = s->chat.format};
    return rein_leaf_init(&s->leaf, s->model);
}

static rein_status scorer_open(void **state, const char *path, void *user) {
    scorer *s;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    rein_status status = scorer_load(s, path, user);
    if (status == REIN_OK)
        *state = s;
    else
        scorer_close(s);
    return status;
}

/* ---- answers ---- */

/* The answer as the row's form has it: text, or a message of the assistant. What is no UTF-8 becomes U+FFFD. */
static rein_status answer_json(struct json_object **out, const rein_reward_answer *a, bool chat) {
    rein_str s = {0};
    rein_str_puts(&s, chat ? "[{\"role\":\"assistant\",\"content\":" : "[");
    rein_json_put_string(&s, a->text, a->len);
    rein_str_puts(&s, chat ? "}]" : "]");
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) status = rein_json_parse(out, "answer", s.data, s.len);
    rein_str_deinit(&s);
    return status;
}

static rein_status encode(rein_ids *ids, int64_t *n_prompt, const scorer *s, const rein_reward_answer *a) {
    struct json_object *answer = NULL, *question = NULL;
    rein_row row;
    rein_status status;
    REIN_TRY(rein_row_read(&row, a->row));
    if (row.kind == REIN_ROW_MESSAGES) {
        REIN_TRY_OUT(status, rein_messages_question(&question, row.messages), out);
        row.prompt = question;
    }
    REIN_TRY_OUT(status, answer_json(&answer, a, row.chat), out);
    REIN_TRY_OUT(status,
                 rein_dataset_encode(ids, n_prompt, &row, row.chat ? answer : json_object_array_get_idx(answer, 0),
                                     s->tok, &s->options),
                 out);
    if (ids->n > s->model->n_pos)
        status = rein_fail(REIN_ERR_FORMAT, "prompt and answer have %lld tokens, the reward model %lld positions",
                           (long long)ids->n, (long long)s->model->n_pos);
out:
    json_object_put(answer);
    json_object_put(question);
    rein_row_deinit(&row);
    return status;
}

/* One tree a row: answers to the same one follow each other. token (n): where each is scored. */
static rein_status lay_answers(rein_forest *f, int64_t *token, const scorer *s, const rein_reward_answer *a,
                               int64_t n) {
    rein_ids ids = {0};
    rein_status status = REIN_OK;
    int64_t prompt = -1, n_prompt;
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY_OUT(status, encode(&ids, &n_prompt, s, &a[i]), out);
        if (n_prompt == 0)
            prompt = -1;
        else if (i == 0 || a[i].row != a[i - 1].row)
            REIN_TRY_OUT(status, rein_forest_add(f, -1, ids.data, NULL, n_prompt, &prompt), out);
        REIN_TRY_OUT(status, rein_forest_add(f, prompt, ids.data + n_prompt, NULL, ids.n - n_prompt, NULL), out);
        token[i] = f->n_tok - 1;
        f->want[token[i]] = REIN_WANT_SCORE;
    }
out:
    rein_ids_deinit(&ids);
    return status;
}

static rein_status run(scorer *s, const rein_forest *f, float *score) {
    rein_forest_plan plan;
    REIN_TRY(rein_forest_plan_make(&plan, f, PART_TOKENS));
    rein_status status = rein_leaf_begin(&s->leaf, f, &plan, &(rein_leaf_sampling){.temperature = 1});
    for (int64_t p = 0; p < plan.n_part && status == REIN_OK; p++)
        status = rein_leaf_forward(&s->leaf, p, &(rein_leaf_values){.score = score});
    rein_forest_plan_deinit(&plan);
    return status;
}

static rein_status scorer_score(double *out, void *state, const rein_reward_answer *a, int64_t n) {
    scorer *s = state;
    rein_forest f = {0};
    int64_t *token;
    float *score = NULL;
    rein_status status;
    REIN_TRY(rein_alloc(&token, n, sizeof *token));
    REIN_TRY_OUT(status, lay_answers(&f, token, s, a, n), out);
    REIN_TRY_OUT(status, rein_alloc(&score, f.n_tok, sizeof *score), out);
    REIN_TRY_OUT(status, run(s, &f, score), out);
    for (int64_t i = 0; i < n; i++) out[i] = (double)score[token[i]];
out:
    rein_forest_deinit(&f);
    rein_free(token);
    rein_free(score);
    return status;
}

rein_reward_host rein_reward_model_host(rein_device *dev) {
    return (rein_reward_host){.open = scorer_open, .score = scorer_score, .close = scorer_close, .user = dev};
}
