/*
 * What every online run must keep, whatever its options: its result depends neither on threads, kernels nor splits; a
 * step replays from a checkpoint; a killed and resumed run is the uninterrupted one.
 */
#ifndef REIN_ONLINE_JOBS_H
#define REIN_ONLINE_JOBS_H

#include "train_jobs.h"

static inline job named(const job *like, char buf[32], const char *suffix) {
    job j = *like;
    snprintf(buf, 32, "%s_%s", like->name, suffix);
    j.name = buf;
    return j;
}

static inline void job_add(job *j, const char *pair) {
    int i = 0;
    while (j->extra[i]) i++;
    assert_true(i < JOB_EXTRA - 1);
    j->extra[i] = pair;
}

static inline void keeps_its_promises(const workshop *shop, job j) {
    char split_name[32], killed_name[32];
    j.shop = shop;
    j.grpo = true;
    double start = rein_clock();
    assert_int_equal(job_wait(job_spawn(&j)), 0);
    double seconds = rein_clock() - start;
    job_replays(&j, 2, 3);
    job_replays(&j, 2, 4);
    job_replays(&j, 0, 1);
    job split = named(&j, split_name, "split"), killed = named(&j, killed_name, "killed");
    split.threads = 2;
    split.isa = "ref";
    job_add(&split, "microbatch_tokens=20");
    job_add(&split, "generation_batch=5");
    OK(job_run(&split));
    same_run(&j, &split);
    job_with_kills(killed, seconds, 1, 3);
    same_run(&j, &killed);
}

#endif
