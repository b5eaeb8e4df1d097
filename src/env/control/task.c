/*
 * Starts: grid points of 0.01, split by a fixed hash.
 *
 * Held out are the points whose hash is 0 modulo 16 and the published starts. The hash depends on nothing but the
 * point, so train and evaluation never share a start, whatever seed, radius or curriculum.
 */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "env/control/control.h"

enum { GRID = 100, HELD_OUT = 16 };

static void point_hash(uint32_t hash[4], const int32_t point[2]) {
    static const uint32_t key[2] = {0x7265696e, 0x636f6e74};
    const uint32_t counter[4] = {(uint32_t)point[0], (uint32_t)point[1], 0, 0};
    rein_philox(hash, counter, key);
}

static int32_t to_grid(double x) { return (int32_t)floor(x * GRID + 0.5); }

static bool is_fixed(const rein_system *s, const int32_t point[2]) {
    for (int64_t i = 0; i < s->n_fixed; i++)
        if (to_grid(s->fixed[i][0]) == point[0] && to_grid(s->fixed[i][1]) == point[1]) return true;
    return false;
}

static int compare_hash(const void *a, const void *b) {
    uint32_t one[4], two[4];
    point_hash(one, a);
    point_hash(two, b);
    for (int i = 1; i < 4; i++)
        if (one[i] != two[i]) return one[i] < two[i] ? -1 : 1;
    return 0;
}

rein_status rein_control_grid(rein_control *c) {
    const int32_t reach = (int32_t)floor(c->config.radius * GRID + 1e-9);
    const int64_t points = (2 * (int64_t)reach + 1) * (2 * (int64_t)reach + 1);
    REIN_TRY(rein_alloc(&c->train, points, sizeof *c->train));
    REIN_TRY(rein_alloc(&c->eval, points, sizeof *c->eval));
    for (int32_t i = -reach; i <= reach; i++)
        for (int32_t j = -reach; j <= reach; j++) {
            const int32_t point[2] = {i, j};
            uint32_t hash[4];
            if (is_fixed(c->plant.system, point)) continue;
            point_hash(hash, point);
            int32_t *place = hash[0] % HELD_OUT == 0 ? c->eval[c->n_eval++] : c->train[c->n_train++];
            place[0] = i;
            place[1] = j;
        }
    if (c->n_train == 0) return rein_fail(REIN_ERR_ARG, "radius %g leaves no start to train on", c->config.radius);
    qsort(c->eval, (size_t)c->n_eval, sizeof *c->eval, compare_hash);
    return REIN_OK;
}

/* i / 100 is the double nearest to the decimal that %.2f prints, which is what the prompt's reader gets. */
static rein_task task_of(const int32_t point[2]) {
    return (rein_task){.key = (uint64_t)(uint32_t)point[0] << 32 | (uint32_t)point[1],
                       .number = {(double)point[0] / GRID, (double)point[1] / GRID}};
}

rein_task rein_control_task_at(const double state[2]) {
    const int32_t point[2] = {to_grid(state[0]), to_grid(state[1])};
    rein_task task = task_of(point);
    task.number[0] = state[0];
    task.number[1] = state[1];
    return task;
}

rein_status rein_control_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index, rein_task *out) {
    const rein_control *c = (const rein_control *)env;
    const int64_t count = split == REIN_SPLIT_EVAL    ? c->n_eval
                          : split == REIN_SPLIT_FIXED ? c->plant.system->n_fixed
                                                      : INT64_MAX;
    if (index < 0 || index >= count)
        return rein_fail(REIN_ERR_ARG, "start %lld of %lld: ask for fewer, or a larger radius", (long long)index,
                         (long long)count);
    const uint32_t low = (uint32_t)index, high = (uint32_t)((uint64_t)index >> 32);
    if (split == REIN_SPLIT_FIXED) {
        *out = rein_control_task_at(c->plant.system->fixed[index]);
    } else if (split == REIN_SPLIT_EVAL) {
        /* consecutive held-out points from a place that the seed chooses: distinct */
        uint64_t first = rein_random_below((uint64_t)count, seed, REIN_STREAM_TASK, 0, 0, (uint32_t)split, 0);
        *out = task_of(c->eval[(first + (uint64_t)index) % (uint64_t)count]);
    } else {
        *out = task_of(
            c->train[rein_random_below((uint64_t)c->n_train, seed, REIN_STREAM_TASK, low, high, (uint32_t)split, 0)]);
    }
    out->index = index;
    return REIN_OK;
}
