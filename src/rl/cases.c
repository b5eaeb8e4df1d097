/* Cases from JSON and results to JSON; see cases.h. */
#include "rl/cases.h"

#include <math.h>
#include <string.h>

#include "rl/advantage_rows.h"
#include "rl/loss_rows.h"

/* What "options" may hold besides reward_weights and reward_clip_range; TRL's null stands for the default. */
typedef struct case_options {
    rein_loss_options loss;
    rein_advantage_options advantage;
    bool mask_truncated;
    int64_t accumulation, per_generation;
} case_options;

static const rein_option rows[] = {
    {"gradient_accumulation_steps", REIN_OPT_INT, offsetof(case_options, accumulation), "1", 1, 1e9, NULL, "", NULL},
    {"steps_per_generation", REIN_OPT_INT, offsetof(case_options, per_generation), "1", 1, 1e9, NULL, "", NULL},
    /* shows in completion_mask, which is given; accepted so that TRL's cases can name it */
    {"mask_truncated_completions", REIN_OPT_BOOL, offsetof(case_options, mask_truncated), "false", 0, 0, NULL, "",
     NULL},
};

enum { TABLES = 3 };

/* The table that has the option; the losses', which will refuse it, if none has. */
static rein_options *table_of(rein_options table[TABLES], const char *name) {
    for (int t = 0; t < TABLES; t++)
        for (int64_t i = 0; i < table[t].n_rows; i++)
            if (strcmp(table[t].rows[i].name, name) == 0) return &table[t];
    return &table[1];
}

static rein_status set_options(rein_options table[TABLES], struct json_object *given) {
    json_object_object_foreach(given, name, value) {
        if (!value || strcmp(name, "reward_weights") == 0 || strcmp(name, "reward_clip_range") == 0) continue;
        REIN_TRY(rein_options_set(table_of(table, name), name, json_object_get_string(value), 1, "the case's options"));
    }
    return REIN_OK;
}

static rein_status read_options(rein_rl_case *c, case_options *o, struct json_object *obj) {
    struct json_object *given;
    rein_options table[TABLES] = {0};
    rein_status status;
    *o = (case_options){.advantage = rein_advantage_options_default()}; /* reward_clip_range has no row */
    REIN_TRY(rein_json_object(&given, obj, "options"));
    REIN_TRY_OUT(status, rein_options_init(&table[0], rows, REIN_COUNT(rows), o), out);
    REIN_TRY_OUT(status, rein_options_init(&table[1], rein_loss_rows, REIN_LOSS_ROWS, &o->loss), out);
    REIN_TRY_OUT(status, rein_options_init(&table[2], rein_advantage_rows, REIN_ADVANTAGE_ROWS, &o->advantage), out);
    REIN_TRY_OUT(status, set_options(table, given), out);
    if (o->loss.loss_type == REIN_LOSS_CISPO && o->loss.epsilon_high < 0)
        o->loss.epsilon_high = o->loss.epsilon; /* as TRL; rein asks for it */
    c->options = o->loss;
    c->args.options = o->advantage;
out:
    for (int t = 0; t < TABLES; t++) rein_options_deinit(&table[t]);
    return status;
}

/* Integer of the case itself, or what is in *out if it is not there. */
static rein_status read_int(int64_t *out, struct json_object *obj, const char *key, int64_t min) {
    if (!rein_json_has(obj, key)) return REIN_OK;
    REIN_TRY(rein_json_int(out, obj, key));
    if (*out < min)
        return rein_fail(REIN_ERR_FORMAT, "%s is %lld: at least %lld", key, (long long)*out, (long long)min);
    return REIN_OK;
}

/* ---- arrays ---- */

/* A number, or NaN for null and the goldens' "nan", "inf", "-inf". */
static rein_status read_number(double *out, struct json_object *value, const char *key) {
    json_type type = json_object_get_type(value);
    const char *text = type == json_type_string ? json_object_get_string(value) : "";
    if (type == json_type_double || type == json_type_int)
        *out = json_object_get_double(value);
    else if (type == json_type_null || strcmp(text, "nan") == 0)
        *out = NAN;
    else if (strcmp(text, "inf") == 0)
        *out = INFINITY;
    else if (strcmp(text, "-inf") == 0)
        *out = -INFINITY;
    else
        return rein_fail(REIN_ERR_FORMAT, "'%s' holds something that is no number", key);
    return REIN_OK;
}

