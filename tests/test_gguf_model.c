/*
 * GGUF files wherever a model directory may stand: the sampler's numbers are the trainer's on quantised weights, with and
 * without an adapter; a killed QLoRA run resumes to the same bytes; a model is the same after a way through GGUF; and what
 * a chat run leaves behind can be evaluated. The committed golden of a real model is checked where its file lies.
 */
#include <math.h>

#include "base/json.h"
#include "gen/generate.h"
#include "io/export.h"
#include "io/model_text.h"
#include "model/leaf.h"
#include "model/lora.h"
#include "train/eval.h"
#include "train_jobs.h"

#define CHATML                                                                                                          \
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|endoftext|>\n{% endfor %}"                 \
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

static workshop shop;
static rein_device *dev;

static const char *at(const char *file) {
    static char path[4][JOB_PATH];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], JOB_PATH, "%s/%s", shop.dir, file);
    return path[next];
}

static void export_gguf(const char *to, const char *from, rein_dtype dtype) {
    rein_source *s;
    rein_export_options o = {.dtype = dtype};
    OK(rein_source_open(&s, from));
    OK(rein_export_gguf(to, s, &o));
    rein_source_close(s);
}

static void export_hf(const char *to, const char *from) {
    rein_source *s;
    rein_export_options o = {.keep_dtype = true};
    OK(rein_source_open(&s, from));
    OK(rein_export_hf(to, s, &o));
    rein_source_close(s);
}

/* All 256 bytes, so that any prompt has ids; rows of 32 k, as quantised blocks need them; a chat template. */
static void make_model(const char *dir) {
    static const char *const special[] = {"<|endoftext|>", "<|im_start|>"}, *const text = "say 0123456789 now";
    rein_bpe_options o = {.vocab_size = 260, .special = special, .n_special = 2, .full_byte_alphabet = true};
    rein_tokenizer *tok;
    rein_model *m;
    char path[JOB_PATH + 32];
    size_t len = strlen(text);
    OK(rein_tokenizer_train(&tok, &o, &text, &len, 1));
    rein_model_config cfg = {.family = REIN_FAMILY_LLAMA, .V = rein_tokenizer_vocab_size(tok), .C = 32, .L = 2, .H = 2,
                             .K = 1, .D = 16, .F = 64, .max_position_embeddings = 4096, .rms_norm_eps = 1e-6,
                             .rope_theta = 10000, .initializer_range = 0.2, .bos_id = -1, .pad_id = -1, .n_eos = 1};
    OK(rein_model_create(&m, &cfg, dev, 0));
    rein_model_init(m, 11);
    OK(rein_mkdirs(dir));
    OK(rein_model_save(m, dir));
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    OK(rein_tokenizer_save(tok, path));
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    write_text(path, "{\"eos_token\":\"<|endoftext|>\"}");
    snprintf(path, sizeof path, "%s/chat_template.jinja", dir);
    write_text(path, CHATML);
    rein_model_destroy(m);
    rein_tokenizer_destroy(tok);
}

/* The jobs' model is a GGUF file of Q8_0. */
static int set_up(void **state) {
    (void)state;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    workshop_make(&shop);
    OK(rein_remove_tree(at("model")));
    make_model(at("hf"));
    export_gguf(at("model"), at("hf"), REIN_Q8_0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rein_device_close(dev);
    return rein_remove_tree(shop.dir) != REIN_OK;
}

/* ---- log-probs ---- */

/* Log-prob of each id but the first, a span alone. */
static float *logprobs(const rein_model *m, const int32_t *ids, int64_t n) {
    rein_forest forest = {0};
    rein_forest_plan plan;
    rein_leaf leaf;
    rein_leaf_sampling how = {.temperature = 1};
    float *logp;
    uint8_t *want;
    OK(rein_alloc(&logp, n, sizeof *logp));
    OK(rein_alloc(&want, n, 1));
    memset(want + 1, 1, (size_t)n - 1);
    OK(rein_forest_add(&forest, -1, ids, want, n, NULL));
    OK(rein_forest_plan_make(&plan, &forest, 0));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &forest, &plan, &how));
    OK(rein_leaf_forward(&leaf, 0, &(rein_leaf_values){.logp = logp}));
    rein_leaf_deinit(&leaf);
    rein_forest_plan_deinit(&plan);
    rein_forest_deinit(&forest);
    rein_free(want);
    return logp;
}

