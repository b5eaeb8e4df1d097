/* Episodes turn by turn; see episodes.h. */
#include "rollout/episodes.h"

#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"

/* ---- slots ---- */

rein_status rein_slots_open(rein_slots *out, const rein_env *env, int64_t n) {
    *out = (rein_slots){.env = env};
    rein_status status = rein_alloc(&out->episode, n, sizeof *out->episode);
    for (int64_t i = 0; i < n && status == REIN_OK; i++) {
        status = env->cls->turns->open(env, (int)i, &out->episode[i]);
        if (status == REIN_OK) out->n++;
    }
    if (status != REIN_OK) rein_slots_close(out);
    return status;
}

void rein_slots_close(rein_slots *slots) {
    for (int64_t i = 0; i < slots->n; i++) slots->env->cls->turns->close(slots->episode[i]);
    rein_free(slots->episode);
    *slots = (rein_slots){0};
}

/* ---- transcripts ---- */

void rein_transcript_deinit(rein_transcript *t) {
    for (int64_t i = 0; i < t->n; i++) {
        rein_str_deinit(&t->turn[i].action);
        rein_str_deinit(&t->turn[i].observation);
        rein_str_deinit(&t->turn[i].error);
    }
    rein_free(t->turn);
    rein_str_deinit(&t->opening);
    rein_str_deinit(&t->details);
    *t = (rein_transcript){0};
}

static void put_text(rein_str *out, const char *key, const rein_str *text) {
    rein_str clean = {0};
    if (text->len > 0) rein_utf8_append_lossy(&clean, text->data, text->len, true);
    rein_str_printf(out, "\"%s\":", key);
    rein_json_put_string(out, clean.data ? clean.data : "", clean.len);
    out->failed |= clean.failed;
    rein_str_deinit(&clean);
}

rein_status rein_transcript_write(const rein_transcript *t, rein_str *out) {
    rein_str_putc(out, '{');
    put_text(out, "opening", &t->opening);
    rein_str_puts(out, ",\"turns\":[");
    for (int64_t k = 0; k < t->n; k++) {
        rein_str_puts(out, k > 0 ? ",{" : "{");
        put_text(out, "action", &t->turn[k].action);
        rein_str_putc(out, ',');
        put_text(out, "observation", &t->turn[k].observation);
        rein_str_puts(out, ",\"reward\":");
        rein_json_put_f64(out, t->turn[k].reward);
        if (t->turn[k].error.len > 0) rein_str_putc(out, ',');
        if (t->turn[k].error.len > 0) put_text(out, "error", &t->turn[k].error);
        rein_str_putc(out, '}');
    }
    rein_str_printf(out, "],\"terminated\":%s,\"truncated\":%s,\"failed\":%s", t->terminated ? "true" : "false",
                    t->truncated ? "true" : "false", t->failed ? "true" : "false");
    if (t->details.len > 0) rein_str_puts(out, ",\"world\":");
    if (t->details.len > 0) rein_str_append(out, t->details.data, t->details.len);
    rein_str_putc(out, '}');
    return rein_str_check(out);
}

static rein_status add_turn(rein_transcript *t) {
    if (t->n == t->cap) {
        int64_t cap = t->cap ? 2 * t->cap : 4;
        REIN_TRY(rein_realloc(&t->turn, t->cap, cap, sizeof *t->turn));
        t->cap = cap;
    }
    t->turn[t->n++] = (rein_exchange){0};
    return REIN_OK;
}

/* Component by component, by name; the rest is as of the last turn. */
static rein_status add_score(rein_score *sum, const rein_score *turn) {
    rein_score all = *turn;
    memcpy(all.component, sum->component, sizeof all.component);
    all.n_component = sum->n_component;
    for (int k = 0; k < turn->n_component; k++) {
        int i = 0;
        while (i < all.n_component && strcmp(all.component[i].name, turn->component[k].name) != 0) i++;
        if (i == REIN_SCORE_PARTS)
            return rein_fail(REIN_ERR_ARG, "an episode has more than %d reward components", REIN_SCORE_PARTS);
        if (i == all.n_component) all.component[all.n_component++] = (rein_named){turn->component[k].name, 0};
        all.component[i].value += turn->component[k].value;
    }
    all.total = 0;
    for (int i = 0; i < all.n_component; i++) all.total += all.component[i].value;
    *sum = all;
    return REIN_OK;
}

