/*
 * libFuzzer: the first byte chooses a regular expression (whole or in a JSON string) or a JSON Schema; the input up to a
 * NUL byte is compiled, the rest is run through the automaton.
 */
#include <string.h>

#include "base/json.h"
#include "gen/automaton.h"
#include "gen/pattern.h"
#include "gen/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rein_status compile(rein_nfa *nfa, int32_t from, int32_t to, uint8_t kind, const char *text, size_t len) {
    struct json_object *schema;
    if (kind % 3 < 2)
        return rein_pattern_compile(nfa, from, to, text, len, kind % 3 ? REIN_PATTERN_JSON : REIN_PATTERN_WHOLE);
    REIN_TRY(rein_json_parse(&schema, "fuzz", text, len));
    rein_status status = rein_schema_compile(nfa, from, to, schema);
    json_object_put(schema);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_nfa nfa = {0};
    rein_automaton *a;
    if (size < 1) return 0;
    const char *text = (const char *)data + 1, *nul = memchr(text, '\0', size - 1);
    size_t len = nul ? (size_t)(nul - text) : size - 1;
    int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa), state = 0;
    if (compile(&nfa, from, to, data[0], text, len) != REIN_OK) {
        rein_nfa_deinit(&nfa);
        return 0;
    }
    if (rein_automaton_create(&a, &nfa, from, to) != REIN_OK) return 0;
    for (size_t i = len + 2; i < size && state != REIN_DEAD; i++)
        if (rein_automaton_step(a, &state, data[i]) != REIN_OK) break;
    rein_automaton_destroy(a);
    return 0;
}
