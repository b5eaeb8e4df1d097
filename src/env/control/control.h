/*
 * The control world: bring a system to the origin with N controls, given as text.
 *
 * A start lies on a grid of 0.01, so the state that the prompt prints with two decimals is the task's state, bit for
 * bit. A fixed hash of the grid point, the same for every seed and radius, keeps one point in 16 and the published
 * starts out of training; evaluation takes its starts from those.
 */
#ifndef REIN_ENV_CONTROL_CONTROL_H
#define REIN_ENV_CONTROL_CONTROL_H

#include "base/option.h"
#include "env/control/reward.h"

typedef enum rein_answer_style { REIN_STYLE_REASONING, REIN_STYLE_PLAIN } rein_answer_style;
typedef enum rein_teacher { REIN_TEACHER_LQR, REIN_TEACHER_OPERATOR } rein_teacher;
/** What the teacher believes the dynamics to be; after MATCHED as in rein_discretization. */
typedef enum rein_belief { REIN_BELIEF_MATCHED, REIN_BELIEF_SEMI, REIN_BELIEF_ZOH, REIN_BELIEF_RK4 } rein_belief;

typedef struct rein_control_config {
    const char *system;
    double dt;
    int64_t steps;
    int discretization; /* rein_discretization */
    int reward;         /* rein_control_version */
    int reward_mode;    /* rein_control_mode */
    double radius;
    int64_t decimals;
    int answer;        /* rein_answer_style */
    int teacher;       /* rein_teacher */
    int teacher_model; /* rein_belief */
    double teacher_gain_min, teacher_gain_max, teacher_damping_min, teacher_damping_max;
} rein_control_config;

/** Option rows of the environment, for any table whose values struct begins with a rein_control_config. */
#define REIN_CONTROL_OFFSET(member) offsetof(rein_control_config, member)
#define REIN_CONTROL_OPTIONS                                                                                           \
    {"system",                                                                                                         \
     REIN_OPT_STRING,                                                                                                  \
     REIN_CONTROL_OFFSET(system),                                                                                      \
     "double_integrator",                                                                                              \
     0,                                                                                                                \
     0,                                                                                                                \
     NULL,                                                                                                             \
     "dynamical system, by name or alias (di)",                                                                        \
     "NAME"},                                                                                                          \
        {"dt", REIN_OPT_FLOAT, REIN_CONTROL_OFFSET(dt), "0.1", 1e-6, 10, NULL, "time step, seconds", NULL},            \
        {"steps",                                                                                                      \
         REIN_OPT_INT,                                                                                                 \
         REIN_CONTROL_OFFSET(steps),                                                                                   \
         "50",                                                                                                         \
         1,                                                                                                            \
         REIN_CONTROL_MAX_STEPS,                                                                                       \
         NULL,                                                                                                         \
         "controls in an answer",                                                                                      \
         NULL},                                                                                                        \
        {"discretization",                                                                                             \
         REIN_OPT_CHOICE,                                                                                              \
         REIN_CONTROL_OFFSET(discretization),                                                                          \
         "semi",                                                                                                       \
         0,                                                                                                            \
         0,                                                                                                            \
         REIN_DISCRETIZATIONS,                                                                                         \
         "integrator: semi-implicit Euler, exact hold, Runge-Kutta",                                                   \
         NULL},                                                                                                        \
        {"reward", REIN_OPT_CHOICE, REIN_CONTROL_OFFSET(reward), "v1.3", 0, 0, REIN_REWARD_VERSIONS, "reward version", \
         NULL},                                                                                                        \
        {"reward_mode",                                                                                                \
         REIN_OPT_CHOICE,                                                                                              \
         REIN_CONTROL_OFFSET(reward_mode),                                                                             \
         "fixed",                                                                                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         REIN_REWARD_MODES,                                                                                            \
         "score the real trajectory, or one whose states are clamped",                                                 \
         NULL},                                                                                                        \
        {"radius",                                                                                                     \
         REIN_OPT_FLOAT,                                                                                               \
         REIN_CONTROL_OFFSET(radius),                                                                                  \
         "0.8",                                                                                                        \
         0.01,                                                                                                         \
         10,                                                                                                           \
         NULL,                                                                                                         \
         "starts are uniform in [-radius, radius]^2",                                                                  \
         NULL},                                                                                                        \
        {"decimals", REIN_OPT_INT, REIN_CONTROL_OFFSET(decimals),        "3", 0,                                       \
         9,          NULL,         "of the controls in a demonstration", NULL},                                        \
        {"answer",                                                                                                     \
         REIN_OPT_CHOICE,                                                                                              \
         REIN_CONTROL_OFFSET(answer),                                                                                  \
         "reasoning",                                                                                                  \
         0,                                                                                                            \
         0,                                                                                                            \
         "reasoning|plain",                                                                                            \
         "long prompt and reasoning text, or state and controls only",                                                 \
         NULL},                                                                                                        \
        {"teacher",                                                                                                    \
         REIN_OPT_CHOICE,                                                                                              \
         REIN_CONTROL_OFFSET(teacher),                                                                                 \
         "lqr",                                                                                                        \
         0,                                                                                                            \
         0,                                                                                                            \
         "lqr|operator",                                                                                               \
         "who demonstrates: the optimum, or operators of varied skill",                                                \
         NULL},                                                                                                        \
        {"teacher_model",                                                                                              \
         REIN_OPT_CHOICE,                                                                                              \
         REIN_CONTROL_OFFSET(teacher_model),                                                                           \
         "matched",                                                                                                    \
         0,                                                                                                            \
         0,                                                                                                            \
         "matched|" REIN_DISCRETIZATIONS,                                                                              \
         "dynamics that the teacher assumes",                                                                          \
         NULL},                                                                                                        \
        {"teacher_gain_min",                                                                                           \
         REIN_OPT_FLOAT,                                                                                               \
         REIN_CONTROL_OFFSET(teacher_gain_min),                                                                        \
         "0.02",                                                                                                       \
         0,                                                                                                            \
         10,                                                                                                           \
         NULL,                                                                                                         \
         "operator: smallest position gain, in LQR's",                                                                 \
         NULL},                                                                                                        \
        {"teacher_gain_max",                                                                                           \
         REIN_OPT_FLOAT,                                                                                               \
         REIN_CONTROL_OFFSET(teacher_gain_max),                                                                        \
         "0.45",                                                                                                       \
         0,                                                                                                            \
         10,                                                                                                           \
         NULL,                                                                                                         \
         "operator: largest position gain, in LQR's",                                                                  \
         NULL},                                                                                                        \
        {"teacher_damping_min",                                                                                        \
         REIN_OPT_FLOAT,                                                                                               \
         REIN_CONTROL_OFFSET(teacher_damping_min),                                                                     \
         "0.25",                                                                                                       \
         0,                                                                                                            \
         10,                                                                                                           \
         NULL,                                                                                                         \
         "operator: smallest damping ratio, in LQR's",                                                                 \
         NULL},                                                                                                        \
    {                                                                                                                  \
        "teacher_damping_max", REIN_OPT_FLOAT, REIN_CONTROL_OFFSET(teacher_damping_max), "1.2", 0, 10, NULL,           \
            "operator: largest damping ratio, in LQR's", NULL                                                          \
    }

