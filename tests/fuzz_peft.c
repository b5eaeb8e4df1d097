/* libFuzzer: the input is an adapter_config.json. What parses can be matched, written, and read again to the same text. */
#include <string.h>

#include "io/peft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const rein_lora_config *config) {
    static const char *const modules[] = {"model.layers.0.self_attn.q_proj", "model.layers.11.mlp.down_proj", "lm_head"};
    rein_lora_matcher *m;
    rein_lora_match one;
    if (rein_lora_matcher_create(&m, config) != REIN_OK) return;
    for (size_t i = 0; i < REIN_COUNT(modules); i++)
        if (rein_lora_match_module(&one, m, modules[i]) != REIN_OK) break;
    rein_lora_saves(m, "lm_head");
    (void)!rein_lora_matcher_check(m);
    rein_lora_matcher_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_arena arena = {0};
    rein_lora_config config, again;
    rein_str first = {0}, second = {0};
    if (rein_peft_config_parse(&config, &arena, "fuzz", size ? (const char *)data : "", size) == REIN_OK) {
        match(&config);
        REIN_ASSERT(rein_peft_config_write(&first, &config) == REIN_OK);
        REIN_ASSERT(rein_peft_config_parse(&again, &arena, "again", first.data, first.len) == REIN_OK);
        REIN_ASSERT(rein_peft_config_write(&second, &again) == REIN_OK);
        REIN_ASSERT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    }
    rein_str_deinit(&first);
    rein_str_deinit(&second);
    rein_arena_deinit(&arena);
    return 0;
}
