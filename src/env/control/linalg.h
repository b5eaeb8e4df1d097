/*
 * Small dense linear algebra in double precision: what a Riccati equation of a few states needs.
 *
 * Matrices are row-major arrays of at most REIN_LIN_MAX rows and columns; sizes are the caller's business (asserted).
 */
#ifndef REIN_ENV_CONTROL_LINALG_H
#define REIN_ENV_CONTROL_LINALG_H

#include "base/base.h"

enum { REIN_LIN_MAX = 8, REIN_LIN_CELLS = REIN_LIN_MAX * REIN_LIN_MAX };

/** out (n,m) = a (n,k) b (k,m). out may not alias. */
void rein_lin_mul(double *out, const double *a, const double *b, int n, int k, int m);
/** out (m,n) = transpose of a (n,m). out may not alias. */
void rein_lin_transpose(double *out, const double *a, int n, int m);

/**
 * Solve a x = b by Gaussian elimination with partial pivoting.
 *
 * @param[in,out] b  (n,m) right-hand sides, replaced by x.
 * @param         a  (n,n), unchanged.
 * @return REIN_ERR_NUMERIC if a is singular or not finite.
 */
REIN_NODISCARD rein_status rein_lin_solve(double *b, const double *a, int n, int m);

/**
 * Eigenvalues of a real matrix by the shifted QR iteration in complex arithmetic, in order of deflation.
 *
 * @param[out] re, im  (n)
 * @return REIN_ERR_NUMERIC if the iteration does not converge.
 */
REIN_NODISCARD rein_status rein_lin_eigenvalues(double *re, double *im, const double *a, int n);

/** A discrete linear-quadratic problem: x' = A x + B u, cost sum x'Qx + u'Ru. */
typedef struct rein_lqr_problem {
    int n, m;                 /* states <= REIN_LIN_MAX, inputs <= 4 */
    double A[REIN_LIN_CELLS]; /* (n,n) */
    double B[REIN_LIN_CELLS]; /* (n,m) */
    double Q[REIN_LIN_CELLS]; /* (n,n) symmetric, positive semi-definite */
    double R[REIN_LIN_CELLS]; /* (m,m) symmetric, positive definite */
} rein_lqr_problem;

/**
 * Stabilising solution of the discrete algebraic Riccati equation and its feedback, u = -K x.
 *
 * @param[out] K  (m,n)
 * @param[out] P  (n,n) symmetric
 * @return REIN_ERR_ARG for sizes out of range or a Q or R that is not symmetric; REIN_ERR_NUMERIC if R is singular or
 * the doubling does not converge (not stabilisable).
 * @see    Chu, Fan, Lin, Wang 2004, "Structure-preserving algorithms for periodic discrete-time algebraic Riccati
 *         equations", Int. J. Control 77(8): the doubling keeps A, G, H; the error squares in each step.
 */
REIN_NODISCARD rein_status rein_lqr_solve(double *K, double *P, const rein_lqr_problem *problem);

#endif
