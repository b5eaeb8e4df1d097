/* Small dense linear algebra and the eigenvalue iteration; see linalg.h. */
#include "env/control/linalg.h"

#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

void rein_lin_mul(double *out, const double *a, const double *b, int n, int k, int m) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++) sum = fma(a[i * k + l], b[l * m + j], sum);
            out[i * m + j] = sum;
        }
}

void rein_lin_transpose(double *out, const double *a, int n, int m) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++) out[j * n + i] = a[i * m + j];
}

static void swap_rows(double *a, int i, int j, int m) {
    for (int c = 0; c < m; c++) {
        double t = a[i * m + c];
        a[i * m + c] = a[j * m + c];
        a[j * m + c] = t;
    }
}

static void subtract_row(double *a, int i, int j, double factor, int m) {
    for (int c = 0; c < m; c++) a[i * m + c] -= factor * a[j * m + c];
}

rein_status rein_lin_solve(double *b, const double *a, int n, int m) {
    double lu[REIN_LIN_CELLS];
    REIN_ASSERT(n <= REIN_LIN_MAX && m <= REIN_LIN_MAX);
    memcpy(lu, a, sizeof(double) * (size_t)(n * n));
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(lu[i * n + k]) > fabs(lu[pivot * n + k])) pivot = i;
        if (!(fabs(lu[pivot * n + k]) > 0) || !isfinite(lu[pivot * n + k]))
            return rein_fail(REIN_ERR_NUMERIC, "a matrix of %d rows is singular", n);
        swap_rows(lu, k, pivot, n);
        swap_rows(b, k, pivot, m);
        for (int i = k + 1; i < n; i++) {
            double factor = lu[i * n + k] / lu[k * n + k];
            subtract_row(lu, i, k, factor, n);
            subtract_row(b, i, k, factor, m);
        }
    }
    for (int k = n - 1; k >= 0; k--)
        for (int c = 0; c < m; c++) {
            double sum = b[k * m + c];
            for (int j = k + 1; j < n; j++) sum -= lu[k * n + j] * b[j * m + c];
            b[k * m + c] = sum / lu[k * n + k];
        }
    return REIN_OK;
}

/* ---- eigenvalues ---- */

/* h (m,m leading block of stride n) becomes R Q + shift, where Q R = h - shift, by Gram-Schmidt done twice. */
static void qr_step(double complex *h, int n, int m, double complex shift) {
    double complex q[REIN_LIN_CELLS] = {0}, r[REIN_LIN_CELLS] = {0};
    for (int j = 0; j < m; j++) {
        for (int i = 0; i < m; i++) q[i * m + j] = h[i * n + j] - (i == j ? shift : 0);
        for (int pass = 0; pass < 2; pass++)
            for (int k = 0; k < j; k++) {
                double complex dot = 0;
                for (int i = 0; i < m; i++) dot += conj(q[i * m + k]) * q[i * m + j];
                for (int i = 0; i < m; i++) q[i * m + j] -= dot * q[i * m + k];
                r[k * m + j] += dot;
            }
        double norm = 0;
        for (int i = 0; i < m; i++) norm += creal(q[i * m + j] * conj(q[i * m + j]));
        norm = sqrt(norm);
        r[j * m + j] = norm;
        for (int i = 0; norm > 0 && i < m; i++) q[i * m + j] /= norm;
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            double complex sum = i == j ? shift : 0;
            for (int k = i; k < m; k++) sum += r[i * m + k] * q[k * m + j];
            h[i * n + j] = sum;
        }
}

/* The eigenvalue of the trailing 2x2 block nearest to its last entry (Wilkinson's shift). */
static double complex trailing_shift(const double complex *h, int n, int m) {
    double complex a = h[(m - 2) * n + m - 2], b = h[(m - 2) * n + m - 1];
    double complex c = h[(m - 1) * n + m - 2], d = h[(m - 1) * n + m - 1];
    double complex root = csqrt((a - d) * (a - d) / 4 + b * c);
    double complex one = (a + d) / 2 + root, two = (a + d) / 2 - root;
    return cabs(one - d) < cabs(two - d) ? one : two;
}

static bool last_row_is_zero(const double complex *h, int n, int m, double scale) {
    double sum = 0;
    for (int j = 0; j < m - 1; j++) sum += cabs(h[(m - 1) * n + j]);
    return sum <= 4 * DBL_EPSILON * scale;
}

rein_status rein_lin_eigenvalues(double *re, double *im, const double *a, int n) {
    enum { MAX_STEPS = 200 };
    double complex h[REIN_LIN_CELLS];
    double scale = 0;
    REIN_ASSERT(n <= REIN_LIN_MAX);
    for (int i = 0; i < n * n; i++) {
        h[i] = a[i];
        scale += fabs(a[i]);
    }
    for (int m = n; m > 0; m--) {
        int step = 0;
        while (m > 1 && !last_row_is_zero(h, n, m, scale)) {
            if (step++ == MAX_STEPS)
                return rein_fail(REIN_ERR_NUMERIC, "eigenvalues of a %dx%d matrix do not converge", n, n);
            /* an exceptional shift now and then breaks cycles of symmetric patterns */
            double complex shift = step % 11 == 10 ? cabs(h[(m - 1) * n]) + I * scale / n : trailing_shift(h, n, m);
            qr_step(h, n, m, shift);
        }
        re[m - 1] = creal(h[(m - 1) * n + m - 1]);
        im[m - 1] = cimag(h[(m - 1) * n + m - 1]);
    }
    return REIN_OK;
}
