/* Conversations against transformers' apply_chat_template: golden/template; ids and masks; what must be refused. */
#include "allocations.h"
#include "base_check.h"

#include "base/json.h"
#include "io/model_text.h"
#include "text/chat.h"

#define GOLDEN "golden/template"

static rein_chat_template *load_template(const char *model, struct json_object *tokens) {
    rein_chat_template *t;
    rein_str text = {0};
    char path[256];
    const char *config = json_object_to_json_string(tokens);
    snprintf(path, sizeof path, GOLDEN "/templates/%s.jinja", model);
    assert_ok(rein_file_read(&text, path));
    assert_ok(rein_chat_template_create(&t, model, text.data, text.len, config, strlen(config)));
    rein_str_deinit(&text);
    return t;
}

/* ---- golden cases ---- */

typedef struct golden {
    struct json_object *tokens;
    int64_t n, differ;
} golden;

static rein_status check_case(void *user, int64_t line, struct json_object *row) {
    golden *g = user;
    const char *model, *wanted = NULL;
    size_t wanted_len = 0;
    bool prompt;
    rein_str out = {0};
    REIN_TRY(rein_json_string(&model, NULL, row, "model"));
    REIN_TRY(rein_json_bool(&prompt, row, "add_generation_prompt"));
    if (rein_json_has(row, "text")) REIN_TRY(rein_json_string(&wanted, &wanted_len, row, "text"));
    rein_chat_template *t = load_template(model, json_object_object_get(g->tokens, model));
    rein_status status =
        rein_chat_render(&out, NULL, t, json_object_object_get(row, "messages"), json_object_object_get(row, "tools"),
                         prompt, json_object_object_get(row, "kwargs"));
    rein_chat_template_destroy(t);
    bool same = status == REIN_OK
                    ? wanted && out.len == wanted_len && (!out.len || memcmp(out.data, wanted, out.len) == 0)
                    : !wanted && status == REIN_ERR_FORMAT;
    if (!same) {
        print_message("line %lld, %s:\n  is     %s\n  wanted %s\n", (long long)line, model,
                      status == REIN_OK ? out.data : rein_error_message(), wanted ? wanted : "(an error)");
        g->differ++;
    }
    g->n++;
    rein_str_deinit(&out);
    return REIN_OK;
}

/* Transformers' text for every conversation, or an error on both sides. */
static void check_golden(const char *path, int64_t n) {
    golden g = {0};
    assert_ok(rein_json_load(&g.tokens, GOLDEN "/tokens.json"));
    assert_ok(rein_jsonl_each(path, check_case, &g));
    json_object_put(g.tokens);
    assert_int_equal(g.n, n);
    assert_int_equal(g.differ, 0);
}

static void test_golden(void **state) {
    (void)state;
    check_golden(GOLDEN "/cases.jsonl", 305);
}

/* Prompt formats of Llama 2, Llama 3 and Mistral: tools/goldens/templates.py. */
static void test_families(void **state) {
    (void)state;
    check_golden(GOLDEN "/families.jsonl", 489);
}

/* ---- ids and masks ---- */

/* A tokenizer of bytes, with the special tokens of ChatML. */
static rein_tokenizer *chatml_tokenizer(bool special) {
    rein_tokenizer *tok;
    const char *text = "abc";
    static const char *const names[] = {"<|im_start|>", "<|im_end|>"};
    rein_bpe_options o = {
        .vocab_size = 258, .special = names, .n_special = special ? 2 : 0, .full_byte_alphabet = true};
    assert_ok(rein_tokenizer_train(&tok, &o, &text, &(size_t){3}, 1));
    return tok;
}

static struct json_object *json(const char *text) {
    struct json_object *value;
    assert_ok(rein_json_parse(&value, "test", text, strlen(text)));
    return value;
}

static rein_chat_template *make(const char *text) {
    rein_chat_template *t;
    static const char config[] = "{\"eos_token\":{\"content\":\"<|im_end|>\"},\"pad_token\":null}";
    assert_ok(rein_chat_template_create(&t, "t", text, strlen(text), config, sizeof config - 1));
    return t;
}

#define CHATML                                                                                                         \
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"                         \
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
/* The template's newlines behind the tags are trimmed, those in the text are not. */

