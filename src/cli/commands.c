/* The command table; see commands.h. */
#include "cli/commands.h"

#include "train/args.h"

/* All commands, in the order of help. */
#define COMMANDS(X) \
    X(run) \
    X(sweep) \
    X(sft) \
    X(grpo) \
    X(rloo) \
    X(ppo) \
    X(dpo) \
    X(distill) \
    X(reward_train) \
    X(eval) \
    X(generate) \
    X(chat) \
    X(template) \
    X(logprobs) \
    X(grad) \
    X(loss) \
    X(tokenize) \
    X(detokenize) \
    X(tokenizer_train) \
    X(sim) \
    X(lqr) \
    X(reward) \
    X(reward_lint) \
    X(data_gen) \
    X(data_audit) \
    X(data_show) \
    X(convert) \
    X(merge) \
    X(inspect) \
    X(runs) \
    X(report) \
    X(verify) \
    X(selftest) \
    X(mcp_list) \
    X(mcp_call) \
    X(mcp_serve) \
    X(devices)

#define DECLARE(name) extern const rein_command rein_cmd_##name;
COMMANDS(DECLARE)

#define ENTRY(name) &rein_cmd_##name,
const rein_command *const rein_commands[] = {COMMANDS(ENTRY) NULL};

rein_status rein_command_options(rein_options *opts, const rein_command *c, void *values) {
    if (!c->shared) return rein_options_init(opts, c->options, c->n_options, values);
    REIN_TRY(rein_options_init_use(opts, c->shared, c->use, values));
    rein_options_accept(opts, rein_train_aliases, c->use);
    return REIN_OK;
}

rein_status rein_cli_ids(rein_ids *out, struct json_object *array) {
    size_t n = json_object_array_length(array);
    for (size_t i = 0; i < n; i++) {
        struct json_object *x = json_object_array_get_idx(array, i);
        int64_t id = json_object_get_int64(x);
        if (!json_object_is_type(x, json_type_int) || id < 0 || id > INT32_MAX)
            return rein_fail(REIN_ERR_FORMAT, "\"ids\"[%zu] is no token id", i);
        REIN_TRY(rein_ids_push(out, (int32_t)id));
    }
    return REIN_OK;
}

rein_status rein_cli_row_ids(rein_ids *out, const rein_tokenizer *tokenizer, struct json_object *row) {
    if (rein_json_has(row, "ids")) {
        struct json_object *array;
        REIN_TRY(rein_json_array(&array, row, "ids"));
        return rein_cli_ids(out, array);
    }
    const char *text;
    size_t len;
    REIN_TRY(rein_json_string(&text, &len, row, "text"));
    if (!tokenizer) return rein_fail(REIN_ERR_USAGE, "this model has no tokenizer.json; give rows as {\"ids\":[..]}");
    return rein_tokenizer_encode(tokenizer, text, len, out);
}

void rein_cli_put_ids(rein_str *s, const int32_t *ids, int64_t n) {
    rein_str_putc(s, '[');
    for (int64_t i = 0; i < n; i++) rein_str_printf(s, "%s%d", i ? "," : "", ids[i]);
    rein_str_putc(s, ']');
}
