/*
 * adapter_config.json: what PEFT writes is read, what it means for each layer is what PEFT did (golden/peft), what is not
 * implemented is refused by name.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "io/peft.h"
#include "io/safetensors.h"
#include "testing.h"

static const char *const adapters[] = {"llama-all",         "llama-dora",     "llama-layers",    "llama-rslora",
                                       "qwen2-attn",        "qwen3-all",      "qwen3-dora-rslora", "qwen3-patterns",
                                       "untied-save-embed", "untied-save-lm_head"};
static const char *const linear[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                                     "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

/* The adapter file has a lora_A of the matched rank for every matched layer, and none for another. */
static void check_against_file(const char *name) {
    char path[256], module[80], key[160];
    rein_arena arena = {0};
    rein_lora_config c;
    rein_lora_matcher *m;
    rein_lora_match match;
    rein_tensors *t;
    int64_t L = strncmp(name, "qwen3", 5) == 0 ? 3 : 2, expected = 0;
    snprintf(path, sizeof path, "golden/peft/%s", name);
    assert_true(rein_peft_is_dir(path));
    OK(rein_peft_config_load(&c, &arena, path));
    OK(rein_lora_matcher_create(&m, &c));
    snprintf(path, sizeof path, "golden/peft/%s/adapter_model.safetensors", name);
    OK(rein_tensors_open(&t, path));
    for (int64_t l = 0; l < L; l++)
        for (size_t i = 0; i < REIN_COUNT(linear); i++) {
            snprintf(module, sizeof module, "model.layers.%d.%s", (int)l, linear[i]);
            snprintf(key, sizeof key, "base_model.model.%s.lora_A.weight", module);
            const rein_tensor_view *v = rein_tensors_find(t, key);
            OK(rein_lora_match_module(&match, m, module));
            assert_int_equal(match.adapted, v != NULL);
            if (v) assert_int_equal(match.r, v->shape[0]);
            expected += v ? 2 + c.use_dora : 0;
        }
    OK(rein_lora_match_module(&match, m, "lm_head"));
    assert_false(match.adapted);
    assert_int_equal(rein_lora_saves(m, "lm_head"), rein_tensors_find(t, "base_model.model.lm_head.weight") != NULL);
    assert_int_equal(rein_lora_saves(m, "model.embed_tokens"),
                     rein_tensors_find(t, "base_model.model.model.embed_tokens.weight") != NULL);
    OK(rein_lora_matcher_check(m));
    assert_int_equal(expected + c.modules_to_save.n, rein_tensors_count(t));
    rein_tensors_close(t);
    rein_lora_matcher_destroy(m);
    rein_arena_deinit(&arena);
}

static void every_golden_adapter(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(adapters); i++) check_against_file(adapters[i]);
}

/* ---- small configurations ---- */

typedef struct parsed {
    rein_arena arena;
    rein_lora_config c;
    rein_lora_matcher *m;
} parsed;

static rein_status parse(parsed *p, const char *members) {
    char text[600];
    *p = (parsed){0};
    snprintf(text, sizeof text, "{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16%s%s}", *members ? "," : "", members);
    REIN_TRY(rein_peft_config_parse(&p->c, &p->arena, "adapter", text, strlen(text)));
    return rein_lora_matcher_create(&p->m, &p->c);
}

static void drop(parsed *p) {
    rein_lora_matcher_destroy(p->m);
    rein_arena_deinit(&p->arena);
}

static bool adapts(parsed *p, const char *module) {
    rein_lora_match match;
    OK(rein_lora_match_module(&match, p->m, module));
    return match.adapted;
}

