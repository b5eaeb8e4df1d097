/* Curricula; see curriculum.h. */
#include "rl/curriculum.h"

#include <math.h>
#include <string.h>

#include "base/math64.h"
#include "base/random.h"
#include "base/sum.h"

static const double unknown = 0.5; /* success of a task or of a policy that was not tried */

/* What a draw of the stream is for. */
enum { DRAW_EXPLORE, DRAW_ANY, DRAW_LEVEL, DRAW_NOISE };

/* ---- options ---- */

rein_curriculum_options rein_curriculum_options_default(void) {
    return (rein_curriculum_options){.epsilon = 0.1,
                                     .temperature = 0.1,
                                     .band_low = 0.1,
                                     .band_high = 0.9,
                                     .mix_first = {0.3, 0.5, 0.2},
                                     .mix_last = {0.1, 0.4, 0.5},
                                     .mix_epochs = 10,
                                     .ued_margin = 0.1};
}

static bool is_share(double x) { return x >= 0 && x <= 1; }

static rein_status check_mix(const char *name, const double share[REIN_LEVELS]) {
    double sum = share[0] + share[1] + share[2];
    if (is_share(share[0]) && is_share(share[1]) && is_share(share[2]) && fabs(sum - 1) < 1e-9) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "%s is %g, %g, %g: shares of easy, medium and hard tasks that sum to 1", name,
                     share[0], share[1], share[2]);
}

/* Kinds that rank tasks by what was recorded, or would but for a band. */
static bool explores(rein_curriculum_kind kind) {
    return kind == REIN_CURRICULUM_RANDOM || kind >= REIN_CURRICULUM_PROGRESS;
}

rein_status rein_curriculum_options_check(const rein_curriculum_options *opt) {
    const rein_curriculum_options *o = opt;
    if (!is_share(o->epsilon)) return rein_fail(REIN_ERR_USAGE, "curriculum_epsilon is %g: from 0 to 1", o->epsilon);
    if (!(o->temperature >= 0) || !isfinite(o->temperature))
        return rein_fail(REIN_ERR_USAGE, "curriculum_temperature is %g: 0 or more", o->temperature);
    if (o->band_visits < 0 || (o->band_visits > 0 && !explores(o->kind)))
        return rein_fail(REIN_ERR_USAGE,
                         "curriculum_band_visits is %lld: 0, or more with the curricula random, progress and ued",
                         (long long)o->band_visits);
    if (!(o->band_low <= o->band_high))
        return rein_fail(REIN_ERR_USAGE, "the band of the curriculum goes from %g to %g: the first is the smaller",
                         o->band_low, o->band_high);
    REIN_TRY(check_mix("curriculum_mix_first", o->mix_first));
    REIN_TRY(check_mix("curriculum_mix_last", o->mix_last));
    if (o->mix_epochs < 0)
        return rein_fail(REIN_ERR_USAGE, "curriculum_mix_epochs is %lld: 0 or more", (long long)o->mix_epochs);
    if (!is_share(o->ued_margin))
        return rein_fail(REIN_ERR_USAGE, "curriculum_ued_margin is %g: from 0 to 1", o->ued_margin);
    return REIN_OK;
}

/* ---- records ---- */

static int64_t remembered(const rein_curriculum_record *r) {
    return r->count < REIN_CURRICULUM_WINDOW ? r->count : REIN_CURRICULUM_WINDOW;
}

/* The i-th oldest value. */
static double value_at(const rein_curriculum_record *r, int64_t i) {
    return r->value[(r->count - remembered(r) + i) % REIN_CURRICULUM_WINDOW];
}

/* Mean of the values [begin, end) from the oldest; they are there. */
static double mean_of(const rein_curriculum_record *r, int64_t begin, int64_t end) {
    rein_pairwise sum = {0};
    for (int64_t i = begin; i < end; i++) rein_pairwise_add(&sum, value_at(r, i));
    return rein_pairwise_total(&sum) / (double)(end - begin);
}

static double success_of(const rein_curriculum_record *r) {
    return r->count > 0 ? mean_of(r, 0, remembered(r)) : unknown;
}

static void push(rein_curriculum_record *r, double value) { r->value[r->count++ % REIN_CURRICULUM_WINDOW] = value; }