enum { REIN_BASELINE_LQR, REIN_BASELINE_ZERO, REIN_BASELINE_TEACHER };

typedef struct rein_control {
    rein_env env;
    rein_control_config config;
    rein_plant plant;
    rein_plant belief;   /* the teacher's */
    double gain[2];      /* LQR of the belief: u = -gain . state */
    int32_t (*train)[2]; /* (n_train) grid points within the radius, in grid order */
    int32_t (*eval)[2];  /* (n_eval) held-out grid points, in the order of their hash */
    int64_t n_train, n_eval;
} rein_control;

extern const rein_env_class rein_control_class;

/* ---- teacher.c ---- */

enum { REIN_NOT_ROUNDED = -1 };

/** Linear feedback u = -gain . state, clamped, rounded to `decimals`, the rounded control fed back into `belief`. */
void rein_control_feedback(double *u, const rein_plant *belief, const double gain[2], const double x0[2], int steps,
                           int decimals);
/** The feedback gains of demonstration `draw` of a task. */
void rein_control_skill(double gain[2], const rein_control *c, uint64_t seed, const rein_task *task, int64_t draw);

/* ---- text.c ---- */

/** The two halves of the long prompt; the plain prompt. */
void rein_control_system_text(rein_str *out, const rein_control *c);
void rein_control_user_text(rein_str *out, const rein_control *c, const double state[2]);
void rein_control_plain_text(rein_str *out, const double state[2]);
/** The reasoning of a demonstration, without tags. */
void rein_control_reasoning_text(rein_str *out, const rein_control *c, const double state[2]);
/** A complete answer in the configured style: reasoning, tags and controls. */
void rein_control_answer_text(rein_str *out, const rein_control *c, const double state[2], const double *u,
                              int decimals);

/* ---- task.c ---- */

/** Fill train and eval; REIN_ERR_ARG if no point is left to train on. */
REIN_NODISCARD rein_status rein_control_grid(rein_control *c);
REIN_NODISCARD rein_status rein_control_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index,
                                             rein_task *out);
/** A task that starts anywhere, for scoring; its key is that of the nearest grid point. */
rein_task rein_control_task_at(const double state[2]);

#endif