static void names_suffixes_and_expressions(void **state) {
    (void)state;
    parsed p;
    OK(parse(&p, "\"target_modules\":[\"q_proj\",\"layers.1.mlp.up_proj\"]"));
    assert_true(adapts(&p, "model.layers.0.self_attn.q_proj"));
    assert_true(adapts(&p, "model.layers.1.mlp.up_proj"));
    assert_false(adapts(&p, "model.layers.11.mlp.up_proj"));
    assert_false(adapts(&p, "model.layers.0.self_attn.xq_proj"));
    drop(&p);
    OK(parse(&p, "\"target_modules\":\".*_proj|model\""));
    assert_true(adapts(&p, "model.layers.0.mlp.up_proj"));
    assert_false(adapts(&p, "model.layers.0.mlp.up_projection"));
    drop(&p);
    OK(parse(&p, "\"target_modules\":\"all-linear\",\"exclude_modules\":[\"down_proj\"]"));
    assert_true(adapts(&p, "model.layers.0.mlp.up_proj"));
    assert_false(adapts(&p, "model.layers.0.mlp.down_proj"));
    assert_false(adapts(&p, "lm_head"));
    drop(&p);
    OK(parse(&p, "\"target_modules\":[\"q_proj\",\"model.layers.3.mlp.up_proj\"],\"layers_to_transform\":[1,2],"
                 "\"layers_pattern\":\"layers\""));
    assert_false(adapts(&p, "model.layers.0.self_attn.q_proj"));
    assert_true(adapts(&p, "model.layers.2.self_attn.q_proj"));
    assert_true(adapts(&p, "model.layers.3.mlp.up_proj")); /* a whole name is taken in any layer */
    assert_false(adapts(&p, "model.blocks.2.self_attn.q_proj"));
    drop(&p);
}

static void ranks_and_scales(void **state) {
    (void)state;
    parsed p;
    rein_lora_match match;
    OK(parse(&p, "\"target_modules\":\"all-linear\",\"use_rslora\":true,\"rank_pattern\":{\"layers.0.mlp.up_proj\":4,"
                 "\"up_proj\":2},\"alpha_pattern\":{\"v_proj|k_proj\":5.5}"));
    OK(rein_lora_match_module(&match, p.m, "model.layers.0.mlp.up_proj"));
    assert_int_equal(match.r, 4);
    assert_true(match.scale == 8);
    OK(rein_lora_match_module(&match, p.m, "model.layers.1.mlp.up_proj"));
    assert_int_equal(match.r, 2);
    OK(rein_lora_match_module(&match, p.m, "model.layers.1.self_attn.k_proj"));
    assert_true(match.scale == (float)(5.5 / 2.8284271247461903));
    OK(rein_lora_matcher_check(p.m));
    drop(&p);
}

/* ---- errors ---- */

