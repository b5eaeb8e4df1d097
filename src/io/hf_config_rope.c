/*
 * The rotary embedding in config.json: rope_theta beside rope_scaling (older), or rope_parameters with everything
 * (newer). Keys and defaults are transformers'; a key that a kind of scaling has no use for is an error.
 */
#include <string.h>

#include "io/internal.h"

/* Kinds of scaling, as bits. */
enum {
    NONE = 1 << REIN_ROPE_NONE,
    LINEAR = 1 << REIN_ROPE_LINEAR,
    LLAMA3 = 1 << REIN_ROPE_LLAMA3,
    YARN = 1 << REIN_ROPE_YARN,
    DYNAMIC = 1 << REIN_ROPE_DYNAMIC,
    EVERY = NONE | LINEAR | LLAMA3 | YARN | DYNAMIC
};

static const char *const kinds[] = {[REIN_ROPE_NONE] = "default",
                                    [REIN_ROPE_LINEAR] = "linear",
                                    [REIN_ROPE_LLAMA3] = "llama3",
                                    [REIN_ROPE_YARN] = "yarn",
                                    [REIN_ROPE_DYNAMIC] = "dynamic"};

static const struct {
    const char *key;
    int kinds; /* which have a use for it */
} members[] = {
    {"rope_type", EVERY},
    {"type", EVERY},
    {"rope_theta", EVERY},
    {"factor", EVERY & ~NONE},
    {"original_max_position_embeddings", LLAMA3 | YARN},
    {"low_freq_factor", LLAMA3},
    {"high_freq_factor", LLAMA3},
    {"beta_fast", YARN},
    {"beta_slow", YARN},
    {"attention_factor", YARN},
    {"mscale", YARN},
    {"mscale_all_dim", YARN},
    {"truncate", YARN},
};

const char *rein_rope_name(rein_rope_scaling scaling) { return scaling == REIN_ROPE_NONE ? NULL : kinds[scaling]; }

static rein_status parse_kind(rein_model_config *c, struct json_object *rope) {
    const char *type = "default";
    REIN_TRY(rein_config_string(&type, rope, rein_json_has(rope, "rope_type") ? "rope_type" : "type"));
    size_t k = 0;
    while (k < REIN_COUNT(kinds) && strcmp(type, kinds[k]) != 0) k++;
    if (k == REIN_COUNT(kinds))
        return rein_fail(
            REIN_ERR_FORMAT,
            "'rope_type' is \"%s\", supported is \"default\", \"linear\", \"llama3\", \"yarn\" or \"dynamic\"", type);
    c->rope_scaling = (rein_rope_scaling)k;
    return REIN_OK;
}

static rein_status check_members(const rein_model_config *c, struct json_object *rope) {
    struct json_object_iter it;
    json_object_object_foreachC(rope, it) {
        size_t i = 0;
        while (i < REIN_COUNT(members) && strcmp(it.key, members[i].key) != 0) i++;
        if (i == REIN_COUNT(members)) return rein_fail(REIN_ERR_FORMAT, "'%s' is not supported", it.key);
        if (it.val && !(members[i].kinds & 1 << c->rope_scaling))
            return rein_fail(REIN_ERR_FORMAT, "'%s' is not supported with 'rope_type' \"%s\"", it.key,
                             kinds[c->rope_scaling]);
    }
    return REIN_OK;
}

/* Inside or beside the rope's members; without either, all positions are the original ones. */
static rein_status parse_original(rein_model_config *c, struct json_object *obj, struct json_object *rope) {
    static const char key[] = "original_max_position_embeddings";
    int64_t beside = -1;
    c->rope_original_max_position = c->max_position_embeddings;
    REIN_TRY(rein_config_int(&beside, obj, key));
    if (rein_json_has(obj, key)) c->rope_original_max_position = beside;
    REIN_TRY(rein_config_int(&c->rope_original_max_position, rope, key));
    if (rein_json_has(obj, key) && beside != c->rope_original_max_position)
        return rein_fail(REIN_ERR_FORMAT, "'%s' is %lld, but %lld outside", key,
                         (long long)c->rope_original_max_position, (long long)beside);
    return REIN_OK;
}

static rein_status parse_yarn(rein_model_config *c, struct json_object *rope) {
    struct json_object *factor;
    bool null = json_object_object_get_ex(rope, "factor", &factor) && !factor;
    if (null) /* what both lengths say */
        c->rope_factor = (double)c->max_position_embeddings / (double)c->rope_original_max_position;
    else
        REIN_TRY(rein_json_double(&c->rope_factor, rope, "factor"));
    c->rope_beta_fast = 32;
    c->rope_beta_slow = 1;
    c->rope_truncate = true;
    REIN_TRY(rein_config_double(&c->rope_beta_fast, rope, "beta_fast"));
    REIN_TRY(rein_config_double(&c->rope_beta_slow, rope, "beta_slow"));
    REIN_TRY(rein_config_double(&c->rope_mscale, rope, "mscale"));
    REIN_TRY(rein_config_double(&c->rope_mscale_all_dim, rope, "mscale_all_dim"));
    REIN_TRY(rein_config_bool(&c->rope_truncate, rope, "truncate"));
    if (!rein_json_has(rope, "attention_factor")) return REIN_OK;
    REIN_TRY(rein_json_double(&c->rope_attention_factor, rope, "attention_factor"));
    if (!(c->rope_attention_factor > 0)) /* 0 stands for a missing one */
        return rein_fail(REIN_ERR_FORMAT, "'attention_factor' is %.17g, expected more than 0",
                         c->rope_attention_factor);
    return REIN_OK;
}

