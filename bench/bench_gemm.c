/*
 * GFLOP/s of the three products of a linear layer beside oneDNN, OpenBLAS and the machine's FMA peak, in one run.
 *
 *   bench_gemm [threads] [isa] [form] [max M] [dtype]       form: fwd, dx, dw or all
 *
 * With a dtype (BF16, Q8_0 ...) our weights are read as they are stored; without, the f32 ones are packed beforehand.
 *
 * Rounds run the contestants in turn, so that another load on the machine meets all of them; a figure is the median of
 * the rounds. Weights are packed outside the timing, as in training (once per optimiser step).
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/device.h"

#ifdef REIN_BENCH_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif
#ifdef REIN_BENCH_OPENBLAS
#include <cblas.h>
#endif
#ifdef REIN_HAVE_X86
#include <immintrin.h>
#endif

enum { ROUNDS = 7, OWN = 0, DNNL = 1, OPENBLAS = 2, CONTESTANTS = 3 };
static const double round_seconds = 0.004;

typedef enum form { FWD, DX, DW, FORMS } form;
static const char *const form_name[] = {"fwd", "dx", "dw"};

typedef struct shape {
    form f;
    int64_t M, N, K; /* rows; outputs and inputs of the layer */
} shape;

typedef struct bench {
    rein_device *dev;
    float *x, *y, *w, *packed;
    uint8_t *stored; /* NULL: f32 */
    rein_dtype dtype;
    int64_t (*range)[2];
} bench;

/* ---- the machine ---- */

#ifdef REIN_HAVE_X86
__attribute__((target("avx512f"))) static double fma_512(int64_t n) {
    __m512 c[12], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < 12; i++) c[i] = _mm512_set1_ps((float)i);
    for (int64_t k = 0; k < n; k++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) c[i] = _mm512_fmadd_ps(c[i], a, b);
    float sum = 0;
    for (int i = 0; i < 12; i++) sum += _mm512_reduce_add_ps(c[i]);
    return (double)sum;
}

__attribute__((target("avx2,fma"))) static double fma_256(int64_t n) {
    __m256 c[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int i = 0; i < 12; i++) c[i] = _mm256_set1_ps((float)i);
    for (int64_t k = 0; k < n; k++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) c[i] = _mm256_fmadd_ps(c[i], a, b);
    float out[8], sum = 0;
    for (int i = 0; i < 12; i++) {
        _mm256_storeu_ps(out, c[i]);
        for (int l = 0; l < 8; l++) sum += out[l];
    }
    return (double)sum;
}

/* GFLOP/s of independent fused multiply-adds in registers, best of a few: the limit of any kernel. */
static double fma_peak(int threads) {
    const int64_t n = 2000000;
    int wide = __builtin_cpu_supports("avx512f");
    double best = 0, sink = 0;
    for (int round = 0; round < 10; round++) {
        double begin = rein_clock();
#pragma omp parallel for num_threads(threads) reduction(+ : sink)
        for (int i = 0; i < threads; i++) sink += wide ? fma_512(n) : fma_256(n);
        double flops = 2.0 * 12.0 * (wide ? 16.0 : 8.0) * (double)n * threads / (rein_clock() - begin) * 1e-9;
        if (flops > best) best = flops;
    }
    return sink < 0 ? 0 : best;
}
#else
static double fma_peak(int threads) { return 0 * threads; }
#endif

/* ---- contestants: y (M, N) = x (M, K) w^T; dx (M, K) = y w; dw (N, K) += y^T x ---- */

static void run_own(const bench *b, shape s) {
    const rein_ops *ops = b->dev->ops;
    rein_weight w = {b->w, b->packed, s.N, s.K, REIN_F32};
    if (b->stored) w = (rein_weight){b->stored, NULL, s.N, s.K, b->dtype};
    if (s.f == FWD) ops->linear(b->dev, b->y, s.N, b->x, s.K, w, NULL, s.M);
    if (s.f == DX) ops->linear_dx(b->dev, b->x, b->y, s.N, w, s.M);
    if (s.f == DW) {
        rein_plan plan = {0, (const int64_t(*)[2])b->range};
        for (int64_t at = 0; at < s.M; at = b->range[plan.n++][1]) {
            b->range[plan.n][0] = at;
            b->range[plan.n][1] = at + REIN_CHUNK < s.M ? at + REIN_CHUNK : s.M;
        }
        ops->linear_dw(b->dev, b->w, b->y, s.N, b->x, s.K, &plan, s.N, s.K);
    }
}

