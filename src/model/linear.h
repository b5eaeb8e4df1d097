/* Linear layers of a pass, adapted or not: forward and backward; see lora.h for the order of an adapter's operations. */
#ifndef REIN_MODEL_LINEAR_H
#define REIN_MODEL_LINEAR_H

#include "model/pass.h"

/** Rows that go through linear layers, and what they need. */
typedef struct rein_linear_rows {
    const rein_pass *pass;
    const rein_batch *batch;
    float *lora;   /* the layer's activations of adapters, kept from forward to backward */
    float *u;      /* scratch; NULL without an adapter: (T, R) */
    float *y;      /* (T, N) */
    float *x, *dx; /* (T, K) */
} rein_linear_rows;

/** Floats of scratch that rows of `model` need for T rows. */
int64_t rein_linear_scratch(const rein_model *model, int64_t T);

/** The rows of a batch, with the pass's scratch. */
rein_linear_rows rein_linear_rows_of(const rein_pass *pass, const rein_batch *batch, float *lora);

/** y (T, N) = x (T, K) W^T + bias. */
void rein_linear_forward(const rein_linear_rows *rows, const rein_linear *lin, float *y, const float *x);

/** dx (T, K) of dy (T, N), and the gradients of what is trained, added to gw (the flat layout). */
void rein_linear_backward(const rein_linear_rows *rows, const rein_linear *lin, float *dx, const float *dy, const float *x,
                          const rein_plan *plan, float *gw);

#endif
