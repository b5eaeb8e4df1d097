/*
 * Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum whose matrix is made nearly orthogonal by a
 * quintic Newton-Schulz iteration, with Nesterov's step and the scale of Liu et al. 2025 (arXiv:2502.16982), which
 * gives an update the size of AdamW's, so that one learning rate serves all tensors.
 *
 *   m = mu m + (1 - mu) g;   u = (1 - mu) g + mu m;   X = u / max(|u|, 1e-7)          |.| is the Frobenius norm
 *   X = a X + (b A + c A A) X, A = X X^T, ns_steps times                               X has no more rows than columns
 *   p = (1 - lr wd) p - 0.2 sqrt(max(rows, cols)) lr X
 *
 * Everything is f32 through the device's ops, so every product is a chain in their stated order: the same bits for any
 * number of threads and any instruction set. A is symmetric bit for bit.
 */
#include <math.h>
#include <string.h>

#include "base/sum.h"
#include "optim/rule.h"

/* Coefficients of the iteration: Jordan's. */
static const float ns_a = 3.4445f, ns_b = -4.7750f, ns_c = 2.0315f;

enum { SUMSQ_BLOCK = 4096 };

/* Where a step's matrices lie in its scratch: short <= long are the sides of the parameter. */
typedef struct muon {
    const rein_optim_tensor *t;
    int64_t S, L;
    float *x, *y;         /* (S, L) */
    float *gram, *square; /* (S, S) */
    double *blocks;       /* of the sum of squares */
} muon;

static int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }
static int64_t blocks_of(int64_t n) { return (n + SUMSQ_BLOCK - 1) / SUMSQ_BLOCK; }
static int64_t shorter(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t scratch(int64_t rows, int64_t cols) {
    int64_t S = shorter(rows, cols);
    return padded(2 * blocks_of(rows * cols)) + 2 * padded(rows * cols) + 2 * padded(S * S);
}

static muon layout(const rein_optim_tensor *t) {
    muon m = {.t = t, .S = shorter(t->rows, t->cols), .blocks = (double *)(void *)t->scratch};
    m.L = t->n / m.S;
    m.x = t->scratch + padded(2 * blocks_of(t->n));
    m.y = m.x + padded(t->n);
    m.gram = m.y + padded(t->n);
    m.square = m.gram + padded(m.S * m.S);
    return m;
}

/* to (cols, rows) = from (rows, cols) turned. */
static void transpose(float *to, const float *from, int64_t rows, int64_t cols) {
    for (int64_t j = 0; j < cols; j++)
        for (int64_t i = 0; i < rows; i++) to[j * rows + i] = from[i * cols + j];
}

/* The momentum, and u in x, turned to (S, L). */
static void direction(const muon *m, float mu, float grad_scale) {
    const rein_optim_tensor *t = m->t;
    const rein_ops *ops = t->dev->ops;
    float *state = t->state[0].f32;
    memcpy(m->x, t->grad, (size_t)t->n * sizeof(float));
    ops->scale(t->dev, m->x, (1 - mu) * grad_scale, t->n);
    ops->scale(t->dev, state, mu, t->n);
    ops->add(t->dev, state, state, m->x, t->n);
    memcpy(m->y, state, (size_t)t->n * sizeof(float));
    ops->scale(t->dev, m->y, mu, t->n);
    ops->add(t->dev, m->x, m->x, m->y, t->n);
    if (t->rows == m->S) return;
    memcpy(m->y, m->x, (size_t)t->n * sizeof(float));
    transpose(m->x, m->y, t->rows, t->cols);
}

static void normalise(const muon *m) {
    const rein_optim_tensor *t = m->t;
    t->dev->ops->sumsq(t->dev, m->blocks, m->x, t->n);
    double norm = sqrt(rein_pairwise_sum(m->blocks, blocks_of(t->n)));
    t->dev->ops->scale(t->dev, m->x, (float)(1 / fmax(norm, 1e-7)), t->n);
}

static void newton_schulz(const muon *m) {
    rein_device *dev = m->t->dev;
    const rein_ops *ops = dev->ops;
    int64_t S = m->S, L = m->L;
    const rein_weight x = {.rows = m->x, .N = S, .K = L, .dtype = REIN_F32};
    const rein_weight gram = {.rows = m->gram, .N = S, .K = S, .dtype = REIN_F32};
    ops->linear(dev, m->gram, S, m->x, L, x, NULL, S);
    ops->linear(dev, m->square, S, m->gram, S, gram, NULL, S);
    ops->scale(dev, m->square, ns_c, S * S);
    ops->scale(dev, m->gram, ns_b, S * S);
    ops->add(dev, m->gram, m->gram, m->square, S * S);
    ops->linear_dx(dev, m->y, m->gram, S, x, S);
    ops->scale(dev, m->x, ns_a, S * L);
    ops->add(dev, m->x, m->x, m->y, S * L);
}

static void step(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args) {
    muon m = layout(t);
    const rein_ops *ops = t->dev->ops;
    float rate = (float)(-0.2 * sqrt((double)m.L) * args.learning_rate), *update = m.x;
    direction(&m, (float)opt->muon_momentum, args.grad_scale);
    normalise(&m);
    for (int64_t i = 0; i < opt->ns_steps; i++) newton_schulz(&m);
    if (t->rows != m.S) transpose(update = m.y, m.x, m.S, m.L);
    ops->scale(t->dev, update, rate, t->n);
    ops->scale(t->dev, t->p, (float)(1 - args.learning_rate * t->weight_decay), t->n);
    ops->add(t->dev, t->p, t->p, update, t->n);
}

const rein_optim_rule rein_rule_muon = {.state = {REIN_STATE_F32}, .scratch = scratch, .step = step};
