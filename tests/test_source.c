/* A model is the same whatever its format: HF directory to GGUF and back, and GGUF files of other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "folder.h"
#include "io/export.h"
#include "io/gguf.h"
#include "io/source.h"
#include "testing.h"
#include "text/tokenizer.h"

static void assert_same_file(const char *a, const char *b) {
    rein_str x = {0}, y = {0};
    OK(rein_file_read(&x, a));
    OK(rein_file_read(&y, b));
    if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0) fail_msg("%s and %s differ", a, b);
    rein_str_deinit(&x);
    rein_str_deinit(&y);
}

static float *widened(const rein_tensor_view *v) {
    float *values;
    OK(rein_alloc(&values, v->n, sizeof *values));
    OK(rein_tensor_to_f32(values, v));
    return values;
}

/* Names, shapes and values, not dtypes. */
static void assert_same_tensors(const rein_source *a, const rein_source *b) {
    assert_int_equal(rein_source_count(a), rein_source_count(b));
    for (int64_t i = 0; i < rein_source_count(a); i++) {
        const rein_tensor_view *x = rein_source_at(a, i), *y = rein_source_at(b, i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->n_dim, y->n_dim);
        assert_memory_equal(x->shape, y->shape, (size_t)x->n_dim * sizeof *x->shape);
        float *p = widened(x), *q = widened(y);
        if (memcmp(p, q, (size_t)x->n * sizeof *p) != 0) fail_msg("tensor %s differs", x->name);
        rein_free(p);
        rein_free(q);
        assert_ptr_equal(rein_source_find(a, x->name), x);
    }
}

static void assert_same_config(const rein_source *a, const rein_source *b) {
    rein_str x = {0}, y = {0};
    OK(rein_model_config_write(&x, rein_source_config(a)));
    OK(rein_model_config_write(&y, rein_source_config(b)));
    assert_string_equal(x.data, y.data);
    rein_str_deinit(&x);
    rein_str_deinit(&y);
}

static const rein_export_options keep = {.keep_dtype = true};

/* ---- there and back ---- */

static const char *const models[] = {"llama-bf16", "llama-tied",   "llama3-rope", "qwen2",
                                     "qwen3",      "qwen3-untied", "smollm-like"};

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(models); i++) {
        char dir[64], name[64], file[192], golden[192];
        rein_source *hf, *gguf, *back;
        snprintf(dir, sizeof dir, "golden/models/%s", models[i]);
        snprintf(name, sizeof name, "%s.gguf", models[i]);
        OK(rein_source_open(&hf, dir));
        assert_null(rein_source_gguf(hf));
        OK(rein_export_gguf(in_folder(name), hf, &keep));
        OK(rein_source_open(&gguf, in_folder(name)));
        assert_non_null(rein_source_gguf(gguf));
        assert_same_tensors(hf, gguf);
        assert_same_config(hf, gguf);
        OK(rein_export_hf(in_folder(models[i]), gguf, &keep));
        OK(rein_source_open(&back, in_folder(models[i])));
        assert_same_tensors(hf, back);
        assert_same_config(hf, back);
        snprintf(file, sizeof file, "%s/model.safetensors", in_folder(models[i]));
        snprintf(golden, sizeof golden, "%s/model.safetensors", dir);
        if (rein_source_config(hf)->dtype == REIN_F32 && rein_path_exists(golden)) assert_same_file(file, golden);
        rein_source_close(hf);
        rein_source_close(gguf);
        rein_source_close(back);
    }
}

/* ---- families and rotary scalings that have a model of no other test ---- */

/* The weights of llama-tied with another family and another member of config.json. */
static void make_model(const char *name, const char *model_type, const char *architecture, const char *member) {
    rein_str text = {0}, weights = {0};
    char path[300];
    rein_str_printf(
        &text,
        "{\"architectures\":[\"%s\"],\"model_type\":\"%s\",\"hidden_size\":48,\"intermediate_size\":80,"
        "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":12,"
        "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-05,\"rope_theta\":10000.0,\"hidden_act\":\"silu\","
        "\"tie_word_embeddings\":true,\"vocab_size\":384,\"eos_token_id\":[2,3],\"torch_dtype\":\"float32\",%s}",
        architecture, model_type, member);
    OK(rein_mkdirs(in_folder(name)));
    OK(rein_file_read(&weights, "golden/models/llama-tied/model.safetensors"));
    snprintf(path, sizeof path, "%s/model.safetensors", in_folder(name));
    OK(rein_file_write(path, weights.data, weights.len));
    snprintf(path, sizeof path, "%s/config.json", in_folder(name));
    OK(rein_file_write(path, text.data, text.len));
    rein_str_deinit(&weights);
    rein_str_deinit(&text);
}

