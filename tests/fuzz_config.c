/*
 * libFuzzer: the input is a config.json. What is read passes its own check, is written, and reads back to the same text;
 * its rotary table can be made.
 */
#include <string.h>

#include "model/rope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_model_config c, again;
    rein_str first = {0}, second = {0};
    float *table;
    if (rein_model_config_parse(&c, "fuzz", size ? (const char *)data : "", size) != REIN_OK) return 0;
    REIN_ASSERT(rein_model_config_write(&first, &c) == REIN_OK);
    REIN_ASSERT(rein_model_config_parse(&again, "again", first.data, first.len) == REIN_OK);
    REIN_ASSERT(rein_model_config_write(&second, &again) == REIN_OK);
    REIN_ASSERT(strcmp(first.data, second.data) == 0);
    REIN_ASSERT(rein_rope_table(&table, &c, 3) == REIN_OK);
    rein_free(table);
    rein_str_deinit(&first);
    rein_str_deinit(&second);
    return 0;
}
