/*
 * libFuzzer: the input is one row of a dataset. What is read as a row has a key, a question, and rewards that are
 * numbers from 0 to 1; the row's text is read as a mathematical answer and as a number.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "io/row.h"
#include "reward/reward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_row(struct json_object *json) {
    rein_row row;
    uint64_t key;
    struct json_object *question;
    if (rein_row_read(&row, json) != REIN_OK) return;
    REIN_ASSERT(rein_row_key(&key, &row) == REIN_OK);
    if (row.kind == REIN_ROW_MESSAGES && rein_messages_question(&question, row.messages) == REIN_OK)
        json_object_put(question);
    rein_row_deinit(&row);
}

static void use_rewards(struct json_object *json, const char *text, size_t len) {
    static const char funcs[] = "accuracy_reward(column=a),reasoning_accuracy_reward(column=a),think_format_reward,"
                                "exact_match(column=a),numeric_match(column=a),json_match(path=a.b[0],column=a)";
    double reward[6];
    rein_rewards *r;
    REIN_ASSERT(rein_rewards_open(&r, funcs, NULL, 1) == REIN_OK);
    rein_reward_answer a = {.row = json, .text = text, .len = len};
    if (rein_rewards_score(reward, r, &a, 1) == REIN_OK)
        for (int k = 0; k < 6; k++) REIN_ASSERT(isnan(reward[k]) || (reward[k] >= 0 && reward[k] <= 1));
    rein_rewards_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_object *json;
    const char *text = size ? (const char *)data : "";
    if (rein_json_parse(&json, "fuzz", text, size) != REIN_OK) return 0;
    use_row(json);
    if (json_object_is_type(json, json_type_object)) use_rewards(json, text, size);
    json_object_put(json);
    return 0;
}