static void check_sampler(const rein_model *m) {
    enum { PROMPT = 9, NEW = 12, GROUP = 5, ALL = PROMPT + NEW };
    int32_t ids[ALL];
    rein_gen gen;
    for (int32_t i = 0; i < PROMPT; i++) ids[i] = 5 + 7 * i;
    rein_gen_prompt prompt = {ids, PROMPT, 3, GROUP};
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .max_new_tokens = NEW, .max_batch = 3, .seed = 5,
                          .stream = REIN_STREAM_SAMPLE};
    OK(rein_generate(&gen, m, &prompt, 1, &o, NULL, NULL));
    for (int64_t q = 0; q < GROUP; q++) {
        assert_int_equal(gen.seq[q].n, NEW);
        memcpy(ids + PROMPT, gen.seq[q].ids, sizeof(int32_t) * NEW);
        float *logp = logprobs(m, ids, ALL);
        assert_true(logp[PROMPT] < 0);
        assert_memory_equal(logp + PROMPT, gen.seq[q].logp, sizeof(float) * NEW);
        rein_free(logp);
    }
    rein_gen_deinit(&gen);
}

static void the_sampler_is_the_trainer(void **state) {
    (void)state;
    const char *const path[] = {at("model"), at("bf16.gguf"), "golden/gguf/bpe.gguf", "golden/models/llama-bf16"};
    rein_lora_config lora = rein_lora_config_default();
    rein_model *m;
    export_gguf(path[1], at("hf"), REIN_BF16);
    for (size_t i = 0; i < REIN_COUNT(path); i++) {
        OK(rein_model_load(&m, path[i], dev, &(rein_model_options){.frozen = true}));
        assert_int_equal(m->n_float, 0);
        if (i == 0) assert_int_equal(m->layer[0].o.part[0].w.dtype, REIN_Q8_0);
        check_sampler(m);
        rein_model_destroy(m);
        OK(rein_model_load(&m, path[i], dev, &(rein_model_options){.lora = &lora, .seed = 3}));
        for (int64_t k = 0; k < m->n_float; k++) m->w[k] += 0.01f * (float)(k % 7); /* B is zero in a new one */
        rein_model_pack(m);
        check_sampler(m);
        rein_model_destroy(m);
    }
}

static void a_way_through_gguf_changes_no_bit(void **state) {
    (void)state;
    enum { N = 40 };
    int32_t ids[N];
    float *first = NULL;
    const char *const path[] = {at("hf"), at("f32.gguf"), at("hf2")};
    export_gguf(path[1], path[0], REIN_F32);
    export_hf(path[2], path[1]);
    for (int32_t i = 0; i < N; i++) ids[i] = (31 * i + 7) % 258;
    for (size_t i = 0; i < REIN_COUNT(path); i++)
        for (int frozen = 0; frozen < 2; frozen++) {
            rein_model *m;
            OK(rein_model_load(&m, path[i], dev, &(rein_model_options){.frozen = frozen}));
            float *logp = logprobs(m, ids, N);
            if (first) assert_memory_equal(logp, first, sizeof(float) * N);
            if (first) rein_free(logp);
            else first = logp;
            rein_model_destroy(m);
        }
    rein_free(first);
}

/* ---- runs ---- */

static job qlora(const char *name) {
    return (job){.shop = &shop, .grpo = true, .name = name,
                 .extra = {"use_peft=true", "lora_r=4", "max_steps=3", "save_steps=1", "chat=true", "max_completion_length=40"}};
}

static void a_killed_qlora_run_resumes_to_the_same(void **state) {
    (void)state;
    static const char *const file[] = {"metrics.jsonl", "commits.jsonl", "checkpoint-3/adapter_model.safetensors",
                                       "checkpoint-3/optimizer_m.safetensors", "checkpoint-3/chat_template.jinja"};
    job base = qlora("qlora"), killed = qlora("qlora-killed");
    OK(job_run(&base));
    for (int64_t step = 1; step <= 3; step++) {
        assert_true(metric(&base, "ratio/max_deviation", step) == 0);
        assert_true(metric(&base, "grad_norm", step) > 0);
    }
    killed.die_at = 2;
    killed.threads = 2;
    assert_int_equal(job_wait(job_spawn(&killed)), -1);
    killed.die_at = 0;
    killed.resume = true;
    OK(job_run(&killed));
    for (size_t i = 0; i < REIN_COUNT(file); i++) same_file(&base, &killed, file[i]);
}

static void same_text(const char *dir, const char *file, const char *wanted) {
    rein_str text = {0};
    bool found;
    OK(rein_model_text_file(&text, &found, dir, file));
    assert_true(found);
    assert_string_equal(text.data, wanted);
    rein_str_deinit(&text);
}