static void what_fits_nothing_is_named(void **state) {
    (void)state;
    static const struct {
        const char *members, *named;
    } cases[] = {{"\"target_modules\":[\"q_proj\",\"qkv_proj\"]", "'qkv_proj'"},
                 {"\"target_modules\":\".*c_attn\"", "'.*c_attn'"},
                 {"\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[2]", "layer 2"},
                 {"\"target_modules\":[\"q_proj\"],\"modules_to_save\":[\"score\"]", "'score'"},
                 {"\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"v_proj\":2}", "'v_proj'"},
                 {"\"target_modules\":[\"q_proj\"],\"alpha_pattern\":{\"layers.7.q_proj\":2}", "'layers.7.q_proj'"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        parsed p;
        char module[80];
        rein_lora_match match;
        OK(parse(&p, cases[i].members));
        for (int l = 0; l < 2; l++)
            for (size_t k = 0; k < REIN_COUNT(linear); k++) {
                snprintf(module, sizeof module, "model.layers.%d.%s", l, linear[k]);
                OK(rein_lora_match_module(&match, p.m, module));
            }
        rein_lora_saves(p.m, "lm_head");
        FAILS_WITH(REIN_ERR_FORMAT, rein_lora_matcher_check(p.m));
        assert_non_null(strstr(rein_error_message(), cases[i].named));
        drop(&p);
    }
}

static void what_is_not_implemented_is_refused(void **state) {
    (void)state;
    static const char *const ok = "\"target_modules\":[\"q_proj\"]";
    static const struct {
        const char *members, *named;
    } cases[] = {{"", "target_modules"},
                 {"\"target_modules\":[]", "target_modules"},
                 {"\"target_modules\":[3]", "target_modules"},
                 {"\"lora_bias\":true", "'lora_bias' is true"},
                 {"\"fan_in_fan_out\":true", "fan_in_fan_out"},
                 {"\"init_lora_weights\":\"pissa\"", "pissa"},
                 {"\"layer_replication\":[[0,1]]", "layer_replication"},
                 {"\"use_something_new\":true", "use_something_new"},
                 {"\"task_type\":\"SEQ_CLS\"", "SEQ_CLS"},
                 {"\"bias\":\"some\"", "some"},
                 {"\"lora_dropout\":1", "lora_dropout 1"},
                 {"\"rank_pattern\":{\"q_proj\":0}", "rank 0"},
                 {"\"rank_pattern\":{\"q_proj\":\"2\"}", "rank_pattern"},
                 {"\"rank_pattern\":{\"q_proj(\":2}", "'q_proj('"},
                 {"\"layers_to_transform\":[-1]", "-1"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        parsed p;
        char members[300];
        bool own = i < 3;
        snprintf(members, sizeof members, "%s%s%s", own ? "" : ok, own ? "" : ",", cases[i].members);
        FAILS_WITH(REIN_ERR_FORMAT, parse(&p, members));
        if (!strstr(rein_error_message(), cases[i].named))
            fail_msg("'%s' does not name %s", rein_error_message(), cases[i].named);
        drop(&p);
    }
}

static void a_costly_expression_ends(void **state) {
    (void)state;
    parsed p;
    rein_lora_match match;
    OK(parse(&p, "\"target_modules\":\"([a-z._0-9]+)+[!?]\""));
    FAILS_WITH(REIN_ERR_FORMAT, rein_lora_match_module(&match, p.m, "model.layers.0.self_attn.q_proj_of_a_long_name"));
    drop(&p);
}

/* ---- writing, and lists of the command line ---- */

static void written_and_read_again(void **state) {
    (void)state;
    rein_arena arena = {0};
    rein_lora_config c = rein_lora_config_default(), again;
    rein_str a = {0}, b = {0};
    OK(rein_lora_parse_targets(&c, &arena, "q_proj,up_proj"));
    OK(rein_lora_parse_names(&c.modules_to_save, &arena, "lm_head,embed_tokens"));
    OK(rein_lora_parse_patterns(&c.rank_pattern, &arena, "q_proj=3,layers.0.mlp.up_proj=5"));
    OK(rein_lora_parse_patterns(&c.alpha_pattern, &arena, "(q|up)_proj=2.5"));
    OK(rein_lora_parse_layers(&c, &arena, "0,1"));
    c.use_dora = true;
    c.dropout = 0.1;
    c.bias = REIN_LORA_BIAS_LORA_ONLY;
    c.base = "some \"base\"";
    OK(rein_peft_config_write(&a, &c));
    OK(rein_peft_config_parse(&again, &arena, "again", a.data, a.len));
    OK(rein_peft_config_write(&b, &again));
    assert_string_equal(a.data, b.data);
    assert_int_equal(again.targets.n, 2);
    assert_string_equal(again.rank_pattern.list[1].key, "layers.0.mlp.up_proj");
    assert_true(again.rank_pattern.list[1].value == 5);
    assert_true(again.use_dora && again.dropout == 0.1 && again.bias == REIN_LORA_BIAS_LORA_ONLY);
    assert_string_equal(again.base, "some \"base\"");
    OK(rein_lora_parse_targets(&c, &arena, "all-linear"));
    assert_string_equal(c.target_regex, "all-linear");
    OK(rein_lora_parse_targets(&c, &arena, ".*q_proj"));
    assert_string_equal(c.target_regex, ".*q_proj");
    FAILS_WITH(REIN_ERR_USAGE, rein_lora_parse_targets(&c, &arena, "q_proj,,k_proj"));
    FAILS_WITH(REIN_ERR_USAGE, rein_lora_parse_patterns(&c.rank_pattern, &arena, "q_proj"));
    FAILS_WITH(REIN_ERR_USAGE, rein_lora_parse_patterns(&c.rank_pattern, &arena, "q_proj=x"));
    FAILS_WITH(REIN_ERR_USAGE, rein_lora_parse_layers(&c, &arena, "1,x"));
    rein_str_deinit(&a);
    rein_str_deinit(&b);
    rein_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_adapter),
        cmocka_unit_test(names_suffixes_and_expressions),
        cmocka_unit_test(ranks_and_scales),
        cmocka_unit_test(what_fits_nothing_is_named),
        cmocka_unit_test(what_is_not_implemented_is_refused),
        cmocka_unit_test(a_costly_expression_ends),
        cmocka_unit_test(written_and_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