/* What the world said to the last action. */
static rein_status hear(rein_transcript *t, const rein_observation *o) {
    rein_exchange *x = &t->turn[t->n - 1];
    rein_str_append(&x->observation, o->text, o->len);
    if (o->error) rein_str_puts(&x->error, o->error);
    x->reward = o->score.total;
    t->terminated = o->terminated;
    t->truncated = o->truncated;
    REIN_TRY(add_score(&t->score, &o->score));
    REIN_TRY(rein_str_check(&x->error));
    return rein_str_check(&x->observation);
}

static bool same_text(const rein_str *a, const rein_observation *o) {
    return a->len == o->len && (o->len == 0 || memcmp(a->data, o->text, o->len) == 0);
}

/* ---- one episode in a slot, without waiting ---- */

struct rein_seat {
    rein_episode *ep;
    const rein_task *task;
    rein_transcript *t;
    int64_t done;  /* actions of this attempt that were answered; -1: the reset is under way */
    bool answered; /* nothing is under way */
    int failures;
};

static rein_status sit_down(rein_seat *s, rein_episode *ep, const rein_task *task, rein_transcript *t) {
    *s = (rein_seat){.ep = ep, .task = task, .t = t, .done = -1};
    return ep->env->cls->turns->reset(ep, task, task->key);
}

static rein_status give_up(rein_seat *s) {
    s->answered = true;
    s->t->failed = true;
    return REIN_OK;
}

/* The world failed, or says something else than before: once more from the beginning, or never again. */
static rein_status fail_once(rein_seat *s) {
    if (s->failures++ > 0) return give_up(s);
    s->done = -1;
    return s->ep->env->cls->turns->reset(s->ep, s->task, s->task->key);
}

/* One answer of the world: the opening, an answer heard before, or the one to the newest action. */
static rein_status take(rein_seat *s, const rein_observation *o) {
    rein_transcript *t = s->t;
    bool newest = s->done == t->n - 1 && !s->answered;
    if (o->env_error) return fail_once(s);
    if (s->done < 0) {
        if (!same_text(&t->opening, o))
            return rein_fail(REIN_ERR_MISMATCH, "task %lld: the world opens an episode differently from one time to the next",
                             (long long)s->task->index);
    } else if (s->done < t->n - 1 && !same_text(&t->turn[s->done].observation, o)) {
        return fail_once(s);
    }
    if (s->done >= 0 && newest) REIN_TRY(hear(t, o));
    s->done++;
    s->answered = s->done == t->n;
    if (s->answered) return REIN_OK;
    const rein_str *action = &t->turn[s->done].action;
    return s->ep->env->cls->turns->step(s->ep, action->data ? action->data : "", action->len);
}

/* Go on as far as possible: until all actions are answered, or the world needs time. */
static rein_status drive(rein_seat *s, bool wait) {
    while (!s->answered) {
        rein_observation o = {0};
        bool ready = false;
        REIN_TRY(s->ep->env->cls->turns->poll(s->ep, wait ? -1 : 0, &o, &ready));
        if (!ready) return REIN_OK;
        REIN_TRY(take(s, &o));
    }
    return REIN_OK;
}

/* The transcript has a new action. */
static rein_status act(rein_seat *s) {
    const rein_str *action = &s->t->turn[s->t->n - 1].action;
    if (!s->answered || s->t->failed) return REIN_OK; /* under way: the action follows by itself */
    s->answered = false;
    return s->ep->env->cls->turns->step(s->ep, action->data ? action->data : "", action->len);
}

static rein_status close_episode(rein_seat *s) {
    const rein_turns *turns = s->ep->env->cls->turns;
    if (s->t->failed || !turns->describe) return REIN_OK;
    REIN_TRY(turns->describe(s->ep, &s->t->details));
    return rein_str_check(&s->t->details);
}

/* ---- whole episodes ---- */

