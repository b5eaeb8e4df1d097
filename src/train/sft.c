/* Supervised fine-tuning; see sft.h. */
#include "train/sft.h"

#include <stdio.h>
#include <string.h>

#include "base/math64.h"
#include "train/pack.h"

/* In the order of the metrics. */
enum { LOSS, ENTROPY, ACCURACY };
static const char *const metrics[] = {"loss", "entropy", "mean_token_accuracy", NULL};

typedef struct sft {
    rein_pack pack;
    bool packed; /* units are the pack's, else rows */
    int64_t items; /* tokens of the batch that count */
} sft;

/* ---- the model that training starts from ---- */

static rein_status fresh_config(rein_model_config *cfg, const rein_train_args *a, const rein_tokenizer *tok) {
    const char *end = a->chat_template_path ? "<|im_end|>" : "<|endoftext|>";
    int32_t eos = rein_tokenizer_id(tok, end, strlen(end));
    if (eos < 0) return rein_fail(REIN_ERR_USAGE, "tokenizer '%s' has no %s to end a text or turn", a->tokenizer, end);
    if (a->hidden_size % a->num_attention_heads != 0)
        return rein_fail(REIN_ERR_USAGE, "hidden_size %lld is no multiple of num_attention_heads %lld",
                         (long long)a->hidden_size, (long long)a->num_attention_heads);
    *cfg = (rein_model_config){.family = a->model_type == 0 ? REIN_FAMILY_LLAMA : REIN_FAMILY_QWEN3,
                               .V = rein_tokenizer_vocab_size(tok), .C = a->hidden_size, .L = a->num_hidden_layers,
                               .H = a->num_attention_heads, .K = a->num_key_value_heads,
                               .D = a->hidden_size / a->num_attention_heads, .F = a->intermediate_size,
                               .max_position_embeddings = a->max_position_embeddings, .rms_norm_eps = 1e-6,
                               .rope_theta = a->rope_theta, .initializer_range = a->initializer_range,
                               .tie_word_embeddings = a->tie_word_embeddings, .qk_norm = a->model_type == 1,
                               .dtype = REIN_F32, .bos_id = -1, .pad_id = -1, .eos_id = {eos}, .n_eos = 1};
    return rein_model_config_check(cfg);
}

static rein_status start_model(rein_model **model, rein_tokenizer **tok, const rein_train_args *a, rein_device *dev) {
    rein_model_config cfg;
    if (a->model_name_or_path && a->chat_template_path)
        return rein_fail(REIN_ERR_USAGE, "chat_template_path '%s' is for a model from scratch, and '%s' has its own files",
                         a->chat_template_path, a->model_name_or_path);
    if (a->model_name_or_path) return rein_start_policy(model, tok, a, dev);
    REIN_TRY(rein_policy_check(a));
    if (a->use_peft) return rein_fail(REIN_ERR_USAGE, "use_peft needs --model_name_or_path: there is nothing to adapt");
    if (!a->tokenizer)
        return rein_fail(REIN_ERR_USAGE, "give --model_name_or_path, or --tokenizer for a model from scratch");
    REIN_TRY(rein_tokenizer_load(tok, a->tokenizer));
    REIN_TRY(fresh_config(&cfg, a, *tok));
    REIN_TRY(rein_model_create(model, &cfg, dev, a->max_model_length));
    rein_model_init(*model, (uint64_t)a->seed);
    return REIN_OK;
}

/* ---- set-up ---- */

static void sft_close(rein_offline *o) {
    sft *s = o->state;
    if (s) rein_pack_deinit(&s->pack);
}

/* Units of several rows. */
static rein_status pack_rows(rein_offline *o, sft *s) {
    const rein_dataset *d = &o->data;
    const rein_train_args *a = o->t.args;
    int64_t *length, max_length = a->max_length < o->t.model->n_pos ? a->max_length : o->t.model->n_pos;
    REIN_TRY(rein_alloc(&length, o->n_train, sizeof *length));
    for (int64_t i = 0; i < o->n_train; i++) length[i] = d->first[o->place[i] + 1] - d->first[o->place[i]];
    rein_status status = rein_pack_make(&s->pack, length, o->n_train, max_length);
    rein_free(length);
    REIN_TRY(status);
    s->packed = true;
    o->n_unit = s->pack.n_unit;
    return REIN_OK;
}

static rein_status check_options(const rein_train_args *a) {
    bool cuts = a->packing && a->packing_strategy != REIN_PACKING_BFD;
    if (!a->packing && a->packing_strategy != REIN_PACKING_BFD)
        return rein_fail(REIN_ERR_USAGE, "packing_strategy is given but packing is false, so nothing would read it");
    if (cuts && a->truncation_mode != REIN_TRUNCATION_ERROR)
        return rein_fail(REIN_ERR_USAGE, "truncation_mode is given, and this packing_strategy cuts rows itself");
    if (a->sft_loss_type == REIN_SFT_DFT && a->label_smoothing_factor > 0)
        return rein_fail(REIN_ERR_USAGE, "loss_type dft has no label smoothing, and label_smoothing_factor is %g",
                         a->label_smoothing_factor);
    return REIN_OK;
}