rein_status rein_curriculum_init(rein_curriculum *c, int64_t n, const uint8_t *level,
                                 const rein_curriculum_options *opt) {
    *c = (rein_curriculum){.n = n, .level = level};
    if (n < 1) return rein_fail(REIN_ERR_ARG, "a curriculum of %lld tasks", (long long)n);
    if (opt->kind == REIN_CURRICULUM_MIX && !level)
        return rein_fail(REIN_ERR_ARG, "curriculum mix: the tasks have no difficulty; choose another curriculum");
    for (int64_t i = 0; level && i < n; i++)
        if (level[i] >= REIN_LEVELS)
            return rein_fail(REIN_ERR_ARG, "task %lld has the level %d: 0 easy, 1 medium, 2 hard", (long long)i,
                             level[i]);
    rein_status status = rein_alloc(&c->task, n, sizeof *c->task);
    if (status == REIN_OK) status = rein_alloc(&c->key, n, sizeof *c->key);
    if (status == REIN_OK) status = rein_alloc(&c->taken, n, sizeof *c->taken);
    if (status != REIN_OK) rein_curriculum_deinit(c);
    return status;
}

void rein_curriculum_deinit(rein_curriculum *c) {
    rein_free(c->task);
    rein_free(c->key);
    rein_free(c->taken);
    *c = (rein_curriculum){0};
}

rein_status rein_curriculum_add(rein_curriculum *c, const int64_t *task, const double *success, int64_t n_slot) {
    rein_pairwise sum = {0};
    for (int64_t i = 0; i < n_slot; i++) {
        REIN_ASSERT(task[i] >= 0 && task[i] < c->n);
        if (isinf(success[i]))
            return rein_fail(REIN_ERR_NUMERIC, "success of task %lld is %g", (long long)task[i], success[i]);
    }
    for (int64_t i = 0; i < n_slot; i++) {
        if (isnan(success[i])) continue;
        push(&c->task[task[i]], success[i]);
        rein_pairwise_add(&sum, success[i]);
    }
    if (sum.n > 0) push(&c->recent, rein_pairwise_total(&sum) / (double)sum.n);
    return REIN_OK;
}

/* ---- scores ---- */

/* Learning progress; untried tasks come first. */
static double progress_of(const rein_curriculum_record *r) {
    const int64_t n = remembered(r), older = n - n / 2;
    return n < 2 ? INFINITY : fabs(mean_of(r, older, n) - mean_of(r, 0, older));
}

static double target_of(const rein_curriculum *c, const rein_curriculum_options *o) {
    return fmin(1, success_of(&c->recent) + o->ued_margin);
}

static double score_of(const rein_curriculum *c, const rein_curriculum_options *o, int64_t i, double target) {
    if (o->kind == REIN_CURRICULUM_PROGRESS) return progress_of(&c->task[i]);
    if (o->kind == REIN_CURRICULUM_UED) return -fabs(fmax(0, 1 - success_of(&c->task[i])) - target);
    return 0;
}

static bool eligible(const rein_curriculum *c, const rein_curriculum_options *o, int64_t i) {
    const double success = success_of(&c->task[i]);
    return o->band_visits == 0 || c->task[i].count < o->band_visits ||
           (success >= o->band_low && success <= o->band_high);
}

static double uniform(uint64_t seed, int64_t step, int64_t which, uint32_t draw) {
    return rein_random_uniform(seed, REIN_STREAM_CURRICULUM, (uint32_t)step, (uint32_t)which,
                               (uint32_t)((uint64_t)which >> 32), draw);
}

/* What the tasks are ranked by; -INFINITY: outside the band. */
static void rank(rein_curriculum *c, const rein_curriculum_options *o, uint64_t seed, int64_t step) {
    const bool ranked = o->kind >= REIN_CURRICULUM_PROGRESS;
    const double target = target_of(c, o);
    for (int64_t i = 0; i < c->n; i++) {
        c->taken[i] = false;
        double noise = 0;
        if (!ranked || o->temperature > 0) noise = uniform(seed, step, i, DRAW_NOISE);
        if (ranked && o->temperature > 0) noise = -o->temperature * rein_log64(-rein_log64(noise));
        c->key[i] = eligible(c, o, i) ? score_of(c, o, i, target) + noise : -INFINITY;
    }
}

/* ---- choices ---- */

/* The shares of the levels at a step. */
static void mix_at(double share[REIN_LEVELS], const rein_curriculum *c, const rein_curriculum_options *o,
                   int64_t n_slot, int64_t step) {
    const int64_t epoch = step * n_slot / c->n;
    const double at = epoch >= o->mix_epochs ? 1 : (double)epoch / (double)o->mix_epochs;
    for (int l = 0; l < REIN_LEVELS; l++) share[l] = o->mix_first[l] + at * (o->mix_last[l] - o->mix_first[l]);
}