static rein_status parse_scaling(rein_model_config *c, struct json_object *obj, struct json_object *rope) {
    REIN_TRY(parse_kind(c, rope));
    REIN_TRY(check_members(c, rope));
    if (c->rope_scaling == REIN_ROPE_LLAMA3 || c->rope_scaling == REIN_ROPE_YARN)
        REIN_TRY(parse_original(c, obj, rope));
    if (c->rope_scaling == REIN_ROPE_YARN) return parse_yarn(c, rope);
    if (c->rope_scaling != REIN_ROPE_NONE) REIN_TRY(rein_json_double(&c->rope_factor, rope, "factor"));
    if (c->rope_scaling != REIN_ROPE_LLAMA3) return REIN_OK;
    REIN_TRY(rein_json_double(&c->rope_low_freq_factor, rope, "low_freq_factor"));
    return rein_json_double(&c->rope_high_freq_factor, rope, "high_freq_factor");
}

rein_status rein_config_parse_rope(rein_model_config *c, struct json_object *obj) {
    bool newer = rein_json_has(obj, "rope_parameters");
    const char *key = newer ? "rope_parameters" : "rope_scaling";
    struct json_object *rope;
    c->rope_theta = rein_family_row(c->family)->rope_theta;
    REIN_TRY(rein_config_double(&c->rope_theta, obj, "rope_theta"));
    if (newer && rein_json_has(obj, "rope_scaling"))
        return rein_config_unsupported(obj, "rope_scaling", "null beside 'rope_parameters'");
    if (!rein_json_has(obj, key)) return REIN_OK;
    REIN_TRY(rein_json_object(&rope, obj, key));
    double theta = c->rope_theta;
    REIN_TRY(rein_config_double(&theta, rope, "rope_theta"));
    if (rein_json_has(obj, "rope_theta") && theta != c->rope_theta)
        return rein_fail(REIN_ERR_FORMAT, "'rope_theta' is %.17g, but %.17g in '%s'", c->rope_theta, theta, key);
    c->rope_theta = theta;
    rein_status status = parse_scaling(c, obj, rope);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "'%s'", key);
}

rein_status rein_config_check_rope(rein_status code, const rein_model_config *c) {
    if ((size_t)c->rope_scaling >= REIN_COUNT(kinds))
        return rein_fail(code, "rope scaling %d is none of the known kinds", (int)c->rope_scaling);
    int kind = 1 << c->rope_scaling;
    const struct {
        int kinds;
        const char *key;
        double value, min, max;
    } rows[] = {
        {EVERY, "rope_theta", c->rope_theta, 1, 1e15},
        {EVERY & ~NONE, "factor", c->rope_factor, 1, 1e6},
        {LLAMA3, "low_freq_factor", c->rope_low_freq_factor, 1e-6, 1e6},
        {LLAMA3, "high_freq_factor", c->rope_high_freq_factor, 1e-6, 1e6},
        {LLAMA3 | YARN, "original_max_position_embeddings", (double)c->rope_original_max_position, 1, INT32_MAX},
        {YARN, "rope_theta", c->rope_theta, 1.001, 1e15}, /* its logarithm divides */
        {YARN, "beta_fast", c->rope_beta_fast, 1e-6, 1e6},
        {YARN, "beta_slow", c->rope_beta_slow, 1e-6, 1e6},
        {YARN, "attention_factor", c->rope_attention_factor, 0, 1e6},
        {YARN, "mscale", c->rope_mscale, 0, 1e6},
        {YARN, "mscale_all_dim", c->rope_mscale_all_dim, 0, 1e6},
        {DYNAMIC, "head_dim", (double)c->D, 4, 1e6}, /* the exponent is D / (D - 2) */
    };
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if ((rows[i].kinds & kind) && !(rows[i].value >= rows[i].min && rows[i].value <= rows[i].max))
            return rein_fail(code, "'%s' is %.17g, expected %g to %g", rows[i].key, rows[i].value, rows[i].min,
                             rows[i].max);
    if (kind == LLAMA3 && !(c->rope_high_freq_factor > c->rope_low_freq_factor))
        return rein_fail(code, "'high_freq_factor' %.17g is not above 'low_freq_factor' %.17g",
                         c->rope_high_freq_factor, c->rope_low_freq_factor);
    if (kind == YARN && c->rope_beta_fast < c->rope_beta_slow)
        return rein_fail(code, "'beta_fast' %.17g is below 'beta_slow' %.17g", c->rope_beta_fast, c->rope_beta_slow);
    return REIN_OK;
}
