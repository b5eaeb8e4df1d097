/*
 * Milliseconds of every op on the batch of a training step, and of attention while decoding.
 *
 *   bench_ops [threads] [isa] [width] [ffn] [heads] [kv heads] [head size] [vocabulary] [trees] [siblings] [prompt]
 * [completion]
 *
 * The batch is a forest of `trees` groups of `siblings` completions behind a prompt. Figures are the best of some
 * rounds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tensor/device.h"

enum { ROUNDS = 15, WORDS = 32 };

typedef struct batch {
    int64_t C, F, H, K, D, V, trees, siblings, prompt, completion;
    int64_t T, n_runs, ld, end;
    rein_run *run, *decode;
    rein_seg *seg;
    int64_t *pos, (*range)[2];
    int32_t *ids;
    rein_read *read;
    float *word[WORDS]; /* buffers by use, see open_batch */
    rein_plan plan;
    rein_attn attn;
} batch;

enum {
    X,
    Y,
    QKV,
    DQKV,
    O,
    DO,
    STAT,
    W,
    PACKED,
    GU,
    DGU,
    ACT,
    LOGITS,
    DLOGITS,
    CS,
    NORM,
    RSTD,
    LOGP,
    STATP,
    DW,
    M1,
    M2,
    KV
};

static rein_status floats(batch *b, int which, int64_t n) {
    REIN_TRY(rein_alloc(&b->word[which], n, sizeof(float)));
    for (int64_t i = 0; i < n; i++) b->word[which][i] = (float)((i * 37) % 101 - 50) * 0.01f;
    return REIN_OK;
}

static rein_status open_buffers(batch *b) {
    int64_t T = b->T, C = b->C, F = b->F, V = b->V, N = V > 2 * F ? V : 2 * F;
    N = N > b->ld ? N : b->ld;
    const int64_t n[] = {T * C,
                         T * C,
                         T * b->ld,
                         T * b->ld,
                         T * b->H * b->D,
                         T * b->H * b->D,
                         T * b->H * 2,
                         N * (C > F ? C : F),
                         (N + 32) * (C > F ? C : F),
                         T * 2 * F,
                         T * 2 * F,
                         T * F,
                         T * V,
                         T * V,
                         b->end * b->D,
                         C,
                         T,
                         T,
                         2 * T,
                         N * (C > F ? C : F),
                         N * C,
                         N * C};
    for (size_t i = 0; i < REIN_COUNT(n); i++) REIN_TRY(floats(b, (int)i, n[i]));
    for (int64_t i = 0; i < N * C; i++) b->word[M2][i] = 0.01f;
    REIN_TRY(rein_alloc(&b->pos, T, sizeof *b->pos));
    REIN_TRY(rein_alloc(&b->ids, T, sizeof *b->ids));
    REIN_TRY(rein_alloc(&b->read, T, sizeof *b->read));
    REIN_TRY(rein_alloc(&b->range, T, sizeof *b->range));
    b->plan.range = (const int64_t(*)[2])b->range;
    for (int64_t t = 0; t < T; t++) {
        b->ids[t] = (int32_t)(t * 7 % V);
        b->read[t] = (rein_read){.row = t, .target = b->ids[t], .temperature = 1.0f};
    }
    return REIN_OK;
}

/* One run: a span of n rows from position pos. */
static void add_run(batch *b, rein_seg *seg, int64_t n_seg, int64_t pos, int64_t n) {
    rein_run *r = &b->run[b->n_runs++];
    int64_t first = b->T;
    *r = (rein_run){.row = first, .n = n, .pos = pos, .seg = seg, .n_seg = n_seg, .parent = -1};
    b->T += n;
}

