/* Small runs of the trainings on rows (train/offline.h) for tests, over the workshop of train_jobs.h. */
#ifndef REIN_OFFLINE_JOBS_H
#define REIN_OFFLINE_JOBS_H

#include "train/kinds.h"
#include "train/offline.h"
#include "train/verify.h"
#include "train_jobs.h"

/* `job.name`, `job.extra`, `job.isa`, `job.threads`, `job.resume` and `job.die_at` are read; the run has 6 steps. */
typedef struct rows_job {
    job job;
    const char *kind, *data; /* file of the workshop, or NULL */
    const char *model;       /* folder of the workshop; NULL: model */
} rows_job;

static const char *const rows_base[] = {"max_steps=6",
                                        "per_device_train_batch_size=2",
                                        "gradient_accumulation_steps=2",
                                        "learning_rate=0.01",
                                        "save_steps=2",
                                        "seed=7",
                                        NULL};

/* A run's options; pair with rein_options_deinit. */
static inline void rows_options(rein_options *opts, rein_train_args *args, const rows_job *r) {
    const job *j = &r->job;
    char path[JOB_PATH];
    OK(rein_options_init_use(opts, rein_train_rows, rein_train_kind_of(r->kind)->use, args));
    job_path(path, j, "");
    OK(rein_options_set(opts, "output_dir", path, 2, "test"));
    snprintf(path, sizeof path, "%s/%s", j->shop->dir, r->model ? r->model : "model");
    OK(rein_options_set(opts, "model_name_or_path", path, 2, "test"));
    snprintf(path, sizeof path, "%s/%s", j->shop->dir, r->data ? r->data : "");
    if (r->data) OK(rein_options_set(opts, "dataset_name", path, 2, "test"));
    if (j->resume) OK(rein_options_set(opts, "resume_from_checkpoint", "true", 2, "test"));
    set_pairs(opts, rows_base, 1);
    set_pairs(opts, j->extra, 2);
}

static inline rein_status rows_run(const rows_job *r) {
    const job *j = &r->job;
    int64_t die_at = j->die_at;
    rein_train_watch watch = {.step = die_in_step, .user = &die_at};
    rein_train_args args = {0};
    rein_options opts;
    rein_str yaml = {0};
    rein_device *dev;
    rows_options(&opts, &args, r);
    rein_options_write_yaml(&opts, &yaml);
    OK(rein_device_open_cpu(&dev, j->isa, j->threads ? j->threads : 1));
    rein_status status = rein_train_kind_of(r->kind)->run(&args, yaml.data, dev, &watch);
    rein_device_close(dev);
    rein_str_deinit(&yaml);
    rein_options_deinit(&opts);
    return status;
}

/* ---- finite differences ---- */

static inline double rows_loss_at(rein_offline *o, const float *w, const float *direction, const rein_param *p,
                                  double h) {
    rein_model *m = o->t.model;
    double loss;
    memcpy(m->w, w, (size_t)m->n_float * sizeof *w);
    for (int64_t i = p->offset; i < p->offset + p->rows * p->cols; i++) m->w[i] += (float)h * direction[i];
    rein_model_pack(m);
    OK(rein_offline_gradients(o, &loss));
    return loss;
}

/* The slope of the loss along each tensor's own gradient is the gradient's norm, to 1e-3; tensors with less than a
 * hundredth of the whole norm are below what f32 can show. Returns how many were compared. */
