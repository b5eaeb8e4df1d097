/* Cases of the operations that know the token forest or the vocabulary: attention and log-probs. See op_cases.h. */
#include <string.h>

#include "forest.h"
#include "op_cases.h"

/* ---- attention: forest, H, K, D, window ---- */

typedef struct forest_table {
    int n;
    forest_node node[FOREST_NODES]; /* {parent, cached, rows, context} */
} forest_table;

static const forest_table forests[] = {
    {1, {{-1, 0, 33, 0}}},
    {4, {{3, 0, 5, 0}, {3, 0, 1, 0}, {3, 0, 16, 0}, {-1, 0, 17, 0}}}, /* a group behind 17 tokens */
    {3, {{2, 0, 15, 0}, {2, 0, 33, 0}, {-1, 0, 1, 0}}},               /* behind one token */
    {6, {{2, 0, 4, 0}, {2, 0, 3, 0}, {5, 0, 9, 0}, {4, 0, 2, 0}, {5, 0, 20, 0}, {-1, 0, 17, 0}}}, /* three levels */
    {4, {{3, 0, 5, 0}, {3, 0, 14, 0}, {3, 0, 1, 0}, {-1, 0, 20, 1}}},               /* the prompt is context */
    {5, {{1, 0, 3, 0}, {-1, 0, 5, 0}, {4, 0, 2, 0}, {4, 0, 6, 0}, {-1, 0, 31, 0}}}, /* two trees */
    {4, {{3, 3, 1, 0}, {3, 15, 1, 0}, {3, 16, 1, 0}, {-1, 33, 0, 0}}},              /* decoding a group */
    {4, {{2, 0, 2, 0}, {2, 0, 7, 0}, {3, 0, 8, 1}, {-1, 0, 9, 1}}},                 /* context of context */
    /* long ones */
    {3, {{2, 0, 3, 0}, {2, 0, 20, 0}, {-1, 0, 255, 0}}},
    {4, {{3, 0, 1, 0}, {3, 0, 2, 0}, {3, 0, 14, 0}, {-1, 0, 257, 0}}},
    {4, {{3, 0, 1, 0}, {3, 255, 1, 0}, {3, 7, 3, 0}, {-1, 257, 0, 0}}},
    {3, {{2, 0, 5, 0}, {2, 0, 40, 0}, {-1, 0, 250, 1}}},
    {2, {{1, 511, 2, 0}, {-1, 1, 0, 0}}},
    {4, {{3, 0, 300, 0}, {3, 0, 2, 0}, {3, 0, 31, 0}, {-1, 0, 260, 0}}}, /* windows that begin in a later chunk */
    {5, {{4, 300, 1, 0}, {4, 3, 1, 0}, {4, 77, 1, 0}, {4, 255, 2, 0}, {-1, 513, 0, 0}}}, /* and differ in a block */
};

enum { N_SHORT = 8, LAYER = 1, LAYERS = 2 };

static void bind_kv(op_run *r, forest *f) {
    for (int i = 0; i < f->n_nodes; i++) forest_bind(f, i, op_random(r, "kv", f->kv_size[i]));
}

/* Context runs and roots hold what earlier passes collected, the others zeros. */
static void bind_dkv(op_run *r, forest *f) {
    for (int64_t i = 0; i < f->n_runs; i++) {
        rein_run *run = &f->run[i];
        run->dkv = op_random(r, "dkv", f->dkv_size[i]);
        if (run->parent >= 0 && !run->context) memset(run->dkv, 0, (size_t)f->dkv_size[i] * sizeof(float));
    }
}

static void run_attention(op_run *r, const int64_t *p) {
    const rein_ops *ops = r->dev->ops;
    forest f;
    rein_attn a = {.H = p[1], .K = p[2], .D = p[3], .layer = LAYER, .ld = (p[1] + 2 * p[2]) * p[3],
                   .window = p[4], .scale = 0.25f};
    forest_init(&f, forests[p[0]].node, forests[p[0]].n, &a, LAYERS);
    bind_kv(r, &f);
    bind_dkv(r, &f);
    float *qkv = op_random(r, "qkv", f.n_rows * a.ld), *d_o = op_random(r, "d_o", f.n_rows * a.H * a.D);
    float *o = op_output(r, "o", f.n_rows * a.H * a.D), *stat = op_output(r, "stat", f.n_rows * a.H * 2);
    float *o_only = op_output(r, "o without stat", f.n_rows * a.H * a.D);
    float *dqkv = op_output(r, "dqkv", f.n_rows * a.ld);
    ops->kv_store(r->dev, f.run, f.n_runs, qkv, a);
    ops->attention(r->dev, o, stat, f.run, f.n_runs, qkv, a);
    ops->attention(r->dev, o_only, NULL, f.run, f.n_runs, qkv, a);
    ops->attention_bwd(r->dev, dqkv, d_o, o, stat, f.run, f.n_runs, qkv, a);
}

