/*
 * One list of cases, op x shapes, that runs on any op table: the tuned tables are compared with the reference over it,
 * bit for bit. Every buffer of a case, inputs too, has guards around it and is compared whole, so a store outside an
 * output is a difference as well. Buffers start at odd addresses: the op table promises no alignment.
 */
#ifndef REIN_TESTS_OP_CASES_H
#define REIN_TESTS_OP_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/device.h"

enum { OP_BUFFERS = 48, OP_PARAMS = 8 };

typedef struct op_buffer {
    const char *name;
    float *block; /* guard, then the data, then guard */
    int64_t n;    /* floats of the whole block */
    int64_t lead; /* floats before the data */
} op_buffer;

/** One execution of one case on one device. */
typedef struct op_run {
    rein_device *dev;
    uint64_t random;
    int n_buffers;
    op_buffer buffer[OP_BUFFERS];
} op_run;

typedef struct op_case {
    const char *op;
    void (*run)(op_run *r, const int64_t *p);
    int64_t p[OP_PARAMS]; /* shapes, in the order of the case's run function */
} op_case;

typedef void (*op_visit)(void *user, const op_case *c);

/* The list, in groups. */
void op_cases_linear(op_visit visit, void *user);
void op_cases_stored(op_visit visit, void *user);
void op_cases_adapter(op_visit visit, void *user);
void op_cases_rows(op_visit visit, void *user);
void op_cases_attention(op_visit visit, void *user);
void op_cases_logprob(op_visit visit, void *user);
void op_cases_optim(op_visit visit, void *user);

/** Run a case; release it with op_run_free. Aborts when out of memory. */
void op_case_run(op_run *r, rein_device *dev, const op_case *c);
void op_run_free(op_run *r);

/** A new buffer of n floats in [-1, 1), some of them zeros of both signs. */
float *op_random(op_run *r, const char *name, int64_t n);
/** A new buffer of n floats that hold a pattern (a NaN). */
float *op_output(op_run *r, const char *name, int64_t n);
/** The same in bytes, aligned to 64: for integers and doubles. */
void *op_bytes(op_run *r, const char *name, int64_t bytes);
/** Next integer in [0, n). */
int64_t op_below(op_run *r, int64_t n);

/** Row ranges over `rows` rows: whole chunks, ragged with gaps, none at all, the last row only. */
enum { PLAN_FULL, PLAN_RAGGED, PLAN_NONE, PLAN_LAST, PLAN_KINDS };
rein_plan op_plan(op_run *r, int64_t kind, int64_t rows);

#endif
