/*
 * The environment "miniwob": small web pages with a task each (MiniWoB++), in a real browser.
 *
 * A task is a page of the benchmark and a seed; the page's own reward is taken as it is, without its clock. The pages
 * are not a part of rein: tools/fetch-miniwob unpacks them from the Python package miniwob (MIT).
 *
 * Liu et al. 2018, "Reinforcement Learning on Web Interfaces using Workflow-Guided Exploration", arXiv:1802.08802.
 */
#ifndef REIN_ENV_BROWSE_MINIWOB_H
#define REIN_ENV_BROWSE_MINIWOB_H

#include "base/option.h"
#include "env/browse/world.h"

/** Values of the class's options. */
typedef struct rein_miniwob_config {
    const char *tasks;          /* names and levels with commas between */
    const char *held_out_tasks; /* as tasks; NULL: evaluation is on the same tasks, other seeds */
    const char *html, *browser; /* folder; program, NULL: where distributions put it */
    int64_t train_seeds;        /* a task's different problems to train on */
    int64_t max_steps, max_chars;
    double invalid_penalty, step_deadline;
} rein_miniwob_config;

extern const rein_env_class rein_miniwob_class;

/* ---- inside ---- */

/** A page of the benchmark that rein has an expert for. */
typedef struct rein_miniwob_page {
    const char *name;
    int level;   /* 1: one step, 2: two or three, 3: more, or search */
    bool reload; /* it does not begin a new episode as it began the first one: loaded anew for each */
} rein_miniwob_page;

const rein_miniwob_page *rein_miniwob_pages(int64_t *n);

typedef struct rein_miniwob {
    rein_browse_world world;
    rein_miniwob_config config;
    rein_arena arena;
    const char *html;     /* folder, absolute */
    const char **task[2]; /* names by split; evaluation's may be training's */
    int64_t n_task[2];
    int64_t n_all;
    const char **all; /* every name of either split, in order: number[0] of a task is an index here */
} rein_miniwob;

enum { REIN_MINIWOB_TASK, REIN_MINIWOB_SEED }; /* of rein_task.number */

extern const char rein_miniwob_js[];

#endif