/* The conversation's text with what the assistant says in brackets. */
static void assert_masked(const rein_chat_template *t, const rein_tokenizer *tok, const char *messages, bool prompt,
                          const char *wanted) {
    struct json_object *list = json(messages);
    rein_ids ids = {0};
    rein_str mask = {0}, shown = {0};
    assert_ok(rein_chat_encode(&ids, &mask, t, tok, list, NULL, prompt, NULL));
    assert_int_equal(mask.len, ids.n);
    for (int64_t i = 0; i < ids.n; i++) {
        bool before = i > 0 && mask.data[i - 1];
        if (mask.data[i] && !before) rein_str_puts(&shown, "[");
        if (!mask.data[i] && before) rein_str_puts(&shown, "]");
        assert_ok(rein_tokenizer_decode(tok, &ids.data[i], 1, false, &shown));
    }
    if (ids.n && mask.data[ids.n - 1]) rein_str_puts(&shown, "]");
    assert_string_equal(shown.data, wanted);
    json_object_put(list);
    rein_ids_deinit(&ids);
    rein_str_deinit(&mask);
    rein_str_deinit(&shown);
}

#define TURNS                                                                                                          \
    "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a <|im_end|> b \"},"                 \
    "{\"role\":\"user\",\"content\":\"r\"},{\"role\":\"assistant\",\"content\":\"\"}]"

static void test_masks(void **state) {
    rein_tokenizer *tok = chatml_tokenizer(true), *bytes = chatml_tokenizer(false);
    rein_chat_template *t = make(CHATML), *bare = make("{% for m in messages %}{{ m.content }};{% endfor %}");
    (void)state;
    assert_masked(
        t, tok, TURNS, true,
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n[a <|im_end|> b <|im_end|>]\n<|im_start|>user\nr"
        "<|im_end|>\n<|im_start|>assistant\n[<|im_end|>]\n<|im_start|>assistant\n");
    /* a template or a vocabulary without end tokens: all of the turn is the assistant's */
    assert_masked(bare, tok, TURNS, false, "q;[a <|im_end|> b ;]r;[;]");
    assert_masked(t, bytes, "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"}]", false,
                  "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n[a<|im_end|>\n]");
    rein_chat_template_destroy(t);
    rein_chat_template_destroy(bare);
    rein_tokenizer_destroy(tok);
    rein_tokenizer_destroy(bytes);
}

/* A template that drops what it showed before; and conversations that begin with the assistant. */
static void test_rewritten_history(void **state) {
    rein_tokenizer *tok = chatml_tokenizer(true);
    rein_chat_template *t =
        make("{% for m in messages %}{% if m.role == 'user' or loop.last %}{{ m.content }};{% endif %}"
             "{% endfor %}");
    struct json_object *list = json(TURNS), *said = json("[{\"role\":\"assistant\",\"content\":\"x\"}]");
    rein_ids ids = {0};
    rein_str mask = {0};
    (void)state;
    assert_ok(rein_ids_push(&ids, 7));
    assert_fails_with(REIN_ERR_FORMAT, "messages[2]: with it the template changes the text before it from byte 2",
                      rein_chat_encode(&ids, &mask, t, tok, list, NULL, false, NULL));
    assert_fails_with(REIN_ERR_FORMAT, "messages[0] is the assistant's",
                      rein_chat_encode(&ids, &mask, t, tok, said, NULL, false, NULL));
    assert_int_equal(ids.n, 1);
    assert_int_equal(mask.len, 0);
    json_object_put(list);
    json_object_put(said);
    rein_ids_deinit(&ids);
    rein_str_deinit(&mask);
    rein_chat_template_destroy(t);
    rein_tokenizer_destroy(tok);
}

/* ---- inputs ---- */

static void assert_text(const rein_chat_template *t, const char *messages, const char *tools, const char *kwargs,
                        const char *wanted) {
    struct json_object *m = json(messages), *list = tools ? json(tools) : NULL, *k = kwargs ? json(kwargs) : NULL;
    rein_str out = {0};
    assert_ok(rein_chat_render(&out, NULL, t, m, list, false, k));
    assert_string_equal(out.data ? out.data : "", wanted);
    rein_str_deinit(&out);
    json_object_put(m);
    json_object_put(list);
    json_object_put(k);
}

