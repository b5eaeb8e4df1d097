/* Which tasks a step gets; see online_loop.h. */
#include <math.h>

#include "train/online_loop.h"

enum { RADIUS_TRIES = 100000 }; /* tasks looked at for one inside the radius */

static rein_status task_at(const rein_online *o, int64_t index, rein_task *out) {
    return o->env->cls->task(o->env, (uint64_t)o->t.args->seed, REIN_SPLIT_TRAIN, index, out);
}

static rein_status difficulty_of(const rein_online *o, const rein_task *task, double *out) {
    if (o->env->cls->difficulty) return o->env->cls->difficulty(o->env, task, out);
    return rein_fail(REIN_ERR_USAGE, "curriculum %s goes by difficulty, which environment '%s' does not know",
                     o->t.args->curriculum == REIN_ONLINE_RADIUS ? "radius" : "mix", o->env->cls->name);
}

/* ---- a pool of known tasks ---- */

static rein_status set_levels(rein_online *o) {
    rein_online_pool *p = &o->pool;
    REIN_TRY(rein_alloc(&p->level, o->t.args->curriculum_tasks, sizeof *p->level));
    for (int64_t i = 0; i < o->t.args->curriculum_tasks; i++) {
        rein_task task;
        double x;
        REIN_TRY(task_at(o, i, &task));
        REIN_TRY(difficulty_of(o, &task, &x));
        p->level[i] = x < 1.0 / REIN_LEVELS ? 0 : x < 2.0 / REIN_LEVELS ? 1 : 2;
    }
    return REIN_OK;
}

rein_status rein_online_pool_init(rein_online *o) {
    const rein_train_args *a = o->t.args;
    if (!rein_online_has_pool(a)) return REIN_OK;
    REIN_TRY(rein_alloc(&o->pool.chosen, o->P, sizeof *o->pool.chosen));
    REIN_TRY(rein_alloc(&o->pool.success, o->P, sizeof *o->pool.success));
    if (o->opt.curriculum.kind == REIN_CURRICULUM_MIX) REIN_TRY(set_levels(o));
    return rein_curriculum_init(&o->pool.record, a->curriculum_tasks, o->pool.level, &o->opt.curriculum);
}

void rein_online_pool_deinit(rein_online *o) {
    rein_curriculum_deinit(&o->pool.record);
    rein_free(o->pool.level);
    rein_free(o->pool.chosen);
    rein_free(o->pool.success);
    o->pool = (rein_online_pool){0};
}

static rein_status choose(rein_online *o, rein_task *tasks) {
    rein_online_pool *p = &o->pool;
    rein_curriculum_choose(p->chosen, o->P, &p->record, &o->opt.curriculum, (uint64_t)o->t.args->seed, o->t.step);
    for (int64_t i = 0; i < o->P; i++) REIN_TRY(task_at(o, p->chosen[i], &tasks[i]));
    return REIN_OK;
}

rein_status rein_online_pool_record(rein_online *o) {
    const rein_train_args *a = o->t.args;
    if (!rein_online_has_pool(a)) return REIN_OK;
    for (int64_t p = 0; p < o->P; p++) {
        double sum = 0;
        for (int64_t i = p * o->G; i < (p + 1) * o->G; i++) {
            const rein_score *s = &o->rollouts.score[i];
            sum += a->curriculum_by == REIN_BY_REWARD ? fmin(fmax(s->total, 0), 1) : (double)s->success;
        }
        o->pool.success[p] = sum / (double)o->G;
    }
    return rein_curriculum_add(&o->pool.record, o->pool.chosen, o->pool.success, o->P);
}

/* ---- further tasks of the environment's own order ---- */

double rein_online_radius(const rein_online *o) {
    const rein_train_args *a = o->t.args;
    return rein_curriculum_radius(a->curriculum_radius, a->curriculum_steps, o->t.step);
}

static rein_status next_inside(rein_online *o, rein_task *task) {
    double radius = rein_online_radius(o), x = 0;
    for (int64_t k = 0; k < RADIUS_TRIES; k++) {
        REIN_TRY(task_at(o, o->state.drawn++, task));
        REIN_TRY(difficulty_of(o, task, &x));
        if (x <= radius) return REIN_OK;
    }
    return rein_fail(REIN_ERR_USAGE, "no task among %d has a difficulty of at most %g: a larger curriculum_radius",
                     RADIUS_TRIES, radius);
}

rein_status rein_online_draw(rein_online *o, rein_task *tasks, int64_t n) {
    if (rein_online_has_pool(o->t.args)) return choose(o, tasks);
    bool radius = o->t.args->curriculum == REIN_ONLINE_RADIUS;
    for (int64_t p = 0; p < n; p++)
        REIN_TRY(radius ? next_inside(o, &tasks[p]) : task_at(o, o->state.drawn++, &tasks[p]));
    return REIN_OK;
}