/* Flat values of a list of B rows into *out (allocated), checked against the offsets of the batch. NULL if absent. */
static rein_status read_rows(double **out, rein_arena *arena, struct json_object *obj, const char *key,
                             const rein_loss_batch *b) {
    *out = NULL;
    if (!rein_json_has(obj, key)) return REIN_OK;
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, key));
    if ((int64_t)json_object_array_length(list) != b->B)
        return rein_fail(REIN_ERR_FORMAT, "'%s' has %zu rows, 'logp' has %lld", key, json_object_array_length(list),
                         (long long)b->B);
    REIN_TRY(rein_arena_alloc(arena, out, sizeof(double) * ((size_t)b->offset[b->B] + 1)));
    for (int64_t i = 0; i < b->B; i++) {
        struct json_object *row = json_object_array_get_idx(list, (size_t)i);
        int64_t n = b->offset[i + 1] - b->offset[i];
        if (!json_object_is_type(row, json_type_array) || (int64_t)json_object_array_length(row) != n)
            return rein_fail(REIN_ERR_FORMAT, "row %lld of '%s' is not a list of %lld numbers", (long long)i, key,
                             (long long)n);
        for (int64_t t = 0; t < n; t++)
            REIN_TRY(read_number(*out + b->offset[i] + t, json_object_array_get_idx(row, (size_t)t), key));
    }
    return REIN_OK;
}

static rein_status read_floats(const float **out, rein_arena *arena, struct json_object *obj, const char *key,
                               const rein_loss_batch *b) {
    double *wide;
    float *narrow;
    *out = NULL;
    REIN_TRY(read_rows(&wide, arena, obj, key, b));
    if (!wide) return REIN_OK;
    REIN_TRY(rein_arena_alloc(arena, &narrow, sizeof(float) * ((size_t)b->offset[b->B] + 1)));
    for (int64_t t = 0; t < b->offset[b->B]; t++) narrow[t] = (float)wide[t];
    *out = narrow;
    return REIN_OK;
}

/* A list of numbers; its length in *n. */
static rein_status read_list(double **out, int64_t *n, rein_arena *arena, struct json_object *obj, const char *key) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, key));
    *n = (int64_t)json_object_array_length(list);
    REIN_TRY(rein_arena_alloc(arena, out, sizeof(double) * ((size_t)*n + 1)));
    for (int64_t i = 0; i < *n; i++) REIN_TRY(read_number(*out + i, json_object_array_get_idx(list, (size_t)i), key));
    return REIN_OK;
}

/* The lengths of the rows of `key` as offsets. */
static rein_status read_offsets(rein_loss_batch *b, rein_arena *arena, struct json_object *obj, const char *key) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, key));
    b->B = (int64_t)json_object_array_length(list);
    int64_t *offset;
    REIN_TRY(rein_arena_alloc(arena, &offset, sizeof *offset * (size_t)(b->B + 1)));
    for (int64_t i = 0; i < b->B; i++) {
        struct json_object *row = json_object_array_get_idx(list, (size_t)i);
        if (!json_object_is_type(row, json_type_array))
            return rein_fail(REIN_ERR_FORMAT, "row %lld of '%s' is not a list", (long long)i, key);
        offset[i + 1] = offset[i] + (int64_t)json_object_array_length(row);
    }
    b->offset = offset;
    return REIN_OK;
}

/* ---- policy loss ---- */

/* completion_mask times tool_mask. */
static rein_status read_mask(rein_loss_batch *b, rein_arena *arena, struct json_object *obj) {
    double *completion, *tool;
    uint8_t *mask;
    REIN_TRY(read_rows(&completion, arena, obj, "completion_mask", b));
    REIN_TRY(read_rows(&tool, arena, obj, "tool_mask", b));
    if (!completion) return rein_fail(REIN_ERR_FORMAT, "'completion_mask' is missing");
    REIN_TRY(rein_arena_alloc(arena, &mask, (size_t)b->offset[b->B] + 1));
    for (int64_t t = 0; t < b->offset[b->B]; t++) mask[t] = completion[t] != 0 && (!tool || tool[t] != 0);
    b->mask = mask;
    return REIN_OK;
}

/* One number a sequence to one a token. */
static rein_status spread(const double **out, rein_arena *arena, const double *given, const rein_loss_batch *b) {
    double *all;
    REIN_TRY(rein_arena_alloc(arena, &all, sizeof(double) * ((size_t)b->offset[b->B] + 1)));
    for (int64_t i = 0; i < b->B; i++)
        for (int64_t t = b->offset[i]; t < b->offset[i + 1]; t++) all[t] = given[i];
    *out = all;
    return REIN_OK;
}

