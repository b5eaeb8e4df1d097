/* The command table; see commands.h. */
#include "cli/commands.h"

extern const rein_command rein_cmd_run, rein_cmd_sft, rein_cmd_dpo, rein_cmd_reward_train, rein_cmd_distill, rein_cmd_grpo, rein_cmd_rloo, rein_cmd_ppo, rein_cmd_eval,
    rein_cmd_generate, rein_cmd_chat, rein_cmd_template, rein_cmd_logprobs, rein_cmd_grad, rein_cmd_loss, rein_cmd_tokenize, rein_cmd_detokenize,
    rein_cmd_tokenizer_train, rein_cmd_sim, rein_cmd_lqr, rein_cmd_reward, rein_cmd_reward_lint, rein_cmd_data_gen,
    rein_cmd_data_audit, rein_cmd_data_show, rein_cmd_convert, rein_cmd_merge, rein_cmd_inspect, rein_cmd_runs,
    rein_cmd_report, rein_cmd_verify, rein_cmd_selftest, rein_cmd_devices;

const rein_command *const rein_commands[] = {
    &rein_cmd_run, &rein_cmd_sft, &rein_cmd_dpo, &rein_cmd_reward_train, &rein_cmd_distill, &rein_cmd_grpo, &rein_cmd_rloo, &rein_cmd_ppo, &rein_cmd_eval, &rein_cmd_generate, &rein_cmd_chat,
    &rein_cmd_template, &rein_cmd_logprobs, &rein_cmd_grad, &rein_cmd_loss, &rein_cmd_tokenize, &rein_cmd_detokenize,
    &rein_cmd_tokenizer_train, &rein_cmd_sim, &rein_cmd_lqr, &rein_cmd_reward, &rein_cmd_reward_lint,
    &rein_cmd_data_gen, &rein_cmd_data_audit, &rein_cmd_data_show, &rein_cmd_convert, &rein_cmd_merge,
    &rein_cmd_inspect, &rein_cmd_runs, &rein_cmd_report, &rein_cmd_verify, &rein_cmd_selftest, &rein_cmd_devices, NULL};

rein_status rein_command_options(rein_options *opts, const rein_command *c, void *values) {
    return c->use ? rein_options_init_use(opts, c->options, c->use, values)
                  : rein_options_init(opts, c->options, c->n_options, values);
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