/* An adapter on Q8_0 and a trained f32 copy of it, as conversations with a system's message. */
static void a_chat_run_evaluates(void **state) {
    (void)state;
    job lora = qlora("chat-lora"), full = {.shop = &shop, .grpo = true, .name = "chat-full",
                                           .extra = {"max_steps=3", "chat=true"}};
    OK(job_run(&lora));
    OK(job_run(&full));
    const char *const name[] = {"lora", "full", "start"}, *const path[] = {at(lora.name), at(full.name), at("model")};
    same_text(at("chat-full/checkpoint-3"), "chat_template.jinja", CHATML);
    rein_evaluation e;
    rein_eval_args args = {.env = "control", .name = name, .path = path, .n_model = 3, .split = REIN_SPLIT_EVAL,
                           .cases = 2, .num_samples = 1, .max_new_tokens = 4, .batch = 4, .seed = 1,
                           .chat = {.chat = true, .system_prompt = "be brief"}};
    OK(rein_evaluate(&e, &args, dev, NULL, NULL));
    rein_evaluation_deinit(&e);
}

static void texts_are_found(void **state) {
    (void)state;
    rein_tokenizer *tok;
    rein_chat_template *chat;
    job lora = qlora("texts");
    OK(job_run(&lora));
    const char *adapter = at("texts/checkpoint-3");
    OK(rein_remove_tree(at("texts/checkpoint-3/tokenizer.json")));
    OK(rein_remove_tree(at("texts/checkpoint-3/chat_template.jinja")));
    OK(rein_model_text_tokenizer(&tok, adapter, NULL)); /* its base's */
    assert_int_equal(rein_tokenizer_id(tok, "<|im_start|>", 12), 1);
    rein_tokenizer_destroy(tok);
    OK(rein_model_text_chat(&chat, adapter, at("hf"))); /* the named base's */
    assert_non_null(chat);
    rein_chat_template_destroy(chat);
    OK(rein_model_text_chat(&chat, "golden/models/llama-tied", NULL));
    assert_null(chat);
    FAILS_WITH(REIN_ERR_IO, rein_model_text_need_chat(&chat, "golden/models/llama-tied", NULL));
    FAILS_WITH(REIN_ERR_IO, rein_model_text_tokenizer(&tok, "golden/none", NULL));
    FAILS_WITH(REIN_ERR_FORMAT, rein_model_text_tokenizer(&tok, "golden/models/llama-tied/config.json", NULL));
}

static void assert_note(const job *j, const char *name, const char *wanted) {
    rein_rundir *run;
    rein_arena arena = {0};
    const char *note;
    char path[JOB_PATH];
    job_path(path, j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_read_note(run, &arena, name, &note));
    assert_string_equal(note, wanted);
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
}

static void the_length_of_dynamic_frequencies_is_recorded(void **state) {
    (void)state;
    rein_model_config cfg = {0};
    workshop other = {0};
    snprintf(other.dir, sizeof other.dir, "%s", at("dynamic"));
    char path[JOB_PATH];
    snprintf(path, sizeof path, "%s/model", other.dir);
    make_model(path);
    OK(rein_model_config_load(&cfg, path));
    cfg.rope_scaling = REIN_ROPE_DYNAMIC;
    cfg.rope_factor = 2;
    OK(rein_model_config_save(&cfg, path));
    job j = {.shop = &other, .grpo = true, .name = "long", .extra = {"max_steps=1", "max_model_length=8192"}},
        usual = {.shop = &other, .grpo = true, .name = "usual", .extra = {"max_steps=1"}};
    OK(job_run(&j));
    OK(job_run(&usual));
    char base[40];
    /* transformers' dynamic: theta (factor n / max - (factor - 1)) ^ (D / (D - 2)) */
    snprintf(base, sizeof base, "%.12g", 10000 * pow(3, 16.0 / 14));
    assert_note(&j, "model.positions", "8192");
    assert_note(&usual, "model.positions", "4096");
    assert_note(&usual, "model.rope_base", "10000");
    rein_rundir *run;
    rein_arena arena = {0};
    const char *note;
    char mine[40];
    job_path(path, &j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_read_note(run, &arena, "model.rope_base", &note));
    snprintf(mine, sizeof mine, "%.12g", atof(note));
    assert_string_equal(mine, base);
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
}

/* ---- a real model ---- */

static int64_t list_of(int32_t *ids, struct json_object *row, const char *key) {
    struct json_object *list = json_object_object_get(row, key);
    int64_t n = (int64_t)json_object_array_length(list);
    for (int64_t i = 0; i < n; i++) ids[i] = json_object_get_int(json_object_array_get_idx(list, (size_t)i));
    return n;
}