static void test_families(void **state) {
    (void)state;
    static const struct {
        const char *model_type, *architecture, *member;
    } cases[] = {
        {"smollm3", "SmolLM3ForCausalLM", "\"no_rope_layer_interval\":4,\"use_sliding_window\":false"},
        {"llama", "LlamaForCausalLM", "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":4.0}"},
        {"llama", "LlamaForCausalLM",
         "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":16}"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char name[32], file[32];
        rein_source *hf, *gguf;
        snprintf(name, sizeof name, "family-%zu", i);
        snprintf(file, sizeof file, "family-%zu.gguf", i);
        make_model(name, cases[i].model_type, cases[i].architecture, cases[i].member);
        OK(rein_source_open(&hf, in_folder(name)));
        OK(rein_export_gguf(in_folder(file), hf, &keep));
        OK(rein_source_open(&gguf, in_folder(file)));
        assert_same_tensors(hf, gguf);
        assert_same_config(hf, gguf);
        rein_source_close(gguf);
        rein_source_close(hf);
    }
}

static void refuse_export(const char *name, const char *model_type, const char *architecture, const char *member,
                          const char *part) {
    rein_source *hf;
    make_model(name, model_type, architecture, member);
    OK(rein_source_open(&hf, in_folder(name)));
    assert_fails(rein_export_gguf(in_folder("refused-family.gguf"), hf, &keep), REIN_ERR_FORMAT, part);
    assert_false(rein_path_exists(in_folder("refused-family.gguf")));
    rein_source_close(hf);
}

/* What a GGUF file cannot say is never left out of one. */
static void test_families_without_form(void **state) {
    (void)state;
    refuse_export("window", "mistral", "MistralForCausalLM", "\"sliding_window\":8", "sliding window of 8");
    refuse_export("no-rope", "smollm3", "SmolLM3ForCausalLM", "\"no_rope_layers\":[1,0],\"use_sliding_window\":false",
                  "layer 1 has no rotary embedding");
    refuse_export("dynamic", "llama", "LlamaForCausalLM", "\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2.0}",
                  "no form in GGUF");
    refuse_export("yarn", "llama", "LlamaForCausalLM",
                  "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"beta_fast\":16.0,"
                  "\"original_max_position_embeddings\":16}",
                  "rope_type yarn");
}

/* Rows of q in the file are where llama.cpp looks for them: row h D + 2 j + s is row h D + s D/2 + j of the model. */
static void test_permutation(void **state) {
    (void)state;
    rein_source *hf;
    rein_gguf *g;
    OK(rein_source_open(&hf, "golden/models/llama-tied"));
    OK(rein_export_gguf(in_folder("permuted.gguf"), hf, &keep));
    OK(rein_gguf_open(&g, in_folder("permuted.gguf")));
    const rein_tensor_view *a = rein_source_find(hf, "model.layers.1.self_attn.k_proj.weight");
    const rein_tensor_view *b = rein_gguf_find(g, "blk.1.attn_k.weight");
    const char *x = a->data, *y = b->data;
    int64_t D = 12, row = 48 * (int64_t)sizeof(float);
    for (int64_t h = 0; h < 2; h++)
        for (int64_t s = 0; s < 2; s++)
            for (int64_t j = 0; j < D / 2; j++)
                assert_memory_equal(y + (h * D + 2 * j + s) * row, x + (h * D + s * D / 2 + j) * row, (size_t)row);
    assert_memory_equal(rein_gguf_find(g, "blk.1.attn_v.weight")->data,
                        rein_source_find(hf, "model.layers.1.self_attn.v_proj.weight")->data, (size_t)(24 * row));
    rein_gguf_close(g);
    rein_source_close(hf);
}

static void test_dtypes(void **state) {
    (void)state;
    static const rein_dtype dtypes[] = {REIN_F32, REIN_F16, REIN_BF16, REIN_Q8_0};
    rein_source *hf, *gguf;
    OK(rein_source_open(&hf, "golden/models/llama3-rope")); /* width 32 and 64: whole blocks but for down */
    for (size_t i = 0; i < 3; i++) {
        rein_export_options o = {.dtype = dtypes[i]};
        char name[32];
        snprintf(name, sizeof name, "dtype-%zu.gguf", i);
        OK(rein_export_gguf(in_folder(name), hf, &o));
        OK(rein_source_open(&gguf, in_folder(name)));
        assert_int_equal(rein_source_find(gguf, "model.embed_tokens.weight")->dtype, dtypes[i]);
        assert_int_equal(rein_source_find(gguf, "model.norm.weight")->dtype, REIN_F32);
        rein_source_close(gguf);
    }
    rein_export_options q8 = {.dtype = REIN_Q8_0};
    assert_fails(rein_export_gguf(in_folder("q8.gguf"), hf, &q8), REIN_ERR_ARG, "blk.0.ffn_down.weight");
    assert_fails(rein_export_hf(in_folder("q8"), hf, &q8), REIN_ERR_ARG, "cannot hold Q8_0");
    assert_false(rein_path_exists(in_folder("q8")));
    rein_source_close(hf);
}