static rein_status sft_load(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    REIN_TRY(check_options(a));
    o->reads = REIN_READS_LOGP | REIN_READS_ENTROPY | REIN_READS_BEST;
    if (a->label_smoothing_factor > 0) o->reads |= REIN_READS_MEAN_LOGP;
    REIN_TRY(rein_offline_load_rows(o, (rein_dataset_options){
        .completion_only = a->completion_only_loss, .assistant_only = a->assistant_only_loss,
        .wrap = a->packing && a->packing_strategy == REIN_PACKING_WRAPPED,
        .cut = a->packing && a->packing_strategy == REIN_PACKING_BFD_SPLIT}));
    return a->packing && a->packing_strategy != REIN_PACKING_WRAPPED ? pack_rows(o, o->state) : REIN_OK;
}

/* ---- one step ---- */

static rein_status add_unit(rein_offline *o, int64_t unit) {
    const sft *s = o->state;
    if (!s->packed || unit >= o->n_unit) return rein_offline_add_sequence(o, rein_offline_row(o, unit));
    for (int64_t i = s->pack.first[unit]; i < s->pack.first[unit + 1]; i++)
        REIN_TRY(rein_offline_add_sequence(o, o->place[s->pack.row[i]]));
    return REIN_OK;
}

static rein_status sft_gather(rein_offline *o, const int64_t *unit, int64_t n) {
    sft *s = o->state;
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(add_unit(o, unit[i]));
        rein_offline_unit_end(o);
    }
    s->items = 0;
    for (int64_t i = 0; i < o->forest.n_tok; i++) s->items += o->forest.want[i];
    return s->items > 0 ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "a batch of %lld units has no token that takes loss",
                                              (long long)n);
}

/* Gradient of token k's loss. */
static void token_gradient(rein_offline *o, int64_t k, float each) {
    const rein_train_args *a = o->t.args;
    const float smooth = (float)a->label_smoothing_factor;
    o->grad.logp[k] = each;
    if (a->sft_loss_type == REIN_SFT_DFT) o->grad.logp[k] *= (float)rein_exp64((double)o->out.logp[k]);
    if (!o->grad.mean_logp) return;
    o->grad.logp[k] = (1 - smooth) * each;
    o->grad.mean_logp[k] = smooth * each;
}

static void sft_gradient(rein_offline *o, int64_t part) {
    const sft *s = o->state;
    const float each = -1.0f / (float)s->items;
    for (int64_t i = 0; i < o->forest.n_span; i++) {
        const rein_span *sp = &o->forest.span[i];
        for (int64_t k = sp->tok; k < sp->tok + sp->n && rein_offline_takes(o, i, part); k++)
            if (o->forest.want[k]) token_gradient(o, k, each);
    }
}

/* Loss of token k. */
static double token_loss(const rein_offline *o, int64_t k) {
    const rein_train_args *a = o->t.args;
    const double nll = -(double)o->out.logp[k], smooth = a->label_smoothing_factor;
    if (a->sft_loss_type == REIN_SFT_DFT) return nll * rein_exp64(-nll);
    return o->out.mean_logp ? (1 - smooth) * nll - smooth * (double)o->out.mean_logp[k] : nll;
}

static rein_status sft_measure(rein_offline *o) {
    for (int64_t i = 0; i < o->n; i++) {
        double sum[3] = {0}, n = 0;
        for (int64_t p = rein_offline_first_span(o, i); p < o->last_span[i]; p++) {
            const rein_span *sp = &o->forest.span[p];
            for (int64_t k = sp->tok; k < sp->tok + sp->n; k++) {
                if (!o->forest.want[k]) continue;
                sum[LOSS] += token_loss(o, k);
                sum[ENTROPY] += (double)o->out.entropy[k];
                sum[ACCURACY] += o->out.best[k] == o->forest.ids[k];
                n++;
            }
        }
        for (int64_t k = 0; k < o->n_metric; k++) rein_offline_put(o, k, i, sum[k], n);
    }
    return REIN_OK;
}

static rein_status sft_note(rein_offline *o) {
    const sft *s = o->state;
    char text[24];
    if (!s->packed) return REIN_OK;
    snprintf(text, sizeof text, "%lld", (long long)s->pack.n_unit);
    return rein_rundir_note(o->t.run, "data.packed", text);
}

const rein_offline_class rein_sft_class = {.name = "sft", .metric = metrics, .state_size = sizeof(sft),
                                           .start = start_model, .load = sft_load, .gather = sft_gather,
                                           .measure = sft_measure, .gradient = sft_gradient, .note = sft_note,
                                           .close = sft_close};

rein_status rein_sft_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                         const rein_train_watch *watch) {
    return rein_offline_run(&rein_sft_class, args, config_yaml, dev, watch);
}

rein_status rein_sft_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                            rein_commit *out, rein_str *journal) {
    return rein_offline_replay(&rein_sft_class, args, dev, checkpoint, step, out, journal);
}