static int draw_level(const double share[REIN_LEVELS], double u) {
    if (u < share[0]) return 0;
    return u < share[0] + share[1] ? 1 : 2;
}

/* The free task with the highest key, of the level (-1: of any), or -1. */
static int64_t best_free(const rein_curriculum *c, int level) {
    int64_t best = -1;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->taken[i] || c->key[i] == -INFINITY || (level >= 0 && c->level[i] != level)) continue;
        if (best < 0 || c->key[i] > c->key[best]) best = i;
    }
    return best;
}

/* The k-th free task. */
static int64_t free_task(const rein_curriculum *c, int64_t k) {
    int64_t i = 0;
    for (; c->taken[i] || k-- > 0; i++) continue;
    return i;
}

/* The task of a slot, `n_free` of them being left. */
static int64_t choose_one(const rein_curriculum *c, const rein_curriculum_options *o, const double *share,
                          int64_t n_free, uint64_t seed, int64_t step, int64_t slot) {
    int64_t task = -1;
    if (o->kind == REIN_CURRICULUM_MIX)
        task = best_free(c, draw_level(share, uniform(seed, step, slot, DRAW_LEVEL)));
    else if (!(uniform(seed, step, slot, DRAW_EXPLORE) < o->epsilon))
        task = best_free(c, -1);
    if (task >= 0) return task;
    return free_task(c, (int64_t)rein_random_below((uint64_t)n_free, seed, REIN_STREAM_CURRICULUM, (uint32_t)step,
                                                   (uint32_t)slot, 0, DRAW_ANY));
}

void rein_curriculum_choose(int64_t *task, int64_t n_slot, rein_curriculum *c, const rein_curriculum_options *opt,
                            uint64_t seed, int64_t step) {
    double share[REIN_LEVELS];
    if (opt->kind <= REIN_CURRICULUM_SHUFFLED) {
        for (int64_t slot = 0; slot < n_slot; slot++) {
            const int64_t at = step * n_slot + slot, place = at % c->n;
            task[slot] =
                opt->kind == REIN_CURRICULUM_NONE ? place : rein_random_place(place, c->n, seed, (uint32_t)(at / c->n));
        }
        return;
    }
    mix_at(share, c, opt, n_slot, step);
    rank(c, opt, seed, step);
    int64_t n_free = c->n;
    for (int64_t slot = 0; slot < n_slot; slot++) {
        if (n_free == 0) memset(c->taken, 0, (size_t)c->n * sizeof *c->taken);
        if (n_free == 0) n_free = c->n;
        task[slot] = choose_one(c, opt, share, n_free, seed, step, slot);
        c->taken[task[slot]] = true;
        n_free--;
    }
}

double rein_curriculum_radius(double first, int64_t steps, int64_t step) {
    return step >= steps ? 1 : first + (1 - first) * ((double)step / (double)steps);
}

/* ---- checkpoints ---- */

static void write_record(const rein_curriculum_record *r, rein_str *out) {
    rein_str_printf(out, "%lld", (long long)r->count);
    for (int64_t i = 0; i < remembered(r); i++) {
        rein_str_putc(out, ',');
        rein_json_put_f64(out, value_at(r, i));
    }
    rein_str_putc(out, ']');
}

void rein_curriculum_write(const rein_curriculum *c, rein_str *out) {
    bool first = true;
    rein_str_printf(out, "{\"n\":%lld,\"recent\":[", (long long)c->n);
    write_record(&c->recent, out);
    rein_str_puts(out, ",\"tasks\":[");
    for (int64_t i = 0; i < c->n; i++) {
        if (c->task[i].count == 0) continue;
        rein_str_printf(out, "%s[%lld,", first ? "" : ",", (long long)i);
        write_record(&c->task[i], out);
        first = false;
    }
    rein_str_puts(out, "]}");
}

/* Element i of a list as a whole number from 0 to max. */
static rein_status read_count(int64_t *out, struct json_object *list, size_t i, int64_t max) {
    struct json_object *value = json_object_array_get_idx(list, i);
    *out = json_object_get_int64(value);
    if (!json_object_is_type(value, json_type_int) || *out < 0 || *out > max)
        return rein_fail(REIN_ERR_FORMAT, "curriculum: a record has no whole number from 0 to %lld", (long long)max);
    return REIN_OK;
}