static void test_nothing_is_overwritten(void **state) {
    (void)state;
    rein_source *hf;
    OK(rein_source_open(&hf, "golden/models/smollm-like"));
    OK(rein_mkdirs(in_folder("there")));
    OK(rein_file_write(in_folder("there.gguf"), "x", 1));
    assert_fails(rein_export_hf(in_folder("there"), hf, &keep), REIN_ERR_IO, "nothing is overwritten");
    assert_fails(rein_export_gguf(in_folder("there.gguf"), hf, &keep), REIN_ERR_IO, "nothing is overwritten");
    rein_source_close(hf);
}

static void test_shards_and_card(void **state) {
    (void)state;
    static const rein_card_figure figures[] = {{"control, step 9, model: success rate", 0.75, 0.5, 0.875, 16}};
    rein_export_options o = {.dtype = REIN_BF16, .max_bytes = 20000, .figures = figures, .n_figures = 1};
    rein_source *hf, *back;
    rein_str card = {0};
    char path[300], sha256[REIN_SHA256_HEX];
    OK(rein_source_open(&hf, "golden/models/smollm-like"));
    OK(rein_export_hf(in_folder("shards/"), hf, &o));
    OK(rein_source_open(&back, in_folder("shards")));
    assert_int_equal(rein_source_count(back), rein_source_count(hf));
    assert_int_equal(rein_source_config(back)->dtype, REIN_BF16);
    int64_t files = 0, bytes;
    const char *file;
    while ((file = rein_source_file(back, files, &bytes))) {
        assert_true(bytes < 20000 + 36 * 384 * 2 + 8192);
        files++;
    }
    assert_true(files > 3);
    snprintf(path, sizeof path, "%s/README.md", in_folder("shards"));
    OK(rein_file_read(&card, path));
    OK(rein_sha256_file(sha256, rein_source_file(back, 1, &bytes)));
    assert_non_null(strstr(card.data, sha256));
    OK(rein_sha256_file(sha256, "golden/models/smollm-like/model.safetensors"));
    assert_non_null(strstr(card.data, sha256));
    assert_non_null(strstr(card.data, "| control, step 9, model: success rate | 0.75 | 0.5 to 0.875 | 16 |"));
    assert_non_null(strstr(card.data, "# shards\n"));
    assert_null(strstr(card.data, "/tmp"));
    rein_str_deinit(&card);
    rein_source_close(back);
    rein_source_close(hf);
}

/* ---- a file that another program wrote ---- */

static void test_foreign_tensors(void **state) {
    (void)state;
    rein_source *s;
    rein_tensors *t;
    OK(rein_source_open(&s, "golden/gguf/bpe.gguf"));
    OK(rein_tensors_open(&t, "golden/gguf/bpe.safetensors"));
    assert_int_equal(rein_source_count(s), rein_tensors_count(t));
    for (int64_t i = 0; i < rein_tensors_count(t); i++) {
        const rein_tensor_view *wanted = rein_tensors_at(t, i), *found = rein_source_at(s, i);
        assert_string_equal(found->name, wanted->name);
        assert_int_equal(found->n, wanted->n);
        float *values = widened(found);
        if (memcmp(values, wanted->data, (size_t)wanted->n * sizeof *values) != 0)
            fail_msg("tensor %s (%s) differs", found->name, rein_dtype_name(found->dtype));
        rein_free(values);
    }
    const rein_model_config *c = rein_source_config(s);
    assert_int_equal(c->family, REIN_FAMILY_LLAMA);
    assert_int_equal(c->C, 32);
    assert_int_equal(c->H, 4);
    assert_int_equal(c->K, 2);
    assert_int_equal(c->D, 8);
    assert_true(c->rope_theta == 50000 && c->rms_norm_eps == 1e-5);
    assert_true(c->tie_word_embeddings && !c->qkv_bias);
    assert_int_equal(c->bos_id, 1);
    assert_int_equal(c->eos_id[0], 2);
    rein_tensors_close(t);
    rein_source_close(s);
}

