/* The domain code: arithmetic, and values kept under keys. */
#include "env/tools/code.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/expression.h"
#include "env/tools/lines.h"

#define FILE_NAME "store.jsonl"

typedef struct lookup {
    const char *key;
    rein_str *out;
    bool found;
} lookup;

static rein_status match_line(void *user, int64_t line, struct json_object *row) {
    lookup *l = user;
    const char *key, *value;
    size_t len;
    (void)line;
    REIN_TRY(rein_json_string(&key, NULL, row, "key"));
    REIN_TRY(rein_json_string(&value, &len, row, "value"));
    if (strcmp(key, l->key) != 0) return REIN_OK;
    rein_str_clear(l->out);
    rein_str_append(l->out, value, len);
    l->found = true;
    return rein_str_check(l->out);
}

rein_status rein_code_stored(rein_str *out, bool *found, int dir, const char *key) {
    rein_str value = {0};
    lookup l = {key, &value, false};
    rein_status status = rein_lines_each(dir, FILE_NAME, match_line, &l);
    rein_str_append(out, value.data ? value.data : "", value.len);
    *found = l.found;
    rein_str_deinit(&value);
    return status == REIN_OK ? rein_str_check(out) : status;
}

static rein_status calculate(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *expression, *why;
    (void)at;
    if (!rein_tool_string(&expression, args, "expression", out)) return REIN_OK;
    const double value = rein_expression_value(expression, &why);
    if (why) return rein_tool_error(out, "%s", why);
    rein_str_printf(out->text, "%.10g", value == 0 ? 0 : value); /* ten digits: 213.88 - 199.99 is 13.89 */
    return REIN_OK;
}

static rein_status store_execution_result(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *key, *data;
    if (!rein_tool_string(&key, args, "context_key", out) || !rein_tool_string(&data, args, "data", out)) return REIN_OK;
    const char *const pair[][2] = {{"key", key}, {"value", data}};
    REIN_TRY(rein_lines_put(at->dir, FILE_NAME, pair, (int)REIN_COUNT(pair)));
    rein_str_printf(out->text, "stored under %s", key);
    return REIN_OK;
}

static rein_status get_execution_context(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *key;
    bool found;
    if (!rein_tool_string(&key, args, "context_key", out)) return REIN_OK;
    REIN_TRY(rein_code_stored(out->text, &found, at->dir, key));
    return found ? REIN_OK : rein_tool_error(out, "nothing is stored under '%.60s'", key);
}

#define OBJECT "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"

static const rein_tool tools[] = {
    {"calculate", "Value of an arithmetic expression.",
     OBJECT "{\"expression\":{\"type\":\"string\"}},\"required\":[\"expression\"]}", calculate},
    {"store_execution_result", "Keep a text under a key.",
     OBJECT "{\"context_key\":{\"type\":\"string\"},\"data\":{\"type\":\"string\"}},\"required\":[\"context_key\",\"data\"]}",
     store_execution_result},
    {"get_execution_context", "What is kept under a key.",
     OBJECT "{\"context_key\":{\"type\":\"string\"}},\"required\":[\"context_key\"]}", get_execution_context},
};

const rein_tool_domain rein_domain_code = {"code", "arithmetic, and values kept under keys", tools, (int)REIN_COUNT(tools),
                                           false};
