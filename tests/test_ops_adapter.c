/* What the operations of adapters mean, beside their order: dropout by token, and the norm of an adapted weight. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "tensor/device.h"

enum { ROWS = 200, WIDTH = 70 };
static const uint64_t drop_key = 0xfedcba9876543210u;
static const uint32_t stream = 6;

typedef struct tokens {
    float x[ROWS * WIDTH], y[ROWS * WIDTH], again[ROWS * WIDTH];
    int64_t pos[ROWS];
    uint32_t row_id[ROWS];
} tokens;

static rein_device *open_best(void) {
    rein_device *dev = NULL;
    assert_int_equal(rein_device_open_cpu(&dev, NULL, 2), REIN_OK);
    return dev;
}

static tokens *some_tokens(void) {
    static tokens t;
    for (int64_t i = 0; i < ROWS * WIDTH; i++) t.x[i] = 1.0f + (float)(i % 13);
    for (int64_t i = 0; i < ROWS; i++) {
        t.pos[i] = i % 20;
        t.row_id[i] = (uint32_t)(i / 20 + 1000000);
    }
    return &t;
}

static void drop(rein_device *dev, float *y, const tokens *t, int64_t first, int64_t n, float p) {
    dev->ops->dropout(dev, y + first * WIDTH, t->x + first * WIDTH, p, drop_key, stream, t->pos + first,
                      t->row_id + first, n, WIDTH);
}

/* Each element is kept, times 1 / (1 - p), or zero, by the word of its own token; in any batch. */
static void test_dropout(void **state) {
    (void)state;
    rein_device *dev = open_best();
    tokens *t = some_tokens();
    int64_t dropped = 0;
    const float p = 0.3f;
    drop(dev, t->y, t, 0, ROWS, p);
    for (int64_t i = 0; i < ROWS * WIDTH; i++) {
        int64_t row = i / WIDTH, k = i % WIDTH;
        uint32_t word[4], counter[] = {(uint32_t)(k / 4), (uint32_t)t->pos[row], t->row_id[row], stream};
        rein_philox(word, counter, (const uint32_t[]){0x76543210u, 0xfedcba98u});
        int keep = (double)(word[k % 4] >> 8) / 16777216.0 >= (double)p;
        assert_true(t->y[i] == (keep ? t->x[i] * (1 / (1 - p)) : 0));
        dropped += !keep;
    }
    double share = (double)dropped / (ROWS * WIDTH), deviation = sqrt(0.3 * 0.7 / (ROWS * WIDTH));
    assert_true(fabs(share - 0.3) < 4 * deviation);
    for (int64_t i = 0; i < ROWS; i += 50) drop(dev, t->again, t, i, 50, p);
    assert_memory_equal(t->y, t->again, sizeof t->y);
    drop(dev, t->again, t, 0, ROWS, 0);
    assert_memory_equal(t->again, t->x, sizeof t->x);
    rein_device_close(dev);
}

/* The norm of w + s b a against sums in double over a weight of two units a row. */
static void test_adapted_norm(void **state) {
    (void)state;
    enum { N = 5, K = 64, R = 3 };
    rein_device *dev = open_best();
    float w[N * K], a[R * K], b[N * R], norm[N];
    uint8_t stored[N * K / 32 * 34];
    for (int i = 0; i < N * K; i++) w[i] = (float)(i * 37 % 101 - 50) * 0.01f;
    for (int i = 0; i < R * K; i++) a[i] = (float)(i * 29 % 17 - 8) * 0.05f;
    for (int i = 0; i < N * R; i++) b[i] = (float)(i * 5 % 7 - 3) * 0.3f;
    rein_quantize(stored, REIN_Q8_0, w, N * K);
    rein_dequantize(w, REIN_Q8_0, stored, 0, N * K);
    dev->ops->adapted_norm(dev, norm, (rein_weight){stored, NULL, N, K, REIN_Q8_0}, a, b, 0.5f, R);
    for (int n = 0; n < N; n++) {
        double sum = 0;
        for (int k = 0; k < K; k++) {
            double u = 0;
            for (int r = 0; r < R; r++) u += (double)b[n * R + r] * (double)a[r * K + k];
            u = 0.5 * u + (double)w[n * K + k];
            sum += u * u;
        }
        assert_true(fabs((double)norm[n] / sqrt(sum) - 1) < 1e-6);
    }
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_adapted_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