/* Length of the first row of a list of lists; -1 for a list of numbers or none. */
static int64_t row_length(struct json_object *obj, const char *key) {
    struct json_object *list = NULL, *row = NULL;
    json_object_object_get_ex(obj, key, &list);
    if (json_object_is_type(list, json_type_array)) row = json_object_array_get_idx(list, 0);
    return json_object_is_type(row, json_type_array) ? (int64_t)json_object_array_length(row) : -1;
}

/* Advantages: one a sequence, or rows of one a token. */
static rein_status read_advantages(rein_loss_batch *b, rein_arena *arena, struct json_object *obj) {
    double *given;
    int64_t n;
    if (row_length(obj, "advantages") >= 0) {
        REIN_TRY(read_rows(&given, arena, obj, "advantages", b));
        b->advantage = given;
        return REIN_OK;
    }
    REIN_TRY(read_list(&given, &n, arena, obj, "advantages"));
    if (n != b->B)
        return rein_fail(REIN_ERR_FORMAT, "%lld advantages for %lld sequences", (long long)n, (long long)b->B);
    return spread(&b->advantage, arena, given, b);
}

/* The sampler's ratio: rows of one number a token, or of one for the whole sequence. */
static rein_status read_ratio(rein_loss_batch *b, rein_arena *arena, struct json_object *obj) {
    static const char key[] = "importance_sampling_ratio";
    rein_loss_batch shape = {0};
    double *given;
    if (row_length(obj, key) != 1) {
        REIN_TRY(read_rows(&given, arena, obj, key, b));
        b->is_weight = given;
        return REIN_OK;
    }
    REIN_TRY(read_offsets(&shape, arena, obj, key));
    if (shape.B != b->B || shape.offset[shape.B] != b->B)
        return rein_fail(REIN_ERR_FORMAT, "'%s' begins with a row of one number, so %lld such rows are expected", key,
                         (long long)b->B);
    REIN_TRY(read_rows(&given, arena, obj, key, &shape));
    return spread(&b->is_weight, arena, given, b);
}

static rein_status read_batch(rein_loss_batch *b, rein_arena *arena, struct json_object *obj) {
    REIN_TRY(read_offsets(b, arena, obj, "logp"));
    REIN_TRY(read_floats(&b->logp, arena, obj, "logp", b));
    REIN_TRY(read_floats(&b->old_logp, arena, obj, "old_logp", b));
    REIN_TRY(read_floats(&b->ref_logp, arena, obj, "ref_logp", b));
    REIN_TRY(read_floats(&b->entropy, arena, obj, "entropy", b));
    REIN_TRY(read_floats(&b->sampling_logp, arena, obj, "sampling_logp", b));
    REIN_TRY(read_ratio(b, arena, obj));
    REIN_TRY(read_mask(b, arena, obj));
    REIN_TRY(read_advantages(b, arena, obj));
    if (!b->old_logp) b->old_logp = b->logp; /* TRL: not given means on-policy */
    return REIN_OK;
}

static rein_status read_scope(rein_rl_case *c, const case_options *o, struct json_object *obj) {
    const rein_loss_batch *b = &c->batch;
    rein_loss_scope *s = &c->scope;
    *s = (rein_loss_scope){.sequences = b->B,
                           .tokens = rein_loss_count(b->mask, b->offset[b->B]),
                           .max_completion_length = 1,
                           .gradient_accumulation_steps = o->accumulation,
                           .steps_per_generation = o->per_generation,
                           .processes = 1};
    for (int64_t i = 0; i < b->B; i++) {
        int64_t n = b->offset[i + 1] - b->offset[i];
        if (n > s->max_completion_length) s->max_completion_length = n;
        s->generation_sequences += rein_loss_count(b->mask + b->offset[i], n) > 0;
    }
    s->generation_tokens = s->tokens;
    s->entropy_tokens = c->options.top_entropy_quantile < 1 ? rein_loss_count(b->chosen, b->offset[b->B]) : s->tokens;
    s->entropy_coef = rein_entropy_control_coef(&c->control, &c->options);
    REIN_TRY(read_int(&s->generation_tokens, obj, "num_items_in_batch", 0));
    REIN_TRY(read_int(&s->generation_sequences, obj, "num_sequences_in_batch", 0));
    REIN_TRY(read_int(&s->max_completion_length, obj, "max_completion_length", 1));
    REIN_TRY(read_int(&s->gradient_accumulation_steps, obj, "gradient_accumulation_steps", 1));
    REIN_TRY(read_int(&s->steps_per_generation, obj, "steps_per_generation", 1));
    REIN_TRY(read_int(&s->processes, obj, "num_processes", 1));
    return REIN_OK;
}

