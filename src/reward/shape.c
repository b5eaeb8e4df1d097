/* Reward functions of a completion's shape, with the formulas of TRL: format, length, repetition. */
#include <math.h>
#include <string.h>

#include "reward/internal.h"

/* ---- think_format_reward: "<think>" at the start, once, closed ---- */

static const char *find(const char *text, size_t len, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = text; len >= n; at++, len--)
        if (memcmp(at, word, n) == 0) return at;
    return NULL;
}

static rein_status think_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    static const char open[] = "<think>";
    const size_t n = sizeof open - 1;
    (void)f;
    bool starts = a->len >= n && memcmp(a->text, open, n) == 0;
    *out = starts && !find(a->text + n, a->len - n, open) && find(a->text + n, a->len - n, "</think>");
    return REIN_OK;
}

const rein_reward_class rein_reward_think = {
    .names = "think_format_reward", .judges = REIN_JUDGES_FORMAT, .score = think_score};

/* ---- soft_overlong_punishment_reward ---- */

typedef struct overlong_config {
    int64_t max_completion_len, soft_punish_cache;
} overlong_config;

/* The defaults are those of TRL's command line. */
static const rein_option overlong_options[] = {
    {"max_completion_len", REIN_OPT_INT, offsetof(overlong_config, max_completion_len), "1280", 1, 1 << 24, NULL,
     "tokens from which on the reward is -1", NULL},
    {"soft_punish_cache", REIN_OPT_INT, offsetof(overlong_config, soft_punish_cache), "256", 0, 1 << 24, NULL,
     "tokens before that over which it falls from 0", NULL},
};

double rein_soft_overlong(int64_t n, int64_t most, int64_t cache) {
    const int64_t soft = most - cache;
    if (n <= soft) return 0;
    return n <= most ? (double)(soft - n) / (double)cache : -1;
}

static rein_status overlong_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const overlong_config *c = f->config;
    REIN_TRY(rein_reward_need_ids(f, a));
    *out = rein_soft_overlong(a->n_ids, c->max_completion_len, c->soft_punish_cache);
    return REIN_OK;
}

const rein_reward_class rein_reward_overlong = {
    .names = "soft_overlong_punishment_reward|get_soft_overlong_punishment|soft_overlong",
    .options = overlong_options,
    .n_options = (int64_t)REIN_COUNT(overlong_options),
    .config_size = sizeof(overlong_config),
    .score = overlong_score,
};

/* ---- repetition_penalty_reward: appendix C.2 of Yeo et al. 2025, arXiv:2502.03373, on token ids ---- */

typedef struct repetition_config {
    int64_t ngram_size;
    double max_penalty;
} repetition_config;

static const rein_option repetition_options[] = {
    {"ngram_size", REIN_OPT_INT, offsetof(repetition_config, ngram_size), "3", 1, 1 << 16, NULL, "tokens of an n-gram",
     NULL},
    {"max_penalty", REIN_OPT_FLOAT, offsetof(repetition_config, max_penalty), "-1", -1e9, 0, NULL,
     "reward of an answer that only repeats itself; not positive", NULL},
};

static uint64_t hash_ids(const int32_t *ids, int64_t n) {
    uint64_t h = 0xCBF29CE484222325;
    for (int64_t i = 0; i < n; i++) h = (h ^ (uint64_t)(uint32_t)ids[i]) * 0x100000001B3;
    return h ^ h >> 32;
}

/* Different n-grams among the `total` of ids. `table` has room for a power of two, 1 + mask > total, all 0. */
static int64_t count_unique(const int32_t *ids, int64_t total, int64_t n, int64_t *table, uint64_t mask) {
    int64_t unique = 0;
    for (int64_t i = 0; i < total; i++) {
        uint64_t at = hash_ids(ids + i, n) & mask;
        while (table[at] && memcmp(ids + table[at] - 1, ids + i, (size_t)n * sizeof *ids) != 0) at = (at + 1) & mask;
        if (table[at]) continue;
        table[at] = i + 1;
        unique++;
    }
    return unique;
}

static rein_status repetition_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const repetition_config *c = f->config;
    int64_t size = 2, *table;
    REIN_TRY(rein_reward_need_ids(f, a));
    *out = 0;
    if (a->n_ids < c->ngram_size) return REIN_OK;
    const int64_t total = a->n_ids - c->ngram_size + 1;
    while (size < 2 * total) size *= 2;
    REIN_TRY(rein_alloc(&table, size, sizeof *table));
    int64_t unique = count_unique(a->ids, total, c->ngram_size, table, (uint64_t)size - 1);
    rein_free(table);
    if (unique < total) *out = (1 - (double)unique / (double)total) * c->max_penalty;
    return REIN_OK;
}

const rein_reward_class rein_reward_repetition = {
    .names = "repetition_penalty_reward|get_repetition_penalty_reward|repetition_penalty",
    .options = repetition_options,
    .n_options = (int64_t)REIN_COUNT(repetition_options),
    .config_size = sizeof(repetition_config),
    .score = repetition_score,
};