static void run_dnnl(const bench *b, shape s) {
#ifdef REIN_BENCH_DNNL
    dnnl_status_t status = dnnl_success;
    if (s.f == FWD) status = dnnl_sgemm('N', 'T', s.M, s.N, s.K, 1, b->x, s.K, b->w, s.K, 0, b->y, s.N);
    if (s.f == DX) status = dnnl_sgemm('N', 'N', s.M, s.K, s.N, 1, b->y, s.N, b->w, s.K, 0, b->x, s.K);
    if (s.f == DW) status = dnnl_sgemm('T', 'N', s.N, s.K, s.M, 1, b->y, s.N, b->x, s.K, 1, b->w, s.K);
    REIN_ASSERT(status == dnnl_success);
#else
    (void)b, (void)s;
#endif
}

static void run_openblas(const bench *b, shape s) {
#ifdef REIN_BENCH_OPENBLAS
    int M = (int)s.M, N = (int)s.N, K = (int)s.K;
    if (s.f == FWD) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, M, N, K, 1, b->x, K, b->w, K, 0, b->y, N);
    if (s.f == DX) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, K, N, 1, b->y, N, b->w, K, 0, b->x, K);
    if (s.f == DW) cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, K, M, 1, b->y, N, b->x, K, 1, b->w, K);
#else
    (void)b, (void)s;
#endif
}

/* ---- timing ---- */