void op_cases_attention(op_visit visit, void *user) {
    static const int64_t head[] = {8, 12, 16, 24, 32, 64, 128};
    for (int64_t i = 0; i < (int64_t)REIN_COUNT(head); i++) {
        for (int64_t ratio = 1; ratio <= 4; ratio++) {
            int64_t K = 1 + (i + ratio) % 3;
            for (int64_t f = (i + ratio) % 2; f < N_SHORT; f += 2) /* each head with half of the short forests */
                visit(user, &(op_case){"attention", run_attention, {f, K * ratio, K, head[i]}});
        }
        int64_t f = N_SHORT + i % ((int64_t)REIN_COUNT(forests) - N_SHORT);
        visit(user, &(op_case){"attention", run_attention, {f, i < 5 ? 2 : 1, 1, head[i]}});
    }
    for (int64_t f = N_SHORT; f < (int64_t)REIN_COUNT(forests); f++) /* the long ones once more, cheaply */
        visit(user, &(op_case){"attention", run_attention, {f, 3, 1, 12}});
    static const int64_t window[] = {1, 5, 16, 17, 255, 256, 300};
    for (int64_t w = 0; w < (int64_t)REIN_COUNT(window); w++)
        for (int64_t f = 0; f < (int64_t)REIN_COUNT(forests); f++)
            visit(user, &(op_case){"attention", run_attention,
                                   {f, f < N_SHORT ? 4 : 2, 1 + (f + w) % 2, head[(f + w) % 4], window[w]}});
}

/* ---- log-probs: V, reads a row, kept ids (0: all), percent of temperature, percent of logits' factor ---- */

static void fill_reads(op_run *r, rein_read *reads, int64_t n, const int64_t *p) {
    int64_t V = p[0], per_row = p[1], kept = p[2] < V ? p[2] : V;
    int32_t *ids = op_bytes(r, "kept", (n * kept + 1) * (int64_t)sizeof *ids);
    for (int64_t i = 0; i < n; i++) {
        reads[i] = (rein_read){.row = 2 * (i / per_row), .temperature = (float)p[3] * 0.01f}; /* every other row */
        reads[i].target = (int32_t)op_below(r, V);
        if (kept == 0 || i % 3 == 2) continue; /* some reads of a truncated batch keep everything */
        int64_t first = op_below(r, V - kept + 1), step = (V - first) / kept;
        for (int64_t j = 0; j < kept; j++) ids[i * kept + j] = (int32_t)(first + j * step);
        reads[i].kept = ids + i * kept;
        reads[i].n_kept = (int32_t)kept;
        reads[i].target = reads[i].kept[op_below(r, kept)];
    }
}

static void run_logprob(op_run *r, const int64_t *p) {
    enum { ROWS = 5, MAX_READS = 3 * 4 };
    rein_read reads[MAX_READS];
    int64_t V = p[0], n = 3 * p[1];
    REIN_ASSERT(n <= MAX_READS);
    fill_reads(r, reads, n, p);
    float *logits = op_random(r, "logits", ROWS * V), *dlogp = op_random(r, "dlogp", n);
    for (int64_t i = 0; i < ROWS * V; i++) logits[i] *= (float)p[4] * 0.01f;
    float *logp = op_output(r, "logp", n), *entropy = op_output(r, "entropy", n), *stat = op_output(r, "stat", n * 2);
    float *logp_only = op_output(r, "logp without entropy", n), *dlogits = op_output(r, "dlogits", ROWS * V);
    r->dev->ops->logprob(r->dev, logp_only, stat, NULL, logits, reads, n, V);
    r->dev->ops->logprob(r->dev, logp, stat, entropy, logits, reads, n, V);
    r->dev->ops->logprob_bwd(r->dev, dlogits, dlogp, stat, logits, reads, n, ROWS, V);
    float *terms = op_output(r, "softmax_terms", V);
    r->dev->ops->softmax_terms(terms, logits, reads[0].temperature, V);
}

