/* Names of JSON properties that a schema does not declare; see schema.h. */
#include <string.h>

#include "gen/charset.h"
#include "gen/pattern.h"
#include "gen/schema.h"
#include "text/bytelevel.h"

enum { LONGEST = 200 }; /* bytes in which a name may begin like a declared one; bounds the recursion */

/* Names from `from` on, where the first `at` bytes, those of `prefix`, are behind: a character that some declared name
 * goes on with leads one level down, any other to `rest`, where all is free; a declared name itself may not end. */
static rein_status other_name(rein_nfa *nfa, int32_t from, int32_t to, int32_t rest, struct json_object *props,
                              const char *prefix, size_t at) {
    rein_charset other = {0};
    bool declared = false;
    rein_charset_add(&other, 0, 0x1f);
    rein_charset_add(&other, '"', '"');
    rein_charset_add(&other, '\\', '\\');
    rein_status status = REIN_OK;
    json_object_object_foreach(props, name, unused) {
        size_t len = strlen(name), size;
        (void)unused;
        if (len < at || memcmp(name, prefix, at) != 0) continue;
        declared |= len == at;
        if (len == at) continue;
        int32_t c = rein_utf8_decode(name + at, len - at, &size);
        rein_charset one = {0};
        bool first = true; /* of the names that go on with this character */
        json_object_object_foreach(props, before, unused2) {
            (void)unused2;
            if (before == name) break;
            if (strlen(before) > at && strncmp(before, name, at + size) == 0) first = false;
        }
        rein_charset_add(&one, c, c);
        rein_charset_add(&other, c, c);
        int32_t next = rein_nfa_state(nfa);
        bool plain = c >= 0x20 && c != '"' && c != '\\'; /* additional names are written without escapes */
        if (first && plain) {
            rein_nfa_chars(nfa, from, next, &one);
            status = at + size < LONGEST && !nfa->failed ? other_name(nfa, next, to, rest, props, name, at + size) : REIN_OK;
        }
        rein_charset_deinit(&one);
        if (status != REIN_OK) break;
    }
    rein_charset_finish(&other, true);
    rein_nfa_chars(nfa, from, rest, &other);
    rein_charset_deinit(&other);
    if (!declared) rein_nfa_empty(nfa, from, to);
    return status;
}

rein_status rein_schema_other_name(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *props) {
    static const char plain[] = "[^\"\\\\\\x00-\\x1f]";
    int32_t begin = rein_nfa_state(nfa), rest = rein_nfa_state(nfa), end = rein_nfa_state(nfa);
    struct json_object *none = props ? NULL : json_object_new_object();
    rein_status status;
    if (!props && !none) return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
    rein_nfa_text(nfa, from, begin, "\"", 1);
    rein_nfa_text(nfa, end, to, "\"", 1);
    rein_nfa_empty(nfa, rest, end);
    REIN_TRY_OUT(status, rein_pattern_compile(nfa, rest, rest, plain, sizeof plain - 1, REIN_PATTERN_WHOLE), out);
    status = other_name(nfa, begin, end, rest, props ? props : none, "", 0);
out:
    json_object_put(none);
    return status;
}