/* Trees in post-order: siblings, then their prompt; a plan of whole siblings, up to 256 rows. */
static rein_status open_forest(batch *b) {
    int64_t per = b->siblings + 1, n = b->trees * per, panels = (b->end + 15) / 16 + 1;
    int64_t size = 2 * b->K * panels * 16 * b->D;
    REIN_TRY(rein_alloc(&b->run, n, sizeof *b->run));
    REIN_TRY(rein_alloc(&b->decode, n, sizeof *b->decode));
    REIN_TRY(rein_alloc(&b->seg, 2 * n, sizeof *b->seg));
    REIN_TRY(floats(b, KV, n * size));
    for (int64_t i = 0; i < n; i++) {
        int root = i % per == b->siblings;
        rein_seg *own = &b->seg[2 * i + 1];
        int64_t prompt_run = i / per * per + b->siblings;
        *own = (rein_seg){.base = b->word[KV] + i * size, .layer_stride = size, .panels = panels};
        own->pos0 = root ? 0 : b->prompt;
        own->n = root ? b->prompt : b->completion;
        b->seg[2 * i] = (rein_seg){.base = b->word[KV] + prompt_run * size, .layer_stride = size, .panels = panels};
        b->seg[2 * i].n = b->prompt;
        if (root)
            add_run(b, own, 1, 0, b->prompt);
        else
            add_run(b, own - 1, 2, b->prompt, b->completion);
        rein_run *r = &b->run[i];
        r->parent = root ? -1 : prompt_run;
        r->root = prompt_run;
        REIN_TRY(rein_alloc(&r->dkv, b->K * 2 * (r->pos + r->n) * b->D, sizeof(float)));
        if (root) continue;
        int64_t k = i / per * b->siblings + i % per;
        b->decode[k] = *r;
        b->decode[k].row = k;
        b->decode[k].n = 1;
        b->decode[k].pos = b->end - 1;
    }
    return REIN_OK;
}

static void fill_plan(batch *b) {
    for (int64_t i = 0; i < b->n_runs; i++) {
        int64_t n = b->run[i].n, *last = b->plan.n ? b->range[b->plan.n - 1] : NULL;
        for (int64_t r = 0; r < n; r++) b->pos[b->run[i].row + r] = b->run[i].pos + r;
        if (last && b->run[i].parent >= 0 && last[1] + n - last[0] <= REIN_CHUNK) {
            last[1] += n;
            continue;
        }
        for (int64_t at = 0; at < n; at += REIN_CHUNK, b->plan.n++) {
            b->range[b->plan.n][0] = b->run[i].row + at;
            b->range[b->plan.n][1] = b->run[i].row + (at + REIN_CHUNK < n ? at + REIN_CHUNK : n);
        }
    }
}

/* ---- the ops ---- */

static rein_weight weight(const batch *b, int64_t N) {
    return (rein_weight){b->word[W], b->word[PACKED], N, b->C, REIN_F32};
}

typedef struct timed {
    const char *name;
    void (*run)(rein_device *dev, batch *b);
    double (*work)(const batch *b); /* multiply-adds or elements */
} timed;