static double time_calls(void (*run)(const bench *b, shape s), const bench *b, shape s, int64_t calls) {
    double begin = rein_clock();
    for (int64_t i = 0; i < calls; i++) run(b, s);
    return (rein_clock() - begin) / (double)calls;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds a call of each contestant. */
static void time_shape(double seconds[CONTESTANTS], const bench *b, shape s) {
    static void (*const run[])(const bench *, shape) = {run_own, run_dnnl, run_openblas};
    double round[CONTESTANTS][ROUNDS];
    int64_t calls[CONTESTANTS];
    for (int c = 0; c < CONTESTANTS; c++) {
        double once = time_calls(run[c], b, s, 1); /* and warm */
        once = time_calls(run[c], b, s, 1);
        calls[c] = once > round_seconds ? 1 : (int64_t)(round_seconds / (once + 1e-7)) + 1;
    }
    for (int i = 0; i < ROUNDS; i++)
        for (int c = 0; c < CONTESTANTS; c++) round[c][i] = time_calls(run[c], b, s, calls[c]);
    for (int c = 0; c < CONTESTANTS; c++) {
        qsort(round[c], ROUNDS, sizeof(double), by_value);
        seconds[c] = round[c][ROUNDS / 2];
    }
}

static rein_status bench_open(bench *b, shape s) {
    int64_t padded = b->dev->ops->packed_size(s.N, s.K);
    REIN_TRY(rein_alloc(&b->x, s.M * s.K, sizeof(float)));
    REIN_TRY(rein_alloc(&b->y, s.M * s.N, sizeof(float)));
    REIN_TRY(rein_alloc(&b->w, s.N * s.K, sizeof(float)));
    REIN_TRY(rein_alloc(&b->packed, padded, sizeof(float)));
    REIN_TRY(rein_alloc(&b->range, s.M / REIN_CHUNK + 1, sizeof *b->range));
    for (int64_t i = 0; i < s.M * s.K; i++) b->x[i] = (float)(i % 17 - 8) * 0.01f;
    for (int64_t i = 0; i < s.M * s.N; i++) b->y[i] = (float)(i % 19 - 9) * 0.01f;
    for (int64_t i = 0; i < s.N * s.K; i++) b->w[i] = (float)(i % 23 - 11) * 0.01f;
    b->dev->ops->pack(b->dev, b->packed, b->w, s.N, s.K);
    if (b->dtype == REIN_F32) return REIN_OK;
    int64_t bytes = s.N * rein_dtype_bytes(b->dtype, s.K);
    REIN_TRY(rein_alloc(&b->stored, bytes, 1));
    memset(b->stored, 0x11, (size_t)bytes); /* whatever a byte means, this is small and finite */
    return REIN_OK;
}

static void bench_close(bench *b) {
    rein_free(b->x);
    rein_free(b->y);
    rein_free(b->w);
    rein_free(b->packed);
    rein_free(b->range);
    rein_free(b->stored);
    b->x = b->y = b->w = b->packed = NULL;
    b->range = NULL;
    b->stored = NULL;
}

static rein_status bench_shape(rein_device *dev, shape s, rein_dtype dtype, double peak) {
    bench b = {.dev = dev, .dtype = dtype};
    double seconds[CONTESTANTS], flop = 2e-9 * (double)s.M * (double)s.N * (double)s.K;
    REIN_TRY(bench_open(&b, s));
    time_shape(seconds, &b, s);
    bench_close(&b);
    double own = flop / seconds[OWN], dnnl = 0, blas = 0;
#ifdef REIN_BENCH_DNNL
    dnnl = flop / seconds[DNNL];
#endif
#ifdef REIN_BENCH_OPENBLAS
    blas = flop / seconds[OPENBLAS];
#endif
    double peer = dnnl > blas ? dnnl : blas;
    printf("| %-3s | %4lld x %5lld x %4lld | %6.1f | %6.1f | %6.1f | %5.2f | %3.0f %% |\n", form_name[s.f],
           (long long)s.M, (long long)s.N, (long long)s.K, own, dnnl, blas, peer > 0 ? own / peer : 0.0,
           100 * own / peak);
    fflush(stdout);
    return REIN_OK;
}

/* Debian's OpenBLAS falls back to an old kernel on processors newer than itself: name the kernel, and start again. */
static void wake_openblas(char **argv) {
#if defined(REIN_BENCH_OPENBLAS) && defined(REIN_HAVE_X86)
    const char *core = __builtin_cpu_supports("avx512f") ? "SKYLAKEX" : "HASWELL";
    if (getenv("OPENBLAS_CORETYPE") || !__builtin_cpu_supports("avx2")) return;
    if (setenv("OPENBLAS_CORETYPE", core, 1) == 0) execv("/proc/self/exe", argv);
#else
    (void)argv;
#endif
}

static rein_status run_all(rein_device *dev, const char *only, int64_t max_rows, rein_dtype dtype) {
    static const int64_t rows[] = {1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096};
    static const int64_t layer[][2] = {{512, 128}, {128, 128},  {704, 128},  {128, 352},  {960, 576},
                                       {576, 576}, {3072, 576}, {576, 1536}, {49152, 576}}; /* N, K */
    double peak = fma_peak(dev->threads);
    printf("%d threads, %s, weights %s; FMA peak %.1f GFLOP/s\n\n", dev->threads, dev->ops->name,
           rein_dtype_name(dtype), peak);
    printf("| form | M x N x K | rein | oneDNN | OpenBLAS | rein / best peer | of peak "
           "|\n|---|---|---|---|---|---|---|\n");
    for (int f = 0; f < FORMS; f++) {
        if (strcmp(only, "all") != 0 && strcmp(only, form_name[f]) != 0) continue;
        for (size_t l = 0; l < REIN_COUNT(layer); l++) {
            for (size_t m = 0; m < REIN_COUNT(rows); m++) {
                shape s = {(form)f, rows[m], layer[l][0], layer[l][1]};
                if (s.M > max_rows || s.M * s.N > 64 * 49152 || s.K % rein_dtype_block(dtype)) continue;
                REIN_TRY(bench_shape(dev, s, dtype, peak));
            }
        }
    }
    return REIN_OK;
}

int main(int argc, char **argv) {
    wake_openblas(argv);
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    const char *isa = argc > 2 && strcmp(argv[2], "best") != 0 ? argv[2] : NULL;
    rein_device *dev = NULL;
    rein_dtype dtype = REIN_F32;
    if (argc > 5 && (!rein_dtype_parse(&dtype, argv[5]) || !rein_dtype_is_weight(dtype))) {
        fprintf(stderr, "bench_gemm: '%s' is no dtype of weights\n", argv[5]);
        return 1;
    }
    rein_status status = rein_device_open_cpu(&dev, isa, threads);
    if (status == REIN_OK) {
        omp_set_num_threads(dev->threads);
#ifdef REIN_BENCH_OPENBLAS
        openblas_set_num_threads(dev->threads);
        printf("OpenBLAS kernel %s\n", openblas_get_corename());
#endif
        status = run_all(dev, argc > 3 ? argv[3] : "all", argc > 4 ? atoll(argv[4]) : 4096, dtype);
    }
    if (status != REIN_OK) fprintf(stderr, "bench_gemm: %s\n", rein_error_message());
    rein_device_close(dev);
    return status == REIN_OK ? 0 : 1;
}