/* The choice of tokens and the entropy that the controller has seen last, which TRL's cases name last_world_entropy. */
static rein_status prepare_loss(rein_rl_case *c, rein_arena *arena, struct json_object *obj) {
    const rein_loss_draw draw = {0};
    uint8_t *chosen;
    rein_entropy_control_init(&c->control, &c->options);
    if (rein_json_has(obj, "last_world_entropy"))
        REIN_TRY(rein_json_double(&c->control.last_entropy, obj, "last_world_entropy"));
    if (!rein_loss_selects(&c->options)) return REIN_OK;
    REIN_TRY(rein_arena_alloc(arena, &chosen, (size_t)c->batch.offset[c->batch.B] + 1));
    REIN_TRY(rein_loss_select(chosen, &c->batch, &c->options, &draw));
    c->batch.chosen = chosen;
    return REIN_OK;
}

static rein_status run_loss(rein_rl_case *c, rein_arena *arena, const case_options *o, struct json_object *obj) {
    rein_loss_row *row;
    REIN_TRY(rein_loss_options_check(&c->options));
    REIN_TRY(read_batch(&c->batch, arena, obj));
    REIN_TRY(prepare_loss(c, arena, obj));
    REIN_TRY(read_scope(c, o, obj));
    size_t tokens = (size_t)c->batch.offset[c->batch.B] + 1;
    REIN_TRY(rein_arena_alloc(arena, &row, sizeof *row * (size_t)(c->batch.B + 1)));
    REIN_TRY(rein_arena_alloc(arena, &c->dlogp, sizeof(float) * tokens));
    if (rein_loss_has_bonus(&c->options)) REIN_TRY(rein_arena_alloc(arena, &c->dentropy, sizeof(float) * tokens));
    rein_loss_divisors div = rein_loss_norm(&c->options, &c->scope);
    REIN_TRY(rein_loss_policy(row, c->dlogp, c->dentropy, &c->batch, &c->options, &div));
    rein_loss_finish(&c->metrics, row, c->batch.B, &c->options);
    c->metrics.policy_loss *= div.micro_batches; /* TRL logs the mean over micro-batches; this is one of them */
    rein_entropy_control_update(&c->control, &c->options, c->metrics.entropy_top);
    c->metrics.entropy_coef = c->control.coef;
    return REIN_OK;
}

/* ---- advantages ---- */

/* Rewards (N, n_func); null and "nan" mean that the function said nothing. */
static rein_status read_rewards(rein_advantage_args *a, rein_arena *arena, struct json_object *obj) {
    rein_loss_batch shape = {0};
    double *reward;
    REIN_TRY(read_offsets(&shape, arena, obj, "rewards_per_func"));
    REIN_TRY(read_rows(&reward, arena, obj, "rewards_per_func", &shape));
    a->N = shape.B;
    a->n_func = shape.B > 0 ? shape.offset[1] : 0;
    for (int64_t i = 0; i < shape.B; i++)
        if (shape.offset[i + 1] - shape.offset[i] != a->n_func)
            return rein_fail(REIN_ERR_FORMAT, "row %lld of 'rewards_per_func' is not %lld long", (long long)i,
                             (long long)a->n_func);
    a->reward = reward;
    a->allow_missing = true;
    return REIN_OK;
}

static rein_status read_weights(rein_advantage_args *a, rein_arena *arena, struct json_object *obj) {
    struct json_object *given;
    double *weight;
    int64_t n;
    REIN_TRY(rein_json_object(&given, obj, "options"));
    if (!rein_json_has(given, "reward_weights")) return REIN_OK;
    REIN_TRY(read_list(&weight, &n, arena, given, "reward_weights"));
    if (n != a->n_func)
        return rein_fail(REIN_ERR_FORMAT, "%lld reward_weights for %lld functions", (long long)n, (long long)a->n_func);
    a->weight = weight;
    return REIN_OK;
}