rein_status rein_episode_open(rein_episode *ep, const rein_task *task, rein_transcript *t) {
    const rein_turns *turns = ep->env->cls->turns;
    rein_transcript_deinit(t);
    for (int attempt = 0; attempt < 2; attempt++) {
        rein_observation o = {0};
        bool ready = false;
        REIN_TRY(turns->reset(ep, task, task->key));
        while (!ready) REIN_TRY(turns->poll(ep, -1, &o, &ready));
        if (o.env_error) continue;
        rein_str_append(&t->opening, o.text, o.len);
        return rein_str_check(&t->opening);
    }
    t->failed = true;
    return REIN_OK;
}

rein_status rein_episode_play(rein_episode *ep, const rein_task *task, rein_policy policy, void *user,
                              rein_transcript *t) {
    rein_seat s;
    REIN_TRY(rein_episode_open(ep, task, t));
    if (t->failed) return REIN_OK;
    REIN_TRY(sit_down(&s, ep, task, t));
    REIN_TRY(drive(&s, true));
    while (!t->failed && !t->terminated && !t->truncated) {
        REIN_TRY(add_turn(t));
        REIN_TRY(policy(user, ep, t, &t->turn[t->n - 1].action));
        REIN_TRY(rein_str_check(&t->turn[t->n - 1].action));
        REIN_TRY(act(&s));
        REIN_TRY(drive(&s, true));
    }
    return close_episode(&s);
}

rein_status rein_policy_oracle(void *user, rein_episode *ep, const rein_transcript *so_far, rein_str *action) {
    (void)user, (void)so_far;
    const rein_turns *turns = ep->env->cls->turns;
    if (!turns->oracle)
        return rein_fail(REIN_ERR_USAGE, "environment '%s' has no expert", ep->env->cls->name);
    return turns->oracle(ep, action);
}

/* ---- with a model ---- */

static rein_status begin(void *user, int64_t seq, int64_t slot) {
    rein_stage *s = user;
    return sit_down(&s->seat[slot], s->slots->episode[slot], &s->task[seq / s->G], &s->transcript[seq]);
}

/* The model's turn as an action: its text without the end token. */
static rein_status add_action(rein_stage *s, int64_t seq) {
    const rein_gen_sequence *q = &s->gen->seq[seq];
    const rein_gen_turn *turn = &q->turn[q->n_turn - 1];
    rein_transcript *t = &s->transcript[seq];
    REIN_TRY(add_turn(t));
    rein_str *action = &t->turn[t->n - 1].action;
    int64_t n = turn->end - turn->begin - (turn->finish == REIN_FINISH_EOS);
    REIN_TRY(rein_tokenizer_decode(s->tokenizer, q->ids + turn->begin, n, false, action));
    return rein_str_check(action);
}

static rein_status reply(void *user, int64_t seq, int64_t slot, bool wait, rein_gen_reply *out) {
    rein_stage *s = user;
    rein_seat *seat = &s->seat[slot];
    rein_transcript *t = &s->transcript[seq];
    const rein_gen_sequence *q = &s->gen->seq[seq];
    if (t->n < q->n_turn) {
        REIN_TRY(drive(seat, false));
        REIN_TRY(add_action(s, seq));
        REIN_TRY(act(seat));
    }
    REIN_TRY(drive(seat, wait));
    out->answer = REIN_ANSWER_WAIT;
    if (!seat->answered) return REIN_OK;
    if (t->failed || t->terminated || t->truncated) {
        out->answer = REIN_ANSWER_END;
        return close_episode(seat);
    }
    const rein_str *said = &t->turn[t->n - 1].observation;
    s->ids.n = 0;
    REIN_TRY(rein_turn_format_encode(s->format, s->tokenizer, q->turn[q->n_turn - 1].finish == REIN_FINISH_EOS,
                                     said->data ? said->data : "", said->len, &s->ids));
    *out = (rein_gen_reply){REIN_ANSWER_GO, s->ids.data, s->ids.n};
    return REIN_OK;
}

rein_status rein_stage_init(rein_stage *s, int64_t max_turn_tokens) {
    s->world = (rein_gen_world){.user = s, .max_turn_tokens = max_turn_tokens, .begin = begin, .reply = reply};
    return rein_alloc(&s->seat, s->slots->n, sizeof *s->seat);
}

void rein_stage_deinit(rein_stage *s) {
    rein_free(s->seat);
    rein_ids_deinit(&s->ids);
    s->seat = NULL;
}
