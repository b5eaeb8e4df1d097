/* transformers' lr_scheduler_kwargs: which schedule has which setting; see schedule.h. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "optim/schedule.h"

typedef enum form { NUMBER, COUNT, SHAPE, THRESHOLD_MODE } form;

/* What a setting is stored in: a member of rein_schedule, or of rein_plateau_options. */
typedef struct setting {
    const char *name;
    unsigned types; /* bits of the schedules that have it */
    form form;
    size_t offset;
    double min, max; /* inclusive */
} setting;

enum { /* bits of schedules */
       WITH_MIN = 1 << REIN_SCHEDULE_COSINE_WITH_MIN_LR,
       WARMUP_WITH_MIN = 1 << REIN_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR,
       COSINES = 1 << REIN_SCHEDULE_COSINE | 1 << REIN_SCHEDULE_COSINE_WITH_RESTARTS | WITH_MIN | WARMUP_WITH_MIN,
       POLYNOMIAL = 1 << REIN_SCHEDULE_POLYNOMIAL,
       INVERSE_SQRT = 1 << REIN_SCHEDULE_INVERSE_SQRT,
       STABLE_DECAY = 1 << REIN_SCHEDULE_WARMUP_STABLE_DECAY,
       PLATEAU = 1 << REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU
};

static const setting settings[] = {
    {"num_cycles", COSINES | STABLE_DECAY, NUMBER, offsetof(rein_schedule, num_cycles), 0, 1e4},
    {"power", POLYNOMIAL, NUMBER, offsetof(rein_schedule, power), 0, 1e4},
    {"lr_end", POLYNOMIAL, NUMBER, offsetof(rein_schedule, lr_end), 0, 1e4},
    {"timescale", INVERSE_SQRT, COUNT, offsetof(rein_schedule, timescale), 1, 1e15},
    {"min_lr", WITH_MIN | WARMUP_WITH_MIN, NUMBER, offsetof(rein_schedule, min_lr_rate), 0, 1e4},
    {"min_lr_rate", WITH_MIN | WARMUP_WITH_MIN, NUMBER, offsetof(rein_schedule, min_lr_rate), 0, 1},
    {"warmup_lr_rate", WARMUP_WITH_MIN, NUMBER, offsetof(rein_schedule, warmup_lr_rate), 0, 1},
    {"num_decay_steps", STABLE_DECAY, COUNT, offsetof(rein_schedule, decay_steps), 1, 1e15},
    {"min_lr_ratio", STABLE_DECAY, NUMBER, offsetof(rein_schedule, min_lr_rate), 0, 1},
    {"warmup_type", STABLE_DECAY, SHAPE, offsetof(rein_schedule, warmup_shape), 0, 0},
    {"decay_type", STABLE_DECAY, SHAPE, offsetof(rein_schedule, decay_shape), 0, 0},
    {"factor", PLATEAU, NUMBER, offsetof(rein_plateau_options, factor), 1e-9, 0.999999999},
    {"patience", PLATEAU, COUNT, offsetof(rein_plateau_options, patience), 0, 1e15},
    {"cooldown", PLATEAU, COUNT, offsetof(rein_plateau_options, cooldown), 0, 1e15},
    {"threshold", PLATEAU, NUMBER, offsetof(rein_plateau_options, threshold), 0, 1e300},
    {"threshold_mode", PLATEAU, THRESHOLD_MODE, offsetof(rein_plateau_options, absolute), 0, 0},
    {"min_lr", PLATEAU, NUMBER, offsetof(rein_plateau_options, min_lr), 0, 1e4},
    {"eps", PLATEAU, NUMBER, offsetof(rein_plateau_options, eps), 0, 1e4},
};

static const setting *find(const char *name, rein_schedule_type type) {
    for (size_t i = 0; i < REIN_COUNT(settings); i++)
        if (strcmp(settings[i].name, name) == 0 && settings[i].types >> type & 1u) return &settings[i];
    return NULL;
}

/* Index of a word among choices, or -1. */
static int choice_of(const char *choices, const char *word) {
    int n = 0;
    for (int i = 0; word; i++) {
        const char *name = rein_choice_name(choices, i, &n);
        if (!name) break;
        if ((size_t)n == strlen(word) && memcmp(name, word, (size_t)n) == 0) return i;
    }
    return -1;
}

static rein_status set_word(void *member, const setting *s, struct json_object *object) {
    const char *choices = s->form == SHAPE ? REIN_SCHEDULE_SHAPE_CHOICES : "rel|abs", *word;
    REIN_TRY(rein_json_string(&word, NULL, object, s->name));
    int choice = choice_of(choices, word);
    if (choice < 0) return rein_fail(REIN_ERR_USAGE, "%s \"%s\" is not one of %s", s->name, word, choices);
    if (s->form == SHAPE)
        *(rein_schedule_shape *)member = (rein_schedule_shape)choice;
    else
        *(bool *)member = choice == 1;
    return REIN_OK;
}

static rein_status set_number(void *member, const setting *s, struct json_object *object) {
    double x;
    REIN_TRY(rein_json_double(&x, object, s->name));
    if (!(x >= s->min && x <= s->max) || (s->form == COUNT && x != floor(x)))
        return rein_fail(REIN_ERR_USAGE, "%s is %g: expected %s in %g .. %g", s->name, x,
                         s->form == COUNT ? "a whole number" : "a number", s->min, s->max);
    if (s->form == COUNT)
        *(int64_t *)member = (int64_t)x;
    else
        *(double *)member = x;
    return REIN_OK;
}

static rein_status set_all(rein_schedule *s, rein_plateau_options *plateau, struct json_object *object) {
    bool on_plateau = s->type == REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU;
    char *base = on_plateau ? (char *)plateau : (char *)s;
    json_object_object_foreach(object, name, value) {
        (void)value;
        const setting *how = find(name, s->type);
        int n = 0;
        const char *type = rein_choice_name(REIN_SCHEDULE_CHOICES, (int)s->type, &n);
        if (!how) return rein_fail(REIN_ERR_USAGE, "schedule '%.*s' has no setting '%s'", n, type, name);
        bool word = how->form == SHAPE || how->form == THRESHOLD_MODE;
        REIN_TRY(word ? set_word(base + how->offset, how, object) : set_number(base + how->offset, how, object));
        if (strcmp(name, "min_lr") == 0 && !on_plateau && s->learning_rate > 0) s->min_lr_rate /= s->learning_rate;
    }
    return REIN_OK;
}

rein_status rein_schedule_kwargs(rein_schedule *s, rein_plateau_options *plateau, const char *json) {
    struct json_object *object = NULL;
    rein_status status = rein_json_parse(&object, "lr_scheduler_kwargs", json, strlen(json));
    if (status == REIN_OK && !json_object_is_type(object, json_type_object))
        status = rein_fail(REIN_ERR_USAGE, "it is not a JSON object");
    if (status == REIN_OK) status = set_all(s, plateau, object);
    json_object_put(object);
    if (status == REIN_OK) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "lr_scheduler_kwargs '%s': %s", json, rein_error_message());
}