static rein_status read_clip_range(rein_advantage_options *o, rein_arena *arena, struct json_object *obj) {
    struct json_object *given;
    double *range;
    int64_t n;
    REIN_TRY(rein_json_object(&given, obj, "options"));
    if (!rein_json_has(given, "reward_clip_range")) return REIN_OK;
    REIN_TRY(read_list(&range, &n, arena, given, "reward_clip_range"));
    if (n != 2) return rein_fail(REIN_ERR_FORMAT, "reward_clip_range has %lld numbers: low and high", (long long)n);
    o->reward_clip_low = range[0];
    o->reward_clip_high = range[1];
    return REIN_OK;
}

/* What the tokens of the completions say, if "completion_mask" is there: shape, KL, values, turns; and their lengths
 * and KL sums. */
static rein_status read_tokens(rein_advantage_token_args *t, rein_advantage_args *a, rein_arena *arena,
                               struct json_object *obj) {
    rein_loss_batch shape = {0};
    double *kl, *value, *turn, *bootstrap = NULL, *total;
    int64_t n = a->N, *length;
    int32_t *number;
    REIN_TRY(read_offsets(&shape, arena, obj, "completion_mask"));
    REIN_TRY(read_mask(&shape, arena, obj));
    REIN_TRY(read_rows(&kl, arena, obj, "kl", &shape));
    REIN_TRY(read_rows(&value, arena, obj, "values", &shape));
    REIN_TRY(read_rows(&turn, arena, obj, "turns", &shape));
    if (rein_json_has(obj, "bootstrap_values")) REIN_TRY(read_list(&bootstrap, &n, arena, obj, "bootstrap_values"));
    if (shape.B != a->N || n != a->N)
        return rein_fail(REIN_ERR_FORMAT, "rows of tokens or bootstrap values do not fit the %lld rows of rewards",
                         (long long)a->N);
    t->rows = (rein_token_rows){shape.B, shape.offset, shape.mask};
    t->kl = kl;
    t->value = value;
    t->bootstrap = bootstrap;
    REIN_TRY(rein_arena_alloc(arena, &number, sizeof *number * ((size_t)shape.offset[shape.B] + 1)));
    REIN_TRY(rein_arena_alloc(arena, &length, sizeof *length * (size_t)(a->N + 1)));
    REIN_TRY(rein_arena_alloc(arena, &total, sizeof *total * (size_t)(a->N + 1)));
    for (int64_t i = 0; turn && i < shape.offset[shape.B]; i++) {
        if (!(turn[i] >= 0 && turn[i] <= INT32_MAX))
            return rein_fail(REIN_ERR_FORMAT, "'turns' holds %g: numbers from 0", turn[i]);
        number[i] = (int32_t)turn[i];
    }
    for (int64_t i = 0; i < a->N; i++) {
        length[i] = rein_tokens_count(&t->rows, i);
        total[i] = kl ? rein_tokens_sum(&t->rows, i, kl) : 0;
    }
    t->turn = turn ? number : NULL;
    a->length = length;
    a->kl = kl ? total : NULL;
    return REIN_OK;
}

static rein_status run_advantages(rein_rl_case *c, rein_arena *arena, struct json_object *obj) {
    rein_advantage_args *a = &c->args;
    rein_advantage_token_args tokens = {0};
    REIN_TRY(rein_json_int(&a->G, obj, "G"));
    REIN_TRY(read_rewards(a, arena, obj));
    REIN_TRY(read_weights(a, arena, obj));
    REIN_TRY(read_clip_range(&a->options, arena, obj));
    if (rein_json_has(obj, "completion_mask"))
        REIN_TRY(read_tokens(&tokens, a, arena, obj));
    else if (a->options.estimator >= REIN_ADVANTAGE_RFPP || a->options.estimator == REIN_ADVANTAGE_OPO)
        return rein_fail(REIN_ERR_FORMAT, "the estimator looks at tokens and 'completion_mask' is missing");
    REIN_TRY(rein_arena_alloc(arena, &c->advantage, sizeof(double) * (size_t)(a->N + 1)));
    REIN_TRY(rein_arena_alloc(arena, &c->func, sizeof *c->func * (size_t)(a->n_func + 1)));
    REIN_TRY(rein_advantages(c->advantage, &c->stats, c->func, a));
    if (!tokens.rows.mask) return REIN_OK;
    tokens.advantage = c->advantage;
    tokens.options = a->options;
    c->tokens = tokens.rows;
    const size_t size = sizeof(double) * ((size_t)c->tokens.offset[c->tokens.B] + 1);
    REIN_TRY(rein_arena_alloc(arena, &c->token_advantage, size));
    if (rein_advantage_kl_per_token(a->options.estimator)) REIN_TRY(rein_arena_alloc(arena, &c->returns, size));
    REIN_TRY(rein_advantage_tokens(c->token_advantage, c->returns, &tokens));
    return REIN_OK;
}

