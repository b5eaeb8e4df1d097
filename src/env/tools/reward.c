/* Rewards of the tool world; see reward.h. */
#include "env/tools/reward.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void add(rein_score *out, const char *name, double value) {
    REIN_ASSERT(out->n_component < REIN_SCORE_PARTS);
    out->component[out->n_component++] = (rein_named){name, value};
    out->total += value;
}

static bool succeeded(const rein_tools_turn *t) { return t->ended && t->state && t->answer && t->clean; }

/* ---- v2 ---- */

static void reward_v2(rein_score *out, const rein_tools_ledger *l, const rein_tools_turn *t) {
    const int calls = l->calls > l->needed ? l->calls : l->needed;
    const double share = l->needed > 0 ? (double)l->needed / calls : 1;
    add(out, "success", succeeded(t) ? 1 : 0);
    add(out, "format", t->malformed ? -0.05 : 0);
    add(out, "efficiency", succeeded(t) ? 0.1 * share : 0);
    add(out, "repetition", t->repetitive ? -0.2 : 0);
}

/* ---- v1 ---- */

static const char *find(const char *text, size_t len, const char *word) {
    const size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++)
        if (strncasecmp(text + i, word, n) == 0) return text + i;
    return NULL;
}

static bool has_any(const char *text, size_t len, const char *const *words) {
    for (; *words; words++)
        if (find(text, len, *words)) return true;
    return false;
}

/* A thought is worth 0.2 for each list that it has a word of, and 0.2 for more than two lines. */
static double thought(const char *text, size_t len) {
    static const char *const words[][5] = {{"need to", "task requires", "user wants"},
                                           {"use", "tool", "because", "since"},
                                           {"first", "then", "next", "finally"},
                                           {"if", "error", "fail", "alternative"}};
    int points = 0, lines = 1;
    for (size_t i = 0; i < REIN_COUNT(words); i++) points += has_any(text, len, words[i]);
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    return 0.2 * (points + (lines > 2));
}

/* Mean over the thoughts of a turn; 0 without. */
static double reasoning(const rein_tools_turn *t, int *blocks) {
    const char *at = t->text, *end = t->text + t->len;
    double sum = 0;
    *blocks = 0;
    for (const char *open; (open = find(at, (size_t)(end - at), "<think>"));) {
        open += strlen("<think>");
        const char *close = find(open, (size_t)(end - open), "</think>");
        if (!close) break;
        sum += thought(open, (size_t)(close - open));
        ++*blocks;
        at = close;
    }
    return *blocks ? sum / *blocks : 0;
}

static void note_v1(rein_tools_ledger *l, const rein_tools_turn *t) {
    static const char *const words[] = {"retry", "alternative", NULL};
    const bool idle = t->fresh == 0 && !t->ended;
    int blocks;
    if (t->failed > 0) l->unrecovered = true;
    if (idle) return;
    l->reasoning = reasoning(t, &blocks);
    l->blocks += blocks;
    l->counted += t->fresh + t->failed;
    l->succeeded += t->fresh;
    l->erred |= t->failed > 0;
    l->retried |= has_any(t->text, t->len, words);
    if (t->fresh > 0) l->unrecovered = t->failed > 0;
}

static double progress(const rein_tools_ledger *l) {
    const double tools = l->n_expected > 0 ? (double)l->expected / l->n_expected : 0;
    const double good = l->counted > 0 ? (double)l->succeeded / l->counted : 0;
    const double thoughts = l->blocks < 3 ? (double)l->blocks / 3 : 1;
    return 0.3 * tools + 0.3 * good + 0.2 * thoughts + (l->erred && l->retried ? 0.2 : 0);
}

/* 1 - |made - needed| / the larger one, where repeating a call never makes up for one that is missing. */
static double efficiency(const rein_tools_ledger *l) {
    const int missing = l->succeeded < l->needed ? l->needed - l->succeeded : 0;
    const int excess = l->calls > l->needed ? l->calls - l->needed : 0;
    const int most = l->calls > l->needed ? l->calls : l->needed;
    const double off = most > 0 ? (double)(missing + excess) / most : 0;
    return off < 1 ? 1 - off : 0;
}

static void reward_v1(rein_score *out, rein_tools_ledger *l, const rein_tools_turn *t) {
    static const char *const name[REIN_TOOLS_V1_PARTS] = {"task_completion", "reasoning_quality", "tool_efficiency",
                                                          "error_recovery", "intermediate_progress",
                                                          "state_correctness", "response_correctness"};
    static const double weight[REIN_TOOLS_V1_PARTS] = {0.40, 0.15, 0.15, 0.10, 0.05, 0.10, 0.05};
    const bool response = t->ended && t->answer && l->expected == l->n_expected;
    const bool done = response && t->state && l->succeeded >= l->needed && l->reasoning >= 0.6;
    const double recovery = t->ended && l->calls > 0 ? (l->unrecovered ? 0.5 : 1) : 0;
    const double part[REIN_TOOLS_V1_PARTS] = {done, l->reasoning, t->ended ? efficiency(l) : 0, recovery, progress(l),
                                              t->state && l->succeeded > 0, response};
    for (int i = 0; i < REIN_TOOLS_V1_PARTS; i++) {
        const double level = weight[i] * part[i];
        add(out, name[i], level - l->part[i]);
        l->part[i] = level;
    }
}

/* ---- both ---- */

void rein_tools_reward(rein_score *out, rein_tools_ledger *ledger, rein_tools_version version,
                       const rein_tools_turn *turn) {
    ledger->turns++;
    ledger->calls += turn->calls;
    ledger->failed += turn->failed;
    ledger->malformed += turn->malformed;
    ledger->expected += turn->expected;
    note_v1(ledger, turn);
    out->success = succeeded(turn);
    out->format_ok = ledger->malformed == 0;
    if (version == REIN_TOOLS_V1)
        reward_v1(out, ledger, turn);
    else
        reward_v2(out, ledger, turn);
}
