/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 *
 * A draw is a pure function of (seed, stream, counter), so it never depends on the order in which work is done.
 */
#ifndef REIN_BASE_RANDOM_H
#define REIN_BASE_RANDOM_H

#include <stdint.h>

/** What a draw is for; a part of the key, so that two uses never share numbers. Values are part of the run format. */
typedef enum rein_stream {
    REIN_STREAM_INIT = 1,    /* weights: counter = tensor, element */
    REIN_STREAM_SAMPLE = 2,  /* tokens: counter = step, prompt, sample, position */
    REIN_STREAM_DATA = 3,    /* data generation: counter = record, draw */
    REIN_STREAM_SHUFFLE = 4, /* order of a data set: counter = epoch, index */
    REIN_STREAM_TASK = 5,    /* tasks of a step: counter = step, prompt, draw */
    REIN_STREAM_EVAL = 6,    /* evaluation tasks and samples: counter = case, sample, position */
    REIN_STREAM_BOOTSTRAP = 7,
    REIN_STREAM_DROPOUT = 8,     /* key of a pass's dropout: counter = step, iteration */
    REIN_STREAM_CLIP_COV = 11,   /* tokens that clip_cov leaves out: counter = step, micro-batch, token */
    REIN_STREAM_CURRICULUM = 12, /* choice of tasks: counter = step, slot or task, draw */
    REIN_STREAM_ROUND = 13,      /* key of a tensor's stochastic rounding: counter = update, tensor */
    REIN_STREAM_NOISE = 16,      /* key of a pass's noise on embeddings: counter = step */
    REIN_STREAM_MIX = 17,        /* kinds of steps: counter = step */
    REIN_STREAM_SWEEP = 18,      /* settings of a random search: counter = point, setting */
    REIN_STREAM_BACKOFF = 19     /* jitter of a wait before another attempt: counter = attempt; reaches no result */
} rein_stream;

/** Four words of Philox4x32-10. */
void rein_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/**
 * Four words for a use: counter (a, b, c, d); key = the two halves of m, where m is the seed after the finaliser of
 * splitmix64 with `stream` xored into its upper half:
 *
 *   m = seed;  m = (m ^ m >> 30) * 0xBF58476D1CE4E5B9;  m = (m ^ m >> 27) * 0x94D049BB133111EB;  m ^= m >> 31
 *   key[0] = low 32 bits of m;  key[1] = (high 32 bits of m) ^ stream
 *
 * For one stream different seeds have different keys (the finaliser is a bijection), and so have different streams of
 * one seed. This is a part of the run format.
 */
void rein_random4(uint32_t out[4], uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/** Uniform in [0, 1): the upper 53 bits of word 0 (high) and word 1 (low) of the draw, times 2^-53. */
double rein_random_uniform(uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/** Standard normal (Box-Muller on our own log, sin, cos), one per counter. */
double rein_random_normal(uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/** Uniform integer in [0, n), n >= 1, without bias worth the name (64-bit multiply-shift). */
uint64_t rein_random_below(uint64_t n, uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c,
                           uint32_t d);

/** A permutation of 0 .. n-1 that is a pure function of (seed, epoch): where row `i` of the epoch lies (stream
 *  REIN_STREAM_SHUFFLE). Costs the same for any n. */
int64_t rein_random_place(int64_t i, int64_t n, uint64_t seed, uint32_t epoch);

#endif