rein_status rein_rl_case_run(rein_rl_case *out, rein_arena *arena, struct json_object *obj) {
    case_options o;
    *out = (rein_rl_case){0};
    REIN_TRY(rein_json_string(&out->name, NULL, obj, "name"));
    REIN_TRY(read_options(out, &o, obj));
    if (rein_json_has(obj, "rewards_per_func"))
        REIN_TRY(run_advantages(out, arena, obj));
    else
        REIN_TRY(run_loss(out, arena, &o, obj));
    return REIN_OK;
}

/* ---- writing ---- */

static void put_metric(rein_str *out, const char *name, double value, bool first) {
    rein_str_printf(out, "%s\"%s\":", first ? "" : ",", name);
    rein_json_put_f64(out, value);
}

static void write_row(rein_str *out, const double *x, int64_t n) {
    rein_str_putc(out, '[');
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) rein_str_putc(out, ',');
        rein_json_put_f64(out, x[i]);
    }
    rein_str_putc(out, ']');
}

static void write_tokens(const rein_rl_case *c, rein_str *out, const char *name, const double *x) {
    const int64_t *offset = c->tokens.offset;
    rein_str_printf(out, ",\"%s\":[", name);
    for (int64_t i = 0; i < c->tokens.B; i++) {
        if (i > 0) rein_str_putc(out, ',');
        write_row(out, x + offset[i], offset[i + 1] - offset[i]);
    }
    rein_str_putc(out, ']');
}

static void write_advantages(const rein_rl_case *c, rein_str *out) {
    rein_str_puts(out, ",\"advantages\":");
    write_row(out, c->advantage, c->args.N);
    if (c->token_advantage) write_tokens(c, out, "token_advantages", c->token_advantage);
    if (c->returns) write_tokens(c, out, "returns", c->returns);
    rein_str_puts(out, ",\"metrics\":{");
    put_metric(out, "reward", c->stats.reward.mean, true);
    put_metric(out, "reward_std", c->stats.reward.sd, false);
    put_metric(out, "frac_reward_zero_std", c->stats.frac_reward_zero_std, false);
    for (int64_t k = 0; k < c->args.n_func; k++) {
        rein_str_printf(out, ",\"rewards/r%lld/mean\":", (long long)k);
        rein_json_put_f64(out, c->func[k].mean);
        rein_str_printf(out, ",\"rewards/r%lld/std\":", (long long)k);
        rein_json_put_f64(out, c->func[k].sd);
    }
}

static void write_gradient(const rein_rl_case *c, rein_str *out, const char *name, const float *gradient) {
    rein_str_printf(out, ",\"%s\":[", name);
    for (int64_t i = 0; i < c->batch.B; i++) {
        rein_str_puts(out, i > 0 ? ",[" : "[");
        for (int64_t t = c->batch.offset[i]; t < c->batch.offset[i + 1]; t++) {
            if (t > c->batch.offset[i]) rein_str_putc(out, ',');
            rein_json_put_f32(out, gradient[t]);
        }
        rein_str_putc(out, ']');
    }
    rein_str_putc(out, ']');
}

static void write_loss(const rein_rl_case *c, rein_str *out) {
    rein_str_puts(out, ",\"loss\":");
    rein_json_put_f64(out, c->metrics.loss);
    write_gradient(c, out, "dlogp", c->dlogp);
    if (c->dentropy) write_gradient(c, out, "dentropy", c->dentropy);
    rein_str_puts(out, ",\"metrics\":{");
    rein_loss_metric metric[REIN_LOSS_METRICS_MAX];
    int n = rein_loss_metrics_list(metric, &c->metrics, &c->options);
    for (int i = 0; i < n; i++) put_metric(out, metric[i].name, metric[i].value, i == 0);
}

void rein_rl_case_write(const rein_rl_case *c, rein_str *out) {
    rein_str_puts(out, "{\"name\":");
    rein_json_put_string(out, c->name, strlen(c->name));
    if (c->args.n_func > 0)
        write_advantages(c, out);
    else
        write_loss(c, out);
    rein_str_puts(out, "}}");
}
