/* The discrete algebraic Riccati equation by structure-preserving doubling; see rein_lqr_solve in linalg.h. */
#include <math.h>
#include <string.h>

#include "env/control/linalg.h"

enum { MAX_INPUTS = 4, MAX_DOUBLINGS = 60 };

/* State of the doubling: A -> 0, H -> P. */
typedef struct doubling {
    int n;
    double A[REIN_LIN_CELLS], G[REIN_LIN_CELLS], H[REIN_LIN_CELLS];
} doubling;

static void add_symmetric(double *sum, const double *term, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double value = sum[i * n + j] + 0.5 * (term[i * n + j] + term[j * n + i]);
            sum[i * n + j] = sum[j * n + i] = value;
        }
}

static double max_abs(const double *a, int cells) {
    double top = 0;
    for (int i = 0; i < cells; i++) top = fmax(top, fabs(a[i]));
    return top;
}

/* One doubling: with W = I + G H,  A <- A W^-1 A,  G <- G + A W^-1 G A',  H <- H + A' H W^-1 A. */
static rein_status doubling_step(doubling *d, double *change) {
    const int n = d->n;
    double W[REIN_LIN_CELLS], At[REIN_LIN_CELLS], WA[REIN_LIN_CELLS], WG[REIN_LIN_CELLS];
    double T[REIN_LIN_CELLS], U[REIN_LIN_CELLS];
    rein_lin_mul(W, d->G, d->H, n, n, n);
    for (int i = 0; i < n; i++) W[i * n + i] += 1;
    memcpy(WA, d->A, sizeof WA);
    memcpy(WG, d->G, sizeof WG);
    REIN_TRY(rein_lin_solve(WA, W, n, n));
    REIN_TRY(rein_lin_solve(WG, W, n, n));
    rein_lin_transpose(At, d->A, n, n);

    rein_lin_mul(T, d->H, WA, n, n, n);
    rein_lin_mul(U, At, T, n, n, n);
    *change = max_abs(U, n * n);
    add_symmetric(d->H, U, n);

    rein_lin_mul(T, d->A, WG, n, n, n);
    rein_lin_mul(U, T, At, n, n, n);
    add_symmetric(d->G, U, n);

    rein_lin_mul(T, d->A, WA, n, n, n);
    memcpy(d->A, T, sizeof(double) * (size_t)(n * n));
    return REIN_OK;
}

static bool is_symmetric(const double *a, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (!(fabs(a[i * n + j] - a[j * n + i]) <= 1e-12 * (fabs(a[i * n + j]) + fabs(a[j * n + i])))) return false;
    return true;
}

static rein_status check_problem(const rein_lqr_problem *p) {
    if (p->n < 1 || p->n > REIN_LIN_MAX || p->m < 1 || p->m > MAX_INPUTS)
        return rein_fail(REIN_ERR_ARG, "%d states and %d inputs; 1 to %d and 1 to %d are possible", p->n, p->m,
                         REIN_LIN_MAX, MAX_INPUTS);
    if (!is_symmetric(p->Q, p->n) || !is_symmetric(p->R, p->m))
        return rein_fail(REIN_ERR_ARG, "Q and R must be symmetric");
    for (int i = 0; i < p->m; i++)
        if (!(p->R[i * p->m + i] > 0))
            return rein_fail(REIN_ERR_ARG, "R must be positive definite, its diagonal holds %g", p->R[i * p->m + i]);
    return REIN_OK;
}

/* K = (R + B'PB)^-1 B'PA */
static rein_status feedback(double *K, const double *P, const rein_lqr_problem *p) {
    double Bt[REIN_LIN_CELLS], BtP[REIN_LIN_CELLS], S[REIN_LIN_CELLS];
    rein_lin_transpose(Bt, p->B, p->n, p->m);
    rein_lin_mul(BtP, Bt, P, p->m, p->n, p->n);
    rein_lin_mul(S, BtP, p->B, p->m, p->n, p->m);
    for (int i = 0; i < p->m * p->m; i++) S[i] += p->R[i];
    rein_lin_mul(K, BtP, p->A, p->m, p->n, p->n);
    return rein_lin_solve(K, S, p->m, p->n);
}

rein_status rein_lqr_solve(double *K, double *P, const rein_lqr_problem *p) {
    double RB[REIN_LIN_CELLS], change = 0;
    doubling d = {.n = p->n};
    REIN_TRY(check_problem(p));
    rein_lin_transpose(RB, p->B, p->n, p->m);
    REIN_TRY(rein_lin_solve(RB, p->R, p->m, p->n));
    rein_lin_mul(d.G, p->B, RB, p->n, p->m, p->n);
    memcpy(d.A, p->A, sizeof d.A);
    memcpy(d.H, p->Q, sizeof d.H);
    for (int step = 0; step == 0 || change > 1e-17 * max_abs(d.H, p->n * p->n); step++) {
        if (step == MAX_DOUBLINGS || doubling_step(&d, &change) != REIN_OK || !isfinite(change))
            return rein_fail(REIN_ERR_NUMERIC, "the Riccati equation has no stabilising solution (%d doublings)", step);
    }
    memcpy(P, d.H, sizeof(double) * (size_t)(p->n * p->n));
    return feedback(K, P, p);
}