static void test_messages(void **state) {
    rein_chat_template *t =
        make("{{ messages[0] | tojson }}{{ tools is none }}{{ eos_token }}{{ pad_token is defined }}"
             "{{ documents is none }}");
    (void)state;
    assert_text(
        t, "[{\"role\":\"a\",\"content\":null,\"reasoning\":\"r\"}]", NULL, NULL,
        "{\"thinking\": \"r\", \"role\": \"a\", \"reasoning\": \"r\", \"reasoning_content\": \"r\"}True<|im_end|>"
        "FalseTrue");
    assert_text(t, "[{\"thinking\":1,\"reasoning_content\":2}]", "[{}]", "{\"eos_token\":\"E\",\"pad_token\":\"P\"}",
                "{\"thinking\": 1, \"reasoning_content\": 2}FalseETrueTrue");
    rein_chat_template_destroy(t);
}

static void test_refused(void **state) {
    static const struct {
        const char *messages, *tools, *kwargs, *error;
    } cases[] = {
        {"[]", NULL, NULL, "at least one message"},
        {"{}", NULL, NULL, "at least one message"},
        {"[1]", NULL, NULL, "messages[0] is no object"},
        {"[{}]", "{}", NULL, "tools must be a list"},
        {"[{}]", "[\"f\"]", NULL, "tools[0] is no object"},
        {"[{}]", NULL, "[]", "kwargs must be an object"},
        {"[{}]", NULL, "{\"messages\":1}", "kwargs cannot hold 'messages'"},
        {"[{}]", NULL, NULL, "t:1: 'dict object' has no attribute 'content', in 'messages[0].content + 'x''"},
    };
    rein_chat_template *t = make("{{ messages[0].content + 'x' }}");
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        struct json_object *m = json(cases[i].messages), *tools = cases[i].tools ? json(cases[i].tools) : NULL,
                           *k = cases[i].kwargs ? json(cases[i].kwargs) : NULL;
        rein_str out = {0};
        assert_fails_with(REIN_ERR_FORMAT, cases[i].error, rein_chat_render(&out, NULL, t, m, tools, false, k));
        assert_int_equal(out.len, 0);
        rein_str_deinit(&out);
        json_object_put(m);
        json_object_put(tools);
        json_object_put(k);
    }
    rein_chat_template_destroy(t);
}

static void test_files(void **state) {
    static const char named[] =
        "{\"chat_template\":[{\"name\":\"default\",\"template\":\"D{{ bos_token }}\"},"
        "{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"rag\",\"template\":\"{% no %}\"}],"
        "\"bos_token\":\"B\"}";
    rein_chat_template *t;
    (void)state;
    assert_fails_with(REIN_ERR_IO, "neither chat_template.jinja nor", rein_model_text_need_chat(&t, *state, NULL));
    put_file(in_folder(state, "tokenizer_config.json"), named);
    assert_ok(rein_model_text_need_chat(&t, *state, NULL));
    assert_text(t, "[{}]", NULL, NULL, "DB");
    assert_text(t, "[{}]", "[]", NULL, "T");
    rein_chat_template_destroy(t);
    put_file(in_folder(state, "chat_template.jinja"), "F{{ bos_token }}");
    assert_ok(rein_model_text_need_chat(&t, *state, NULL));
    assert_text(t, "[{}]", "[]", NULL, "FB");
    rein_chat_template_destroy(t);
    put_file(in_folder(state, "chat_template.jinja"), "\n{% if %}");
    assert_fails_with(REIN_ERR_FORMAT, ":2: expected an expression", rein_model_text_need_chat(&t, *state, NULL));
}

typedef struct conversation {
    rein_tokenizer *tok;
    struct json_object *messages;
} conversation;

static rein_status encode_once(void *user) {
    const conversation *c = user;
    rein_chat_template *t = NULL;
    rein_ids ids = {0};
    rein_str mask = {0};
    rein_status status = rein_chat_template_create(&t, "t", CHATML, sizeof CHATML - 1, NULL, 0);
    if (status == REIN_OK) status = rein_chat_encode(&ids, &mask, t, c->tok, c->messages, NULL, false, NULL);
    rein_chat_template_destroy(t);
    rein_ids_deinit(&ids);
    rein_str_deinit(&mask);
    return status;
}

static void test_allocation_failures(void **state) {
    conversation c = {chatml_tokenizer(true), json(TURNS)};
    (void)state;
    refuse_each_allocation(encode_once, &c, 10);
    json_object_put(c.messages);
    rein_tokenizer_destroy(c.tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_rewritten_history),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_refused),
        cmocka_unit_test_setup_teardown(test_files, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
