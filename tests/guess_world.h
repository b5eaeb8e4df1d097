/* A world of several turns for tests, in which the model guesses a digit, and a workshop whose model can talk to it. */
#ifndef REIN_GUESS_WORLD_H
#define REIN_GUESS_WORLD_H

#include "train_jobs.h"

/* ---- the world: guess a digit; it says higher or lower ---- */

enum { MOST_TURNS = 4, NEVER = -1 };

typedef struct guess_world {
    rein_env env;
    int64_t breaks_at; /* task whose second answer is an env_error; NEVER */
    int failures;      /* how often */
} guess_world;

typedef struct guess_slot {
    rein_episode ep;
    int64_t task;
    int secret, turns, lag; /* lag: polls until it is done */
    bool acted;
    char said[64];
    rein_observation out;
} guess_slot;

static rein_status guess_messages(const rein_env *env, const rein_task *task, rein_str *out, rein_str *tools) {
    (void)env, (void)tools;
    rein_str_printf(out, "[{\"role\":\"user\",\"content\":\"guess %d\"}]", (int)(task->index % 3));
    return REIN_OK;
}

static rein_status guess_open(const rein_env *env, int slot, rein_episode **out) {
    guess_slot *s;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    s->ep = (rein_episode){env, slot};
    *out = &s->ep;
    return REIN_OK;
}

static void guess_close(rein_episode *ep) { rein_free(ep); }

static rein_status guess_reset(rein_episode *ep, const rein_task *task, uint64_t seed) {
    guess_slot *s = (guess_slot *)ep;
    assert_true(seed == task->key);
    s->task = task->index;
    s->secret = (int)(task->index * 7 % 10);
    s->turns = 0;
    s->lag = (int)(task->index % 3);
    s->acted = false;
    s->out = (rein_observation){.text = ""};
    return REIN_OK;
}

static void judge(guess_slot *s, char guess) {
    bool digit = guess >= '0' && guess <= '9', right = guess == '0' + s->secret;
    snprintf(s->said, sizeof s->said, "%s", !digit ? "say a digit" : guess < '0' + s->secret ? "higher" : "lower");
    s->out = (rein_observation){.text = s->said, .len = strlen(s->said), .terminated = right,
                                .truncated = s->turns == MOST_TURNS, .error = digit ? NULL : "no digit"};
    double near = -0.01 * abs((unsigned char)guess - '0' - s->secret);
    s->out.score = (rein_score){.n_component = 2, .component = {{"right", right}, {"near", near}}, .success = right,
                                .format_ok = digit, .total = (double)right + near};
}

static rein_status guess_step(rein_episode *ep, const char *action, size_t len) {
    guess_slot *s = (guess_slot *)ep;
    guess_world *w = (guess_world *)(uintptr_t)ep->env;
    s->turns++;
    s->lag = (int)((s->task + s->turns) % 3);
    judge(s, len > 0 ? action[0] : ' ');
    if (s->task == w->breaks_at && s->turns == 2 && w->failures > 0) {
        w->failures--;
        s->out = (rein_observation){.text = "", .env_error = true, .error = "broken to order"};
    }
    return REIN_OK;
}

static rein_status guess_poll(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready) {
    guess_slot *s = (guess_slot *)ep;
    *ready = wait_ms != 0 || s->lag-- <= 0;
    if (*ready) *out = s->out;
    return REIN_OK;
}

static rein_status guess_oracle(rein_episode *ep, rein_str *out) {
    const guess_slot *s = (const guess_slot *)ep;
    rein_str_printf(out, "%d", s->turns == 0 ? (s->secret + 1) % 10 : s->secret);
    return REIN_OK;
}

static const rein_turns guess_turns = {.open = guess_open, .close = guess_close, .reset = guess_reset, .step = guess_step,
                                       .poll = guess_poll, .oracle = guess_oracle, .role = "tool"};
static const rein_env_class guess_class = {
    .name = "guess", .task = digits_task, .messages = guess_messages, .turns = &guess_turns};
static guess_world world = {.env = {&guess_class}, .breaks_at = NEVER};

/* ---- a model with a chat template ---- */

static const char chatml[] = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                             "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

static rein_tokenizer *chat_tokenizer(void) {
    static const char *const special[] = {"<|im_end|>", "<|im_start|>"};
    static const char *const text[] = {"assistant\n", "user\n", "tool\n", "guess 0 1 2", "higher lower say a digit", "higher lower"};
    size_t len[REIN_COUNT(text)];
    rein_tokenizer *tok;
    rein_bpe_options o = {.vocab_size = 300, .special = special, .n_special = 2, .full_byte_alphabet = true};
    for (size_t i = 0; i < REIN_COUNT(text); i++) len[i] = strlen(text[i]);
    OK(rein_tokenizer_train(&tok, &o, text, len, REIN_COUNT(text)));
    return tok;
}

/* A workshop whose model has the template. */
static inline void guess_workshop_make(workshop *shop) {
    char path[JOB_PATH];
    rein_device *dev;
    rein_model *m;
    workshop_make(shop);
    rein_tokenizer *tok = chat_tokenizer();
    rein_model_config cfg = {.family = REIN_FAMILY_LLAMA, .V = rein_tokenizer_vocab_size(tok), .C = 24, .L = 2, .H = 2, .K = 1,
                             .D = 12, .F = 40, .max_position_embeddings = 256, .rms_norm_eps = 1e-6, .rope_theta = 10000,
                             .initializer_range = 0.2, .tie_word_embeddings = true, .bos_id = -1, .pad_id = -1, .eos_id = {0},
                             .n_eos = 1};
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_model_create(&m, &cfg, dev, 0));
    rein_model_init(m, 5);
    snprintf(path, sizeof path, "%s/model", shop->dir);
    OK(rein_remove_tree(path));
    OK(rein_mkdirs(path));
    OK(rein_model_save(m, path));
    snprintf(path, sizeof path, "%s/model/tokenizer.json", shop->dir);
    OK(rein_tokenizer_save(tok, path));
    snprintf(path, sizeof path, "%s/model/chat_template.jinja", shop->dir);
    write_text(path, chatml);
    rein_model_destroy(m);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
}

#define EPISODES "max_completion_length=90", "max_turn_length=5", "temperature=1.3"

#endif
