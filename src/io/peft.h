/*
 * Low-rank adapters (LoRA: Hu et al. 2021, arXiv:2106.09685) in PEFT's directory format: adapter_config.json and
 * adapter_model.safetensors.
 *
 * The configuration says which linear layers are adapted, and how. Names of layers are matched as PEFT matches them. A
 * value that is not implemented is an error that names key and value, never ignored.
 */
#ifndef REIN_IO_PEFT_H
#define REIN_IO_PEFT_H

#include "base/base.h"

typedef enum rein_lora_bias { REIN_LORA_BIAS_NONE, REIN_LORA_BIAS_ALL, REIN_LORA_BIAS_LORA_ONLY } rein_lora_bias;
#define REIN_LORA_BIAS_CHOICES "none|all|lora_only"

/** A list of names; n == 0: not given. */
typedef struct rein_name_list {
    const char **name;
    int64_t n;
} rein_name_list;

/** Values that hold for the layers whose whole name, or the end of it after a dot, matches the regular expression. */
typedef struct rein_lora_pattern {
    const char *key;
    double value;
} rein_lora_pattern;

typedef struct rein_lora_patterns {
    rein_lora_pattern *list; /* the first that matches counts */
    int64_t n;
} rein_lora_patterns;

/** All strings belong to the arena that the configuration was made in. */
typedef struct rein_lora_config {
    int64_t r;                        /* rank, >= 1 */
    double alpha;                     /* scale alpha / r; with use_rslora alpha / sqrt(r) (arXiv:2312.03732) */
    double dropout;                   /* of the adapter's input in training, [0, 1) */
    bool use_rslora, use_dora;        /* DoRA: Liu et al. 2024, arXiv:2402.09353 */
    rein_lora_bias bias;              /* which biases of the base are trained */
    const char *target_regex;         /* matches whole names, or "all-linear"; NULL: `targets` */
    rein_name_list targets, exclude;  /* whole names, or their ends after a dot */
    rein_lora_patterns rank_pattern, alpha_pattern;
    int64_t *layers;                  /* layers_to_transform: only these */
    int64_t n_layers;                 /* 0: all; counts with `targets` only, as in PEFT */
    rein_name_list layers_pattern;    /* names before a layer's number; empty: any */
    rein_name_list modules_to_save;   /* trained whole: lm_head, embed_tokens */
    const char *base;                 /* base_model_name_or_path; NULL: not said */
} rein_lora_config;

/** r 16, alpha 32, all-linear. */
rein_lora_config rein_lora_config_default(void);

/** REIN_ERR_ARG naming field and value. */
REIN_NODISCARD rein_status rein_lora_config_check(const rein_lora_config *config);

/** True if `dir` is an adapter's directory (it has adapter_config.json). */
bool rein_peft_is_dir(const char *dir);

/** Read DIR/adapter_config.json. REIN_ERR_IO, or REIN_ERR_FORMAT naming file, key and value. */
REIN_NODISCARD rein_status rein_peft_config_load(rein_lora_config *out, rein_arena *arena, const char *dir);

/** As above from text; `name` starts the message. */
REIN_NODISCARD rein_status rein_peft_config_parse(rein_lora_config *out, rein_arena *arena, const char *name,
                                                  const char *text, size_t len);

/** Path of the base that an adapter names, as it is or beside the adapter; REIN_ERR_IO if there is nothing. */
REIN_NODISCARD rein_status rein_peft_base(char **base, rein_arena *arena, const char *dir);

/** adapter_config.json text that PEFT loads, appended; same configuration, same bytes. */
REIN_NODISCARD rein_status rein_peft_config_write(rein_str *out, const rein_lora_config *config);

/* ---- lists as one word of the command line ---- */

/** "q_proj,v_proj" is a list of names, "all-linear" and what has other characters than names have is a regular
 *  expression. REIN_ERR_USAGE for an empty name. */
REIN_NODISCARD rein_status rein_lora_parse_targets(rein_lora_config *config, rein_arena *arena, const char *text);
/** "lm_head,embed_tokens" */
REIN_NODISCARD rein_status rein_lora_parse_names(rein_name_list *out, rein_arena *arena, const char *text);
/** "q_proj=3,layers.0.mlp.down_proj=5" */
REIN_NODISCARD rein_status rein_lora_parse_patterns(rein_lora_patterns *out, rein_arena *arena, const char *text);
/** "0,1,5" */
REIN_NODISCARD rein_status rein_lora_parse_layers(rein_lora_config *config, rein_arena *arena, const char *text);

/* ---- matching ---- */

/** What a configuration means for one linear layer. */
typedef struct rein_lora_match {
    bool adapted;
    int64_t r;
    float scale;
} rein_lora_match;

/** The compiled expressions of a configuration, and which of its entries have matched anything. */
typedef struct rein_lora_matcher rein_lora_matcher;

/** REIN_ERR_FORMAT for an expression that does not compile. `config` must outlive it. */
REIN_NODISCARD rein_status rein_lora_matcher_create(rein_lora_matcher **out, const rein_lora_config *config);
void rein_lora_matcher_destroy(rein_lora_matcher *matcher);

/** The linear layer `module`, e.g. "model.layers.3.self_attn.q_proj"; the head is "lm_head" (never in "all-linear"). */
REIN_NODISCARD rein_status rein_lora_match_module(rein_lora_match *out, rein_lora_matcher *matcher, const char *module);

/** True if modules_to_save names the module, by its whole name or the end of it after a dot. */
bool rein_lora_saves(rein_lora_matcher *matcher, const char *module);

/** After all modules were asked for: REIN_ERR_FORMAT naming an entry of the configuration that matched none of them. */
REIN_NODISCARD rein_status rein_lora_matcher_check(const rein_lora_matcher *matcher);

#endif
