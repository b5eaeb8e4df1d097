/*
 * libFuzzer: the first byte chooses a format, the rest is a turn. It reads without an error of the program; calls and
 * ranges lie in the text, in order; each call is written again, where its name allows, and reads the same.
 */
#include <string.h>

#include "text/toolcall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const rein_ranges *r, size_t len) {
    for (int64_t i = 0; i < r->n; i++) {
        REIN_ASSERT(0 <= r->data[i].begin && r->data[i].begin < r->data[i].end && r->data[i].end <= (int64_t)len);
        REIN_ASSERT(i == 0 || r->data[i - 1].end < r->data[i].begin);
    }
}

static void write_again(rein_toolcall_format format, const rein_toolcall *call) {
    rein_str text = {0};
    rein_toolcalls again = {0};
    if (rein_toolcall_write(&text, format, call->name, call->arguments) == REIN_OK) {
        REIN_ASSERT(rein_toolcalls_read(&again, format, text.data, text.len) == REIN_OK);
        REIN_ASSERT(again.n == 1 && !again.data[0].error && strcmp(again.data[0].name, call->name) == 0);
        REIN_ASSERT(json_object_equal(again.data[0].arguments, call->arguments));
    }
    rein_toolcalls_deinit(&again);
    rein_str_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    rein_toolcall_format format = (rein_toolcall_format)(data[0] % 3);
    const char *text = (const char *)data + 1;
    size_t len = size - 1, at = 0;
    rein_toolcalls calls = {0};
    rein_ranges ranges = {0};
    REIN_ASSERT(rein_toolcalls_read(&calls, format, text, len) == REIN_OK);
    for (int64_t i = 0; i < calls.n; i++) {
        const rein_toolcall *c = &calls.data[i];
        REIN_ASSERT(at <= c->begin && c->begin < c->end && c->end <= len);
        REIN_ASSERT((c->error != NULL) == (c->name == NULL) && (c->error != NULL) == (c->arguments == NULL));
        at = c->end;
        if (!c->error) write_again(format, c);
    }
    REIN_ASSERT(rein_toolcall_forced_ranges(&ranges, format, text, len) == REIN_OK);
    check_ranges(&ranges, len);
    rein_ranges_deinit(&ranges);
    rein_toolcalls_deinit(&calls);
    return 0;
}
