/*
 * Batched generation with a shared prompt: each prompt is computed once, its completions are spans of the token forest
 * below it, and sequences join and leave the batch at any step. A sequence's tokens depend on its own counters only, and,
 * where it talks with a world turn by turn, on what that says: tokens of the world are appended to the same span, and
 * while one sequence waits for its answer the others go on.
 *
 * The log-prob recorded for a token is the model's own (rein_head ops over the same rows), so a trainer that computes it
 * again with the same weights gets the same bits.
 */
#ifndef REIN_GEN_GENERATE_H
#define REIN_GEN_GENERATE_H

#include "base/random.h"
#include "gen/grammar.h"
#include "gen/process.h"
#include "gen/sample.h"
#include "model/pass.h"
#include "text/tokenizer.h"

typedef enum rein_finish { REIN_FINISH_LENGTH, REIN_FINISH_EOS, REIN_FINISH_STOP } rein_finish;
const char *rein_finish_name(rein_finish f);

/** Called with every token as it is sampled, in the order of decoding (streaming); true ends the sequence with
 *  REIN_FINISH_STOP. seq: index of the sequence. */
typedef bool (*rein_gen_on_token)(void *user, int64_t seq, int32_t id);

/** What a world says to a sequence whose turn is over. */
typedef enum rein_gen_answer { REIN_ANSWER_WAIT, REIN_ANSWER_GO, REIN_ANSWER_END } rein_gen_answer;
typedef struct rein_gen_reply {
    rein_gen_answer answer; /* not yet; go on behind these ids; the sequence is over */
    const int32_t *ids;     /* (n) n >= 1; belongs to the world until its next call */
    int64_t n;
} rein_gen_reply;

/** Who sequences talk with. slot: place in the batch, below max_batch; a sequence keeps it to its end. */
typedef struct rein_gen_world {
    void *user;
    int64_t max_turn_tokens; /* a turn of the model is over after so many tokens without an end */
    /** A sequence begins. */
    rein_status (*begin)(void *user, int64_t seq, int64_t slot);
    /** Its turn is over (the last of its turns), or it waits and is asked again; wait: nothing else is left to do. */
    rein_status (*reply)(void *user, int64_t seq, int64_t slot, bool wait, rein_gen_reply *out);
} rein_gen_world;

typedef struct rein_gen_options {
    rein_sampling sampling;
    rein_processing processing;
    rein_grammar *grammar;  /* what completions must match, or NULL; made for this model's V and these end tokens */
    const rein_gen_world *world; /* NULL: a sequence is one turn */
    int64_t max_new_tokens; /* of a sequence, a world's included */
    int64_t max_batch;      /* sequences decoded together; any value gives the same tokens */
    uint64_t seed;
    rein_stream stream;     /* REIN_STREAM_SAMPLE in training, REIN_STREAM_EVAL in evaluation */
    uint32_t step;          /* first counter */
    const int32_t *eos;     /* (n_eos) ids that end a sequence; they are part of it */
    int64_t n_eos;
    const int32_t *stop_ids;/* (n_stop_ids) ids that end a sequence as stop strings do; they are part of it */
    int64_t n_stop_ids;
    const char *const *stop;/* (n_stop) strings that end a sequence once it has min_new_tokens; needs a tokenizer */
    int64_t n_stop;
    const rein_tokenizer *tokenizer;
    bool forget_kept;       /* do not store kept sets, which only a trainer reads */
    rein_gen_on_token on_token; /* or NULL */
    void *on_token_user;
} rein_gen_options;

typedef struct rein_gen_prompt {
    const int32_t *ids; /* (n) n >= 1 */
    int64_t n;
    uint32_t id;        /* counter of the prompt: its place in the step, or the case's index */
    uint32_t samples;   /* completions wanted, >= 1 */
} rein_gen_prompt;

/** Tokens [begin, end) of a sequence that the model chose; those between turns are a world's. */
typedef struct rein_gen_turn {
    int64_t begin, end;
    rein_finish finish;
} rein_gen_turn;

/** One completion. Log-probs are NaN until the sampler has written them, once; those of a world's tokens stay NaN. */
typedef struct rein_gen_sequence {
    int64_t prompt; /* index */
    uint32_t sample;
    int64_t n;      /* tokens */
    int32_t *ids;   /* (n) */
    float *logp;    /* (n) of the distribution sampled from (T = 1 when greedy) */
    float *logp_full; /* (n) after temperature only; == logp without truncation and processors */
    rein_kept *kept;/* (n) what each token was drawn from */
    rein_gen_turn *turn; /* (n_turn) in order, the first begins at 0 */
    int64_t n_turn, cap_turn;
    rein_finish finish; /* of the last turn; REIN_FINISH_LENGTH also where a world's answer had no room */
    int64_t stop;   /* the stop string that ended it; -1: none */
    int64_t stop_bytes; /* from that string's first byte to the end of the text */
} rein_gen_sequence;

/** Tokens of a sequence that the model chose. */
int64_t rein_gen_chosen(const rein_gen_sequence *seq);

typedef struct rein_gen {
    rein_gen_sequence *seq; /* (n_seq) prompts in order, samples in order */
    int64_t n_seq;
    const char *not_for_training; /* why a trainer cannot repeat the sampler's distributions; NULL: it can */
    int64_t prefill_rows, decode_rows; /* rows computed: every prompt token once, whatever the group's size */
    rein_arena arena;
} rein_gen;

/** Called after every decode step (for progress): sequences finished, of all. May be NULL. */
typedef void (*rein_gen_progress)(void *user, int64_t done, int64_t all, int64_t tokens);

/**
 * Generate.
 *
 * @return REIN_ERR_ARG if a prompt is empty, holds an id outside the vocabulary, prompt + max_new_tokens exceeds the
 *         model's positions, or processors leave no token to choose; REIN_ERR_NUMERIC if a logit is not finite.
 */
REIN_NODISCARD rein_status rein_generate(rein_gen *out, const rein_model *model, const rein_gen_prompt *prompts,
                                         int64_t n_prompts, const rein_gen_options *options, rein_gen_progress progress,
                                         void *user);
void rein_gen_deinit(rein_gen *gen);

/** Text of a sequence, appended: its tokens, without the stop string that ended it (and what is behind) unless
 *  `with_stop`. */
REIN_NODISCARD rein_status rein_gen_text(rein_str *out, const rein_gen_sequence *seq, const rein_gen_options *options,
                                         bool skip_special, bool with_stop);

#endif