static void op_pack(rein_device *dev, batch *b) { dev->ops->pack(dev, b->word[PACKED], b->word[W], 2 * b->F, b->C); }
static void op_qkv(rein_device *dev, batch *b) {
    dev->ops->linear(dev, b->word[QKV], b->ld, b->word[X], b->C, weight(b, b->ld), NULL, b->T);
}
static void op_up(rein_device *dev, batch *b) {
    dev->ops->linear(dev, b->word[GU], 2 * b->F, b->word[X], b->C, weight(b, 2 * b->F), NULL, b->T);
}
static void op_up_dx(rein_device *dev, batch *b) {
    dev->ops->linear_dx(dev, b->word[Y], b->word[DGU], 2 * b->F, weight(b, 2 * b->F), b->T);
}
static void op_up_dw(rein_device *dev, batch *b) {
    dev->ops->linear_dw(dev, b->word[DW], b->word[DGU], 2 * b->F, b->word[X], b->C, &b->plan, 2 * b->F, b->C);
}
static void op_head(rein_device *dev, batch *b) {
    dev->ops->linear(dev, b->word[DLOGITS], b->V, b->word[X], b->C, weight(b, b->V), NULL, b->T);
}
static void op_norm(rein_device *dev, batch *b) {
    dev->ops->rmsnorm(dev, b->word[Y], b->C, b->word[RSTD], b->word[X], b->C, b->word[NORM], b->T, 1, b->C, 1e-6f);
}
static void op_norm_bwd(rein_device *dev, batch *b) {
    dev->ops->rmsnorm_bwd(dev, b->word[Y], b->word[DW], b->word[DO], b->C, b->word[X], b->C, b->word[NORM],
                          b->word[RSTD], &b->plan, b->T, 1, b->C, 0);
}
static void op_rope(rein_device *dev, batch *b) {
    dev->ops->rope(dev, b->word[QKV], b->ld, b->pos, b->word[CS], b->T, b->H + b->K, b->D, 0);
}
static void op_swiglu(rein_device *dev, batch *b) { dev->ops->swiglu(dev, b->word[ACT], b->word[GU], b->T, b->F); }
static void op_swiglu_bwd(rein_device *dev, batch *b) {
    dev->ops->swiglu_bwd(dev, b->word[DGU], b->word[ACT], b->word[GU], b->T, b->F);
}
static void op_add(rein_device *dev, batch *b) { dev->ops->add(dev, b->word[Y], b->word[X], b->word[DO], b->T * b->C); }
static void op_kv(rein_device *dev, batch *b) { dev->ops->kv_store(dev, b->run, b->n_runs, b->word[QKV], b->attn); }
static void op_attention(rein_device *dev, batch *b) {
    dev->ops->attention(dev, b->word[O], b->word[STAT], b->run, b->n_runs, b->word[QKV], b->attn);
}
static void op_attention_bwd(rein_device *dev, batch *b) {
    dev->ops->attention_bwd(dev, b->word[DQKV], b->word[DO], b->word[O], b->word[STAT], b->run, b->n_runs, b->word[QKV],
                            b->attn);
}
static void op_decode(rein_device *dev, batch *b) {
    dev->ops->attention(dev, b->word[O], NULL, b->decode, b->trees * b->siblings, b->word[QKV], b->attn);
}
static void op_logprob(rein_device *dev, batch *b) {
    dev->ops->logprob(dev, b->word[LOGP], b->word[STATP], NULL, b->word[LOGITS], b->read, b->T, b->V);
}
static void op_logprob_bwd(rein_device *dev, batch *b) {
    dev->ops->logprob_bwd(dev, b->word[DLOGITS], b->word[LOGP], b->word[STATP], b->word[LOGITS], b->read, b->T, b->T,
                          b->V);
}
static void op_mean(rein_device *dev, batch *b) {
    dev->ops->logprob_mean(dev, b->word[LOGP], b->word[STATP], b->word[LOGITS], b->read, b->T, b->V);
}
/* Halfway between the two KLs, with the model itself as the teacher: the costly case. */
static rein_teaching teaching(batch *b) {
    return (rein_teaching){.logits = b->word[LOGITS], .stat = b->word[STATP], .beta = 0.5f};
}
static void op_divergence(rein_device *dev, batch *b) {
    rein_teaching t = teaching(b);
    dev->ops->divergence(dev, b->word[Y], &t, b->word[LOGITS], b->word[STATP], b->read, b->T, b->V);
}
static void op_distribution_bwd(rein_device *dev, batch *b) {
    rein_distribution_gradient g = {.entropy = b->word[LOGP], .divergence = b->word[LOGP], .entropy_is = b->word[LOGP],
                                    .divergence_is = b->word[Y], .teaching = teaching(b)};
    dev->ops->distribution_bwd(dev, b->word[DLOGITS], &g, b->word[STATP], b->word[LOGITS], b->read, b->T, b->T, b->V);
}
static void op_embed(rein_device *dev, batch *b) {
    dev->ops->embed(dev, b->word[Y], weight(b, b->V), b->ids, b->T);
}
static void op_embed_bwd(rein_device *dev, batch *b) {
    dev->ops->embed_bwd(dev, b->word[DW], b->word[X], b->ids, &b->plan, b->C);
}
static void op_adamw(rein_device *dev, batch *b) {
    rein_adamw_args a = {1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.001f, 1.0f};
    dev->ops->adamw(dev, b->word[W], b->word[M1], b->word[M2], b->word[DW], 2 * b->F * b->C, a);
}

static double flops_path(const batch *b, int decode) {
    double sum = 0;
    const rein_run *run = decode ? b->decode : b->run;
    for (int64_t i = 0; i < (decode ? b->trees * b->siblings : b->n_runs); i++)
        sum += (double)run[i].n * ((double)run[i].pos + 0.5 * (double)(run[i].n + 1));
    return sum * (double)(b->H * b->D);
}
static double work_width(const batch *b) { return (double)(b->T * b->C); }
static double work_ffn(const batch *b) { return (double)(b->T * b->F); }
static double work_vocabulary(const batch *b) { return (double)(b->T * b->V); }
static double work_up(const batch *b) { return 4.0 * (double)(b->T * b->F * b->C); }
static double work_qkv(const batch *b) { return 2.0 * (double)(b->T * b->ld * b->C); }
static double work_head(const batch *b) { return 2.0 * (double)(b->T * b->V * b->C); }
static double work_weights(const batch *b) { return 2.0 * (double)(b->F * b->C); }
static double work_heads(const batch *b) { return (double)(b->T * b->ld); }
static double work_attention(const batch *b) { return 4 * flops_path(b, 0); }
static double work_attention_bwd(const batch *b) { return 10 * flops_path(b, 0); }
static double work_decode(const batch *b) { return 4 * flops_path(b, 1); }