static double number_at(struct json_object *row, const char *key, int64_t i) {
    return json_object_get_double(json_object_array_get_idx(json_object_object_get(row, key), (size_t)i));
}

static void greedy(rein_gen *gen, const rein_model *m, const int32_t *ids, int64_t n, int64_t most, bool ends) {
    int32_t eos = (int32_t)m->cfg.eos_id[0];
    rein_gen_prompt prompt = {ids, n, 0, 1};
    rein_gen_options o = {.sampling = {.top_p = 1}, .max_new_tokens = most, .max_batch = 1, .eos = &eos, .n_eos = ends};
    OK(rein_generate(gen, m, &prompt, 1, &o, NULL, NULL));
}

static void check_case(const rein_model *m, const rein_tokenizer *tok, struct json_object *row) {
    enum { MOST = 512 };
    int32_t ids[MOST], wanted[MOST];
    const char *text;
    size_t len;
    rein_ids mine = {0};
    rein_gen gen;
    double sum = 0;
    int64_t n = list_of(ids, row, "ids");
    OK(rein_json_string(&text, &len, row, "text"));
    OK(rein_tokenizer_encode(tok, text, len, &mine));
    assert_int_equal(mine.n, n);
    assert_memory_equal(mine.data, ids, sizeof(int32_t) * (size_t)n);
    float *logp = logprobs(m, ids, n);
    for (int64_t i = 1; i < n; i++) {
        assert_true(fabs((double)logp[i] - number_at(row, "logp", i - 1)) <= 5e-4);
        sum -= (double)logp[i];
    }
    assert_true(fabs(sum - json_object_get_double(json_object_object_get(row, "nll_sum"))) <= 5e-3);
    int64_t most = list_of(wanted, row, "greedy");
    greedy(&gen, m, ids, n, most, false);
    for (int64_t i = 0; i < most && number_at(row, "greedy_margins", i) > 1e-2; i++)
        assert_int_equal(gen.seq[0].ids[i], wanted[i]);
    rein_gen_deinit(&gen);
    rein_free(logp);
    rein_ids_deinit(&mine);
}

static void check_capital(const rein_model *m, const rein_tokenizer *tok, const char *path) {
    rein_chat_template *chat;
    rein_str prompt = {0}, answer = {0};
    rein_ids ids = {0};
    rein_gen gen;
    struct json_object *messages = json_tokener_parse("[{\"role\":\"user\",\"content\":\"What is the capital of France?\"}]");
    OK(rein_model_text_need_chat(&chat, path, NULL));
    OK(rein_chat_render(&prompt, NULL, chat, messages, NULL, true, NULL));
    OK(rein_tokenizer_encode(tok, prompt.data, prompt.len, &ids));
    greedy(&gen, m, ids.data, ids.n, 24, true);
    OK(rein_tokenizer_decode(tok, gen.seq[0].ids, gen.seq[0].n, true, &answer));
    if (!strstr(answer.data, "Paris")) fail_msg("'%s'", answer.data);
    rein_gen_deinit(&gen);
    rein_ids_deinit(&ids);
    rein_str_deinit(&prompt);
    rein_str_deinit(&answer);
    rein_chat_template_destroy(chat);
    json_object_put(messages);
}

/* Values of transformers with the same weights as float32; tests/ is where CTest starts. */
static void smollm2_is_as_transformers_has_it(void **state) {
    static const char path[] = "../models/SmolLM2-135M-Instruct.gguf";
    struct json_object *doc, *cases;
    rein_model *m;
    rein_tokenizer *tok;
    (void)state;
    if (!rein_path_exists(path)) {
        print_message("%s is not here (tools/fetch-smollm2 gets it)\n", path);
        skip();
    }
    OK(rein_json_load(&doc, "golden/smol/smollm2-135m.json"));
    OK(rein_json_array(&cases, doc, "cases"));
    OK(rein_model_load(&m, path, dev, &(rein_model_options){.frozen = true}));
    OK(rein_model_text_tokenizer(&tok, path, NULL));
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        check_case(m, tok, json_object_array_get_idx(cases, i));
    check_capital(m, tok, path);
    rein_tokenizer_destroy(tok);
    rein_model_destroy(m);
    json_object_put(doc);
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sampler_is_the_trainer),
        cmocka_unit_test(a_way_through_gguf_changes_no_bit),
        cmocka_unit_test(a_killed_qlora_run_resumes_to_the_same),
        cmocka_unit_test(a_chat_run_evaluates),
        cmocka_unit_test(texts_are_found),
        cmocka_unit_test(the_length_of_dynamic_frequencies_is_recorded),
        cmocka_unit_test(smollm2_is_as_transformers_has_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
