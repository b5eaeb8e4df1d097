/* State of one rein_generate, and the step that its two files share: choosing a token for sequences in the batch. */
#ifndef REIN_GEN_ENGINE_H
#define REIN_GEN_ENGINE_H

#include "gen/generate.h"

/* A prompt while any of its sequences is alive. */
typedef struct prompt_state {
    float *kv;      /* its segment's memory; NULL before prefill and after its last sequence */
    float *logits;  /* (V) at its last token */
    rein_seg seg;
    int64_t alive;  /* sequences that have not finished */
} prompt_state;

typedef struct slot {
    int64_t seq; /* -1: free */
    int64_t fed; /* tokens of the sequence that are in its segment */
    bool waiting; /* for the world's answer */
    float *kv;
    rein_seg path[2]; /* prompt, own tokens */
    rein_str tail;    /* text so far, for stop strings */
    int32_t state;    /* of the grammar */
    rein_kept may;    /* what the grammar allows next; n 0: everything */
} slot;

typedef struct engine {
    rein_gen *gen;
    const rein_model *model;
    const rein_gen_prompt *prompt;
    const rein_gen_options *opt;
    prompt_state *ps;
    slot *slot;
    int64_t n_slot, next, done, tokens;
    rein_pass pass;
    rein_batch batch;
    int64_t *row;       /* (n_slot) rows of the batch to read */
    int64_t *which;     /* (n_slot) slot of each row */
    rein_read *read;    /* (n_slot) */
    float *value;       /* (n_slot) log-probs, and the op's (2, n_slot) stat behind */
    rein_sampler *sampler; /* (threads) */
    rein_edit *edit;    /* (threads) if there are processors */
    float *processed;   /* (n_slot, V) rows of logits after processors, if some processor changes them */
    int32_t *allowed;   /* (threads, V) ids that processors leave */
    int32_t *kept;      /* (n_slot, V) if some ids may be left out */
    int64_t *n_kept;    /* (n_slot) */
    int32_t *chosen;    /* (n_slot) */
} engine;

/** Scratch of choosing, for e->n_slot sequences. */
REIN_NODISCARD rein_status rein_choose_init(engine *e);
void rein_choose_deinit(engine *e);

/** Choose and record one token for each of n sequences, without counting it: e->which[i] is its slot, e->read[i].row its
 *  row of logits. */
REIN_NODISCARD rein_status rein_choose(engine *e, const float *logits, int64_t n);

/** Has the sequence in this slot ended with its newest token? Sets its finish. */
REIN_NODISCARD rein_status rein_choose_ended(engine *e, slot *sl, bool *out);

#endif