/* A count and its values, from element `at` of the list to its end. */
static rein_status read_record(rein_curriculum_record *r, struct json_object *list, size_t at) {
    int64_t count;
    REIN_TRY(read_count(&count, list, at, INT64_MAX - 1));
    const int64_t n = count < REIN_CURRICULUM_WINDOW ? count : REIN_CURRICULUM_WINDOW;
    if ((int64_t)(json_object_array_length(list) - at) != n + 1)
        return rein_fail(REIN_ERR_FORMAT, "curriculum: a record of %lld values does not hold the last %lld",
                         (long long)count, (long long)n);
    *r = (rein_curriculum_record){.count = count - n};
    for (int64_t i = 0; i < n; i++) {
        struct json_object *value = json_object_array_get_idx(list, at + 1 + (size_t)i);
        if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
            return rein_fail(REIN_ERR_FORMAT, "curriculum: a record holds something that is no number");
        push(r, json_object_get_double(value));
    }
    return REIN_OK;
}

rein_status rein_curriculum_read(rein_curriculum *c, struct json_object *obj) {
    int64_t n;
    struct json_object *recent, *tasks;
    REIN_TRY(rein_json_int(&n, obj, "n"));
    REIN_TRY(rein_json_array(&recent, obj, "recent"));
    REIN_TRY(rein_json_array(&tasks, obj, "tasks"));
    if (n != c->n)
        return rein_fail(REIN_ERR_MISMATCH, "the curriculum was recorded on %lld tasks, there are %lld", (long long)n,
                         (long long)c->n);
    memset(c->task, 0, (size_t)c->n * sizeof *c->task);
    REIN_TRY(read_record(&c->recent, recent, 0));
    for (size_t i = 0; i < json_object_array_length(tasks); i++) {
        struct json_object *list = json_object_array_get_idx(tasks, i);
        int64_t task;
        if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) < 2)
            return rein_fail(REIN_ERR_FORMAT, "curriculum: task record %zu is no list", i);
        REIN_TRY(read_count(&task, list, 0, c->n - 1));
        REIN_TRY(read_record(&c->task[task], list, 1));
    }
    return REIN_OK;
}

/* ---- metrics ---- */

/* Share of the tasks that were tried, or that lie inside the band. */
static double share_tried(const rein_curriculum *c) {
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++) n += c->task[i].count > 0;
    return (double)n / (double)c->n;
}

static double share_eligible(const rein_curriculum *c, const rein_curriculum_options *o) {
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++) n += eligible(c, o, i);
    return (double)n / (double)c->n;
}

static double mean_progress(const rein_curriculum *c) {
    rein_pairwise sum = {0};
    for (int64_t i = 0; i < c->n; i++)
        if (c->task[i].count >= 2) rein_pairwise_add(&sum, progress_of(&c->task[i]));
    return sum.n > 0 ? rein_pairwise_total(&sum) / (double)sum.n : NAN;
}

int rein_curriculum_metrics(rein_curriculum_metric out[REIN_CURRICULUM_METRICS_MAX], const rein_curriculum *c,
                            const rein_curriculum_options *opt, int64_t n_slot, int64_t step) {
    static const char *const level[REIN_LEVELS] = {"curriculum/easy", "curriculum/medium", "curriculum/hard"};
    int n = 0;
    out[n++] = (rein_curriculum_metric){"curriculum/visited", share_tried(c)};
    out[n++] = (rein_curriculum_metric){"curriculum/success", c->recent.count > 0 ? success_of(&c->recent) : NAN};
    if (opt->band_visits > 0) out[n++] = (rein_curriculum_metric){"curriculum/eligible", share_eligible(c, opt)};
    if (opt->kind == REIN_CURRICULUM_PROGRESS)
        out[n++] = (rein_curriculum_metric){"curriculum/progress", mean_progress(c)};
    if (opt->kind == REIN_CURRICULUM_UED) out[n++] = (rein_curriculum_metric){"curriculum/target", target_of(c, opt)};
    if (opt->kind != REIN_CURRICULUM_MIX) return n;
    double share[REIN_LEVELS];
    mix_at(share, c, opt, n_slot, step);
    for (int l = 0; l < REIN_LEVELS; l++) out[n++] = (rein_curriculum_metric){level[l], share[l]};
    return n;
}