static rein_status check_row(void *user, int64_t line, struct json_object *row) {
    const rein_tokenizer *tok = user;
    struct json_object *wanted;
    rein_ids ids = {0};
    const char *text;
    size_t len;
    OK(rein_json_string(&text, &len, row, "text"));
    OK(rein_json_array(&wanted, row, "ids"));
    OK(rein_tokenizer_encode(tok, text, len, &ids));
    if (ids.n != (int64_t)json_object_array_length(wanted))
        fail_msg("line %lld: %lld ids", (long long)line, (long long)ids.n);
    for (int64_t i = 0; i < ids.n; i++)
        assert_int_equal(ids.data[i], json_object_get_int64(json_object_array_get_idx(wanted, (size_t)i)));
    rein_ids_deinit(&ids);
    return REIN_OK;
}

static void test_foreign_tokenizer(void **state) {
    (void)state;
    rein_source *s;
    rein_tokenizer *tok;
    const char *text, *again;
    size_t len;
    OK(rein_source_open(&s, "golden/gguf/bpe.gguf"));
    OK(rein_source_text(s, "tokenizer.json", &text, &len));
    OK(rein_tokenizer_parse(&tok, "bpe.gguf", text, len));
    OK(rein_jsonl_each("golden/gguf/bpe.jsonl", check_row, tok));
    assert_int_equal(rein_tokenizer_vocab_size(tok), 285); /* two rows of the embedding have no token */
    assert_true(rein_tokenizer_is_special(tok, 2));
    rein_tokenizer_destroy(tok);
    OK(rein_source_text(s, "tokenizer.json", &again, &len));
    assert_ptr_equal(again, text);
    OK(rein_source_text(s, "chat_template.jinja", &text, &len));
    assert_string_equal(text, "{% for m in messages %}{{ m['content'] }}{% endfor %}");
    OK(rein_source_text(s, "special_tokens_map.json", &text, &len));
    assert_string_equal(text, "{\n  \"bos_token\": \"<|im_start|>\",\n  \"eos_token\": \"<|im_end|>\",\n"
                              "  \"pad_token\": \"<|im_end|>\",\n  \"unk_token\": \"<|endoftext|>\"\n}\n");
    OK(rein_source_text(s, "vocab.txt", &text, &len));
    assert_null(text);
    rein_source_close(s);
}

/* Our tables equal the other program's, and tokenizer.json comes back byte for byte. */
static void test_tokenizer_round_trip(void **state) {
    (void)state;
    static const char *const keys[] = {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
                                       "tokenizer.ggml.pre", "tokenizer.chat_template"};
    rein_source *s, *hf, *back;
    const char *x, *y;
    size_t n, m;
    OK(rein_source_open(&s, "golden/gguf/bpe.gguf"));
    OK(rein_export_hf(in_folder("bpe"), s, &keep));
    OK(rein_source_open(&hf, in_folder("bpe")));
    OK(rein_export_gguf(in_folder("bpe.gguf"), hf, &keep));
    OK(rein_source_open(&back, in_folder("bpe.gguf")));
    for (size_t i = 0; i < REIN_COUNT(keys); i++) {
        const rein_gguf_value *a = rein_gguf_value_find(rein_source_gguf(s), keys[i]);
        const rein_gguf_value *b = rein_gguf_value_find(rein_source_gguf(back), keys[i]);
        assert_non_null(b);
        assert_int_equal(a->n, b->n);
        const unsigned char *p = a->data, *q = b->data;
        for (int64_t k = 0; k < a->n; k++) {
            if (a->type != REIN_GGUF_STRING) {
                assert_int_equal(rein_gguf_value_int(a, k), rein_gguf_value_int(b, k));
                continue;
            }
            rein_gguf_next_string(&x, &n, &p);
            rein_gguf_next_string(&y, &m, &q);
            assert_int_equal(n, m);
            assert_memory_equal(x, y, n);
        }
    }
    OK(rein_source_text(s, "tokenizer.json", &x, &n));
    OK(rein_source_text(back, "tokenizer.json", &y, &m));
    assert_string_equal(x, y);
    OK(rein_source_text(s, "tokenizer_config.json", &x, &n));
    OK(rein_source_text(back, "tokenizer_config.json", &y, &m));
    assert_string_equal(x, y);
    assert_same_tensors(s, back);
    rein_source_close(back);
    rein_source_close(hf);
    rein_source_close(s);
}