/* The same, then percent of beta; the last read's teacher is the model itself. */
static void run_distribution(op_run *r, const int64_t *p) {
    enum { ROWS = 5, MAX_READS = 3 * 4 };
    const rein_ops *ops = r->dev->ops;
    rein_read reads[MAX_READS];
    int64_t V = p[0], n = 3 * p[1];
    REIN_ASSERT(n <= MAX_READS);
    fill_reads(r, reads, n, p);
    int64_t last = reads[n - 1].row;
    float *logits = op_random(r, "logits", ROWS * V), *teacher = op_random(r, "teacher", ROWS * V);
    for (int64_t i = 0; i < ROWS * V; i++) logits[i] *= (float)p[4] * 0.01f, teacher[i] *= (float)p[4] * 0.02f;
    memcpy(teacher + last * V, logits + last * V, (size_t)V * sizeof *teacher);
    float *logp = op_output(r, "logp", n), *entropy = op_output(r, "entropy", n), *stat = op_output(r, "stat", n * 2);
    float *teacher_stat = op_output(r, "teacher's stat", n * 2), *mean = op_output(r, "mean", n);
    float *divergence = op_output(r, "divergence", n * 2), *dlogits = op_random(r, "dlogits", ROWS * V);
    int32_t *best = op_bytes(r, "best", n * (int64_t)sizeof *best);
    ops->logprob(r->dev, logp, teacher_stat, NULL, teacher, reads, n, V);
    ops->logprob(r->dev, logp, stat, entropy, logits, reads, n, V);
    ops->logprob_best(r->dev, best, logits, reads, n, V);
    ops->logprob_mean(r->dev, mean, stat, logits, reads, n, V);
    rein_teaching t = {.logits = teacher, .stat = teacher_stat, .beta = (float)p[5] * 0.01f};
    ops->divergence(r->dev, divergence, &t, logits, stat, reads, n, V);
    REIN_ASSERT(divergence[2 * n - 2] == 0);
    float *g = op_random(r, "gradients", 3 * n);
    rein_distribution_gradient all = {.entropy = g, .mean_logp = g + n, .divergence = g + 2 * n, .entropy_is = entropy,
                                      .divergence_is = divergence, .teaching = t},
                               one = {.mean_logp = g + n};
    ops->distribution_bwd(r->dev, dlogits, &all, stat, logits, reads, n, ROWS, V);
    ops->distribution_bwd(r->dev, dlogits, &one, stat, logits, reads, n, ROWS, V);
}

/* The bits of exp itself: with stat and temperature neutral and g = -1, dlogits[v] is exp(logits[v]) off the target.
 * p[0] is the first bit pattern, p[1] the stride; 5 values short of a multiple of 16. */
static void run_exp(op_run *r, const int64_t *p) {
    enum { V = 65536 - 5 };
    rein_read read = {.row = 0, .target = 0, .temperature = 1};
    float *logits = op_output(r, "logits", V), *dlogits = op_output(r, "dlogits", V);
    float g = -1, stat[2] = {0, 0};
    for (int64_t v = 0; v < V; v++) {
        uint32_t u = (uint32_t)(p[0] + v * p[1]);
        if ((u & 0x7f800000) == 0x7f800000) u &= 0x807fffff; /* the op has no use for infinities and NaNs */
        memcpy(&logits[v], &u, sizeof u);
    }
    r->dev->ops->logprob_bwd(r->dev, dlogits, &g, stat, logits, &read, 1, 1, V);
}

void op_cases_logprob(op_visit visit, void *user) {
    static const int64_t vocabulary[] = {5, 64, 384, 49152}, beta[] = {0, 10, 50, 100};
    for (int64_t V = 1; V <= 40; V++)
        visit(user, &(op_case){"distribution",
                               run_distribution,
                               {V, 1 + V % 4, V % 3 ? V / 2 : 0, 50 + V * 3, 400, beta[V % 4]}});
    for (size_t i = 0; i < REIN_COUNT(vocabulary); i++)
        for (size_t b = 0; b < REIN_COUNT(beta); b++)
            visit(user, &(op_case){"distribution",
                                   run_distribution,
                                   {vocabulary[i], 2, b % 2 ? 7 : 100, 100 + 30 * (int64_t)(b / 2),
                                    b == 2 ? 20000 : 500, beta[b]}});
    for (int64_t V = 1; V <= 40; V++)
        visit(user, &(op_case){"logprob", run_logprob, {V, 1 + V % 4, V % 3 ? V / 2 : 0, 50 + V * 3, 400}});
    for (size_t i = 0; i < REIN_COUNT(vocabulary); i++) {
        int64_t V = vocabulary[i];
        visit(user, &(op_case){"logprob", run_logprob, {V, 1, 0, 100, 1000}});
        visit(user, &(op_case){"logprob", run_logprob, {V, 3, 7, 70, 500}});
        visit(user, &(op_case){"logprob", run_logprob, {V, 2, V / 2, 150, 20000}});
    }
    visit(user, &(op_case){"exp", run_exp, {0, 65537}});         /* all exponents, both signs */
    visit(user, &(op_case){"exp", run_exp, {0x3d000000, 1499}}); /* positive, where exp has a value */
    visit(user, &(op_case){"exp", run_exp, {0xbd000000, 1501}}); /* negative */
    visit(user, &(op_case){"exp", run_exp, {0xc2ae0000, 3}});    /* around the last normal result */
}
