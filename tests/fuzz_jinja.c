/* libFuzzer: a template, rendered with a context that has all types of values. What renders twice must be equal. */
#include <string.h>

#include "text/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context[] = "{\"messages\":[{\"role\":\"user\",\"content\":\" "
                              "a\\u00e9\\n\"},{\"role\":\"assistant\",\"content\":\"b\",\"tool_calls\":"
                              "[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1,\"y\":[true,null,2.5]}}}]}],"
                              "\"tools\":null,\"n\":7,\"f\":2.5,\"s\":"
                              "\"Hello World\",\"l\":[3,1,2],\"d\":{\"b\":2,\"a\":1},\"add_generation_prompt\":true}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_jinja *t;
    struct json_object *values;
    rein_str once = {0}, again = {0};
    rein_ranges generation = {0};
    if (size == 0) return 0;
    if (rein_jinja_parse(&t, "fuzz", (const char *)data, size) != REIN_OK) return 0;
    REIN_ASSERT(rein_json_parse(&values, "context", context, sizeof context - 1) == REIN_OK);
    if (rein_jinja_render(&once, &generation, t, values) == REIN_OK) {
        REIN_ASSERT(rein_jinja_render(&again, NULL, t, values) == REIN_OK);
        REIN_ASSERT(once.len == again.len && (!once.len || memcmp(once.data, again.data, once.len) == 0));
    }
    rein_ranges_deinit(&generation);
    rein_str_deinit(&once);
    rein_str_deinit(&again);
    json_object_put(values);
    rein_jinja_destroy(t);
    return 0;
}