/* As tokenizers reads the same text (0.23.3): pieces with their space, bytes where there is no piece. */
static void check_pieces(const char *json, size_t len) {
    static const char text[] = "the cat \xC3\xA9\xE6\x97\xA5";
    static const char *const wanted[] = {"\xE2\x96\x81the",
                                         "\xE2\x96\x81"
                                         "cat",
                                         "\xE2\x96\x81",
                                         "\xC3\xA9",
                                         "<0xE6>",
                                         "<0x97>",
                                         "<0xA5>"};
    rein_tokenizer *tok;
    rein_ids ids = {0};
    rein_str back = {0};
    OK(rein_tokenizer_parse(&tok, "spm.gguf", json, len));
    OK(rein_tokenizer_encode(tok, text, sizeof text - 1, &ids));
    assert_int_equal(ids.n, REIN_COUNT(wanted));
    for (size_t i = 0; i < REIN_COUNT(wanted); i++)
        assert_int_equal(ids.data[i], rein_tokenizer_id(tok, wanted[i], strlen(wanted[i])));
    OK(rein_tokenizer_decode(tok, ids.data, ids.n, false, &back));
    assert_string_equal(back.data, text);
    rein_str_deinit(&back);
    rein_ids_deinit(&ids);
    rein_tokenizer_destroy(tok);
}

/* Merges made of scores, in transformers' order. */
static void test_sentence_piece(void **state) {
    (void)state;
    rein_source *s;
    struct json_object *found, *wanted, *model, *a, *b;
    const char *text;
    size_t len;
    OK(rein_source_open(&s, "golden/gguf/spm.gguf"));
    OK(rein_source_text(s, "tokenizer.json", &text, &len));
    OK(rein_json_parse(&found, "spm.gguf", text, len));
    OK(rein_json_load(&wanted, "golden/gguf/spm.json"));
    OK(rein_json_object(&model, found, "model"));
    static const char *const members[] = {"merges", "vocab"};
    for (size_t i = 0; i < REIN_COUNT(members); i++) {
        assert_true(json_object_object_get_ex(model, members[i], &a));
        assert_true(json_object_object_get_ex(wanted, members[i], &b));
        assert_true(json_object_equal(a, b));
    }
    assert_non_null(strstr(text, "{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"}"));
    json_object_put(found);
    json_object_put(wanted);
    check_pieces(text, len);
    rein_source_close(s);
}

/* ---- what rein does not have is named ---- */

static void refuse(const char *from, const char *to, const char *part) {
    rein_str file = {0};
    rein_source *s;
    const char *text;
    size_t n = strlen(from), at = 0, len;
    assert_int_equal(n, strlen(to));
    OK(rein_file_read(&file, "golden/gguf/bpe.gguf"));
    while (at + n <= file.len && memcmp(file.data + at, from, n) != 0) at++;
    assert_true(at + n <= file.len);
    memcpy(file.data + at, to, n);
    OK(rein_file_write(in_folder("refused.gguf"), file.data, file.len));
    rein_status status = rein_source_open(&s, in_folder("refused.gguf"));
    if (status == REIN_OK) {
        status = rein_source_text(s, "tokenizer.json", &text, &len);
        rein_source_close(s);
    }
    assert_fails(status, REIN_ERR_FORMAT, part);
    assert_non_null(strstr(rein_error_message(), "refused.gguf"));
    rein_str_deinit(&file);
}

static void test_unknown_is_named(void **state) {
    (void)state;
    refuse("llama", "llamb", "'general.architecture' is 'llamb'");
    refuse("blk.0.attn_v.weight", "blk.0.attn_w.weight", "tensor 'blk.0.attn_w.weight'");
    refuse("blk.0.attn_v.weight", "blk.1.attn_v.weight", "of 1 layers");
    refuse("llama.rope.freq_base", "llama.rope.freq_bass", "key 'llama.rope.freq_bass' at byte");
    refuse("llama.context_length", "other.context_length", "'llama.context_length' is missing");
    refuse("token_embd.weight", "token_embx.weight", "'token_embd.weight' is missing");
    refuse("smollm", "smolln", "'tokenizer.ggml.pre' is 'smolln'");
    refuse("gpt2", "bert", "'tokenizer.ggml.model' is 'bert'");
    refuse("tokenizer.ggml.merges", "tokenizer.ggml.merger", "'tokenizer.ggml.merges' is missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_families_without_form),
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_nothing_is_overwritten),
        cmocka_unit_test(test_shards_and_card),
        cmocka_unit_test(test_foreign_tensors),
        cmocka_unit_test(test_foreign_tokenizer),
        cmocka_unit_test(test_tokenizer_round_trip),
        cmocka_unit_test(test_sentence_piece),
        cmocka_unit_test(test_unknown_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
