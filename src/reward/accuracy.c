/* Reward functions that compare mathematical answers with a reference: TRL's accuracy rewards on math.h. */
#include <math.h>
#include <string.h>

#include "base/math64.h"
#include "reward/internal.h"
#include "reward/math.h"

typedef struct accuracy_config {
    const char *column;
} accuracy_config;

#define COLUMN_OPTION(type)                                                                                            \
    {"column", REIN_OPT_STRING, offsetof(type, column), NULL, 0, 0, NULL,                                              \
     "column of the reference; default: solution, else answer", "NAME"}

static const rein_option accuracy_options[] = {COLUMN_OPTION(accuracy_config)};

/* 1 or 0; NaN if the row's reference is null or cannot be read. */
static rein_status compare(double *out, const char *column, const rein_reward_answer *a, const char *text, size_t len) {
    const char *gold_text;
    size_t gold_len;
    bool missing, equal = false;
    rein_math_span gold;
    struct json_object *unused;
    if (!column) column = json_object_object_get_ex(a->row, "solution", &unused) ? "solution" : "answer";
    REIN_TRY(rein_reward_column(&gold_text, &gold_len, &missing, a->row, column));
    REIN_TRY(rein_math_gold(&gold, gold_text, gold_len));
    *out = (double)NAN;
    if (missing || !gold.text) return REIN_OK;
    rein_math_span said = rein_math_find(text, len);
    if (said.text) REIN_TRY(rein_math_equal(&equal, said, gold));
    *out = equal;
    return REIN_OK;
}

static rein_status accuracy_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const accuracy_config *c = f->config;
    return compare(out, c->column, a, a->text, a->len);
}

const rein_reward_class rein_reward_accuracy = {
    .names = "accuracy_reward",
    .judges = REIN_JUDGES_CORRECT,
    .options = accuracy_options,
    .n_options = (int64_t)REIN_COUNT(accuracy_options),
    .config_size = sizeof(accuracy_config),
    .score = accuracy_score,
};

/* ---- reasoning_accuracy_reward: what stands behind the reasoning ---- */

typedef struct reasoning_config {
    const char *column, *reasoning_delimiter;
} reasoning_config;

static const rein_option reasoning_options[] = {
    COLUMN_OPTION(reasoning_config),
    {"reasoning_delimiter", REIN_OPT_STRING, offsetof(reasoning_config, reasoning_delimiter), "</think>", 0, 0, NULL,
     "where the reasoning ends; an answer without it gets 0", NULL},
};

static rein_status reasoning_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const reasoning_config *c = f->config;
    const size_t n = strlen(c->reasoning_delimiter);
    *out = 0;
    for (size_t at = a->len + 1; at-- > 0;) {
        if (at + n > a->len || memcmp(a->text + at, c->reasoning_delimiter, n) != 0) continue;
        return compare(out, c->column, a, a->text + at + n, a->len - at - n);
    }
    return REIN_OK;
}

const rein_reward_class rein_reward_reasoning = {
    .names = "reasoning_accuracy_reward",
    .judges = REIN_JUDGES_CORRECT,
    .options = reasoning_options,
    .n_options = (int64_t)REIN_COUNT(reasoning_options),
    .config_size = sizeof(reasoning_config),
    .score = reasoning_score,
};

/* ---- cosine_scaled_reward: appendix C.1 of Yeo et al. 2025, arXiv:2502.03373 ---- */

typedef struct cosine_config {
    const char *column;
    int64_t max_len;
    double min_value_wrong, max_value_wrong, min_value_correct, max_value_correct;
} cosine_config;

#define VALUE_OPTION(name, value, help)                                                                                \
    {#name, REIN_OPT_FLOAT, offsetof(cosine_config, name), value, -1e9, 1e9, NULL, help, NULL}

static const rein_option cosine_options[] = {
    COLUMN_OPTION(cosine_config),
    {"max_len", REIN_OPT_INT, offsetof(cosine_config, max_len), "0", 0, 1 << 24, NULL,
     "tokens at which the schedule ends; must be given", NULL},
    VALUE_OPTION(min_value_wrong, "-1.0", "of a short wrong answer"),
    VALUE_OPTION(max_value_wrong, "-0.5", "of a long wrong answer"),
    VALUE_OPTION(min_value_correct, "0.5", "of a long correct answer"),
    VALUE_OPTION(max_value_correct, "1.0", "of a short correct answer"),
};

static rein_status cosine_open(rein_reward_func *f) {
    const cosine_config *c = f->config;
    return c->max_len > 0 ? REIN_OK : rein_fail(REIN_ERR_USAGE, "reward function %s: give max_len=TOKENS", f->name);
}

static rein_status cosine_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const cosine_config *c = f->config;
    double correct;
    REIN_TRY(rein_reward_need_ids(f, a));
    REIN_TRY(compare(&correct, c->column, a, a->text, a->len));
    *out = correct;
    if (isnan(correct)) return REIN_OK;
    double progress = (double)a->n_ids / (double)c->max_len;
    if (progress > 1) progress = 1;
    const double cosine = rein_cos64(progress * 3.141592653589793);
    /* a wrong answer is punished more when it is short: exploration pays */
    const double low = correct != 0 ? c->min_value_correct : c->max_value_wrong,
                 high = correct != 0 ? c->max_value_correct : c->min_value_wrong;
    *out = low + 0.5 * (high - low) * (1 + cosine);
    return REIN_OK;
}

const rein_reward_class rein_reward_cosine = {
    .names = "cosine_scaled_reward|get_cosine_scaled_reward|cosine_scaled",
    .options = cosine_options,
    .n_options = (int64_t)REIN_COUNT(cosine_options),
    .config_size = sizeof(cosine_config),
    .open = cosine_open,
    .score = cosine_score,
};