static inline int rows_check_gradient(const rows_job *r, const rein_offline_class *cls) {
    rein_train_args args = {0};
    rein_options opts;
    rein_device *dev;
    rein_offline *o;
    float *w, *unit;
    double loss, total = 0;
    int compared = 0;
    rows_options(&opts, &args, r);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_offline_open(&o, cls, &args, dev, NULL));
    const rein_model *m = o->t.model;
    OK(rein_offline_gradients(o, &loss));
    OK(rein_alloc(&w, m->n_float, sizeof *w));
    OK(rein_alloc(&unit, m->n_float, sizeof *unit));
    memcpy(w, m->w, (size_t)m->n_float * sizeof *w);
    memcpy(unit, o->t.grads.flat, (size_t)m->n_float * sizeof *unit);
    for (int64_t i = 0; i < m->n_float; i++) total += (double)unit[i] * (double)unit[i];
    for (int64_t k = 0; k < m->n_param; k++) {
        const rein_param *p = &m->param[k];
        double sum = 0, h = 1e-2;
        for (int64_t i = p->offset; i < p->offset + p->rows * p->cols; i++) sum += (double)unit[i] * (double)unit[i];
        double norm = sqrt(sum);
        if (norm < 1e-2 * sqrt(total)) continue;
        for (int64_t i = p->offset; i < p->offset + p->rows * p->cols; i++) unit[i] = (float)((double)unit[i] / norm);
        double near = rows_loss_at(o, w, unit, p, h) - rows_loss_at(o, w, unit, p, -h);
        double far = rows_loss_at(o, w, unit, p, 2 * h) - rows_loss_at(o, w, unit, p, -2 * h);
        double slope = (8 * near - far) / (12 * h);
        if (!(fabs(slope - norm) < 1e-3 * norm))
            fail_msg("%s: %s has slope %.8g, gradient %.8g", r->job.name, p->name, slope, norm);
        compared++;
    }
    rein_free(w);
    rein_free(unit);
    rein_offline_close(o);
    rein_device_close(dev);
    rein_options_deinit(&opts);
    return compared;
}

/* ---- promises ---- */

static inline void rows_verify(const rows_job *r, int64_t step) {
    rein_verified v;
    rein_device *dev;
    char path[JOB_PATH];
    job_path(path, &r->job, "");
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_verify(&v, path, step, dev));
    rein_device_close(dev);
}

/* The run in a child that kills itself in step `die_at`, then again from its checkpoint. */
static inline void rows_kill_and_resume(rows_job r, int64_t die_at) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    r.job.die_at = die_at;
    if (pid == 0) _exit(rows_run(&r) == REIN_OK ? 0 : 1);
    assert_int_equal(job_wait(pid), -1);
    r.job.die_at = 0;
    r.job.resume = true;
    OK(rows_run(&r));
}

/* What no run may depend on: threads, parts, kernels, kills; and a replayed step must be the recorded one. */
static inline void rows_promises(rows_job base) {
    rows_job r = base;
    const char *const *isa;
    int n = 0;
    while (base.job.extra[n]) n++;
    OK(rows_run(&base));
    r.job.name = "threads";
    r.job.threads = 3;
    OK(rows_run(&r));
    same_run(&base.job, &r.job);
    r = base;
    r.job.name = "least";
    r.job.extra[n] = "microbatch_tokens=1";
    OK(rows_run(&r));
    same_run(&base.job, &r.job);
    r.job.extra[n] = "microbatch_tokens=40";
    r.job.name = "parts";
    OK(rows_run(&r));
    same_run(&base.job, &r.job);
    for (isa = rein_cpu_isas(); *isa; isa++) {
        r = base;
        r.job.name = r.job.isa = *isa;
        OK(rows_run(&r));
        same_run(&base.job, &r.job);
    }
    r = base;
    r.job.name = "killed";
    rows_kill_and_resume(r, 5);
    same_run(&base.job, &r.job);
    rows_verify(&base, 1);
    rows_verify(&base, 4);
    for (isa = rein_cpu_isas(); *isa; isa++) {
        r.job.name = *isa;
        remove_job_file(&r.job, "");
    }
    static const char *const made[] = {"threads", "least", "parts", "killed"};
    for (size_t i = 0; i < REIN_COUNT(made); i++) {
        r.job.name = made[i];
        remove_job_file(&r.job, "");
    }
}

/* A file of the workshop. */
static inline void rows_file(const workshop *shop, const char *name, const char *text) {
    char path[JOB_PATH];
    snprintf(path, sizeof path, "%s/%s", shop->dir, name);
    write_text(path, text);
}

#define REFUSED(expr, text)                                                                                            \
    do {                                                                                                               \
        FAILS_WITH(REIN_ERR_USAGE, expr);                                                                              \
        if (!strstr(rein_error_message(), text)) fail_msg("'%s' in: %s", text, rein_error_message());                  \
    } while (0)

#endif