static const timed table[] = {
    {"pack up", op_pack, work_weights},
    {"linear qkv", op_qkv, work_qkv},
    {"linear up", op_up, work_up},
    {"linear_dx up", op_up_dx, work_up},
    {"linear_dw up", op_up_dw, work_up},
    {"linear head", op_head, work_head},
    {"rmsnorm", op_norm, work_width},
    {"rmsnorm_bwd", op_norm_bwd, work_width},
    {"rope", op_rope, work_heads},
    {"swiglu", op_swiglu, work_ffn},
    {"swiglu_bwd", op_swiglu_bwd, work_ffn},
    {"add", op_add, work_width},
    {"kv_store", op_kv, work_heads},
    {"attention", op_attention, work_attention},
    {"attention_bwd", op_attention_bwd, work_attention_bwd},
    {"attention, decode", op_decode, work_decode},
    {"logprob", op_logprob, work_vocabulary},
    {"logprob_bwd", op_logprob_bwd, work_vocabulary},
    {"logprob_mean", op_mean, work_vocabulary},
    {"divergence", op_divergence, work_vocabulary},
    {"distribution_bwd", op_distribution_bwd, work_vocabulary},
    {"embed", op_embed, work_width},
    {"embed_bwd", op_embed_bwd, work_width},
    {"adamw", op_adamw, work_weights},
};

static double best_seconds(rein_device *dev, batch *b, void (*run)(rein_device *, batch *)) {
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double begin = rein_clock();
        run(dev, b);
        double took = rein_clock() - begin;
        if (took < best) best = took;
    }
    return best;
}

static rein_status open_batch(batch *b, int argc, char **argv) {
    int64_t p[] = {128, 352, 4, 4, 32, 512, 8, 8, 20, 40};
    for (int i = 0; i + 3 < argc && i < (int)REIN_COUNT(p); i++) p[i] = atoll(argv[i + 3]);
    *b = (batch){.C = p[0], .F = p[1], .H = p[2], .K = p[3], .D = p[4], .V = p[5], .trees = p[6], .siblings = p[7]};
    b->prompt = p[8];
    b->completion = p[9];
    b->end = b->prompt + b->completion;
    b->ld = (b->H + 2 * b->K) * b->D;
    b->attn = (rein_attn){.H = b->H, .K = b->K, .D = b->D, .ld = b->ld, .scale = 0.125f};
    REIN_TRY(open_forest(b));
    REIN_TRY(open_buffers(b));
    fill_plan(b);
    return REIN_OK;
}

static void close_batch(batch *b) {
    for (int i = 0; i < WORDS; i++) rein_free(b->word[i]);
    for (int64_t i = 0; i < b->n_runs; i++) rein_free(b->run[i].dkv);
    rein_free(b->run);
    rein_free(b->decode);
    rein_free(b->seg);
    rein_free(b->pos);
    rein_free(b->range);
    rein_free(b->ids);
    rein_free(b->read);
}

int main(int argc, char **argv) {
    rein_device *dev = NULL;
    batch b = {0};
    const char *isa = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;
    rein_status status = rein_device_open_cpu(&dev, isa, argc > 1 ? atoi(argv[1]) : 0);
    if (status == REIN_OK) status = open_batch(&b, argc, argv);
    if (status == REIN_OK) {
        printf("%d threads, %s, %lld rows\n\n| op | ms | G/s |\n|---|---|---|\n", dev->threads, dev->ops->name,
               (long long)b.T);
        for (size_t i = 0; i < REIN_COUNT(table); i++) {
            double seconds = best_seconds(dev, &b, table[i].run);
            printf("| %-17s | %8.3f | %6.2f |\n", table[i].name, 1e3 * seconds, 1e-9 * table[i].work(&b) / seconds);
        }
    } else {
        fprintf(stderr, "bench_ops: %s\n", rein_error_message());
    }
    close_batch(&b);
    rein_device_close(dev);
    return status == REIN_OK ? 0 : 1;
}
