/* What a step carries to the next one: into checkpoints, out of them, and into the step's record; see online_loop.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "train/online_loop.h"

/* Whether a step leaves anything but weights and the trainer's counters to the next one. */
static bool has_state(const rein_online *o) {
    const rein_train_args *a = o->t.args;
    return rein_online_counts_tasks(a) || rein_online_has_pool(a) || a->kl_ctrl != REIN_KL_FIXED || a->kl_cap > 0 ||
           a->loss.use_adaptive_entropy || a->normalize_returns;
}

static void write_state(const rein_online *o, rein_str *s) {
    const rein_online_state *x = &o->state;
    rein_str_printf(s, "{\"drawn\":%lld,\"kl_refused\":%lld,\"kl_refused_in_row\":%lld,\"beta\":", (long long)x->drawn,
                    (long long)x->kl_cap.refused, (long long)x->kl_cap.in_row);
    rein_json_put_f64(s, x->beta);
    rein_str_puts(s, ",\"entropy_coef\":");
    rein_json_put_f64(s, x->entropy.coef);
    if (isfinite(x->entropy.last_entropy)) { /* else there was no update yet */
        rein_str_puts(s, ",\"last_entropy\":");
        rein_json_put_f64(s, x->entropy.last_entropy);
    }
    rein_str_puts(s, ",\"returns_n\":");
    rein_json_put_f64(s, x->returns.n);
    rein_str_puts(s, ",\"returns_mean\":");
    rein_json_put_f64(s, x->returns.mean);
    rein_str_puts(s, ",\"returns_m2\":");
    rein_json_put_f64(s, x->returns.m2);
    if (rein_online_has_pool(o->t.args)) {
        rein_str_puts(s, ",\"curriculum\":");
        rein_curriculum_write(&o->pool.record, s);
    }
    rein_str_puts(s, "}\n");
}

static rein_status read_state(rein_online *o, struct json_object *doc) {
    rein_online_state *x = &o->state;
    REIN_TRY(rein_json_int(&x->drawn, doc, "drawn"));
    REIN_TRY(rein_json_int(&x->kl_cap.refused, doc, "kl_refused"));
    REIN_TRY(rein_json_int(&x->kl_cap.in_row, doc, "kl_refused_in_row"));
    REIN_TRY(rein_json_double(&x->beta, doc, "beta"));
    REIN_TRY(rein_json_double(&x->entropy.coef, doc, "entropy_coef"));
    x->entropy.last_entropy = INFINITY;
    if (rein_json_has(doc, "last_entropy")) REIN_TRY(rein_json_double(&x->entropy.last_entropy, doc, "last_entropy"));
    REIN_TRY(rein_json_double(&x->returns.n, doc, "returns_n"));
    REIN_TRY(rein_json_double(&x->returns.mean, doc, "returns_mean"));
    REIN_TRY(rein_json_double(&x->returns.m2, doc, "returns_m2"));
    if (!rein_online_has_pool(o->t.args)) return REIN_OK;
    struct json_object *record;
    REIN_TRY(rein_json_object(&record, doc, "curriculum"));
    return rein_curriculum_read(&o->pool.record, record);
}

/* ---- checkpoints ---- */

static rein_status save_state(const rein_online *o, rein_arena *arena, const char *dir) {
    rein_str s = {0};
    char *path;
    REIN_TRY(rein_path_format(arena, &path, "%s/online_state.json", dir));
    write_state(o, &s);
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) status = rein_file_write(path, s.data, s.len);
    rein_str_deinit(&s);
    return status;
}

static rein_status load_state(rein_online *o, rein_arena *arena, const char *dir) {
    struct json_object *doc;
    char *path;
    REIN_TRY(rein_path_format(arena, &path, "%s/online_state.json", dir));
    REIN_TRY(rein_json_load(&doc, path));
    rein_status status = read_state(o, doc);
    json_object_put(doc);
    return status;
}

static rein_status save_parts(rein_online *o, rein_arena *arena, const char *dir) {
    char *path;
    if (has_state(o)) REIN_TRY(save_state(o, arena, dir));
    if (o->t.args->sync_ref_model) {
        REIN_TRY(rein_path_format(arena, &path, "%s/reference.safetensors", dir));
        REIN_TRY(rein_params_write(o->ref, o->ref->w, path));
    }
    if (o->critic != &o->own_critic) return REIN_OK;
    REIN_TRY(rein_path_format(arena, &path, "%s/critic", dir));
    REIN_TRY(rein_mkdirs(path));
    return rein_trainer_save(o->critic, path);
}

static rein_status load_parts(rein_online *o, rein_arena *arena, const char *dir) {
    char *path;
    if (has_state(o)) REIN_TRY(load_state(o, arena, dir));
    if (o->t.args->sync_ref_model) {
        REIN_TRY(rein_path_format(arena, &path, "%s/reference.safetensors", dir));
        REIN_TRY(rein_params_read(o->ref, o->ref->w, path));
        rein_model_pack(o->ref);
    }
    if (o->critic != &o->own_critic) return REIN_OK;
    REIN_TRY(rein_path_format(arena, &path, "%s/critic", dir));
    return rein_trainer_load(o->critic, path);
}

static rein_status save(void *user, const char *dir) {
    rein_arena arena = {0};
    rein_status status = save_parts(user, &arena, dir);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status load(void *user, const char *dir) {
    rein_arena arena = {0};
    rein_status status = load_parts(user, &arena, dir);
    rein_arena_deinit(&arena);
    return status;
}

void rein_online_keep_state(rein_online *o) { o->t.more = (rein_trainer_more){save, load, o}; }

/* ---- the record of a step ---- */

static void add_critic(const rein_online *o, rein_commit *c) {
    rein_commit own = {0};
    rein_trainer_commit(o->critic, &own);
    for (int64_t i = 0; i < own.n; i++) {
        REIN_ASSERT(c->n < REIN_COMMIT_MAX);
        snprintf(c->hash[c->n].name, sizeof c->hash[c->n].name, "critic_%.24s", own.hash[i].name);
        memcpy(c->hash[c->n++].hex, own.hash[i].hex, sizeof own.hash[i].hex);
    }
}

rein_status rein_online_commit(const rein_online *o, rein_commit *c) {
    rein_trainer_commit(&o->t, c);
    if (o->critic == &o->own_critic) add_critic(o, c);
    if (o->t.args->sync_ref_model)
        rein_commit_add(c, "reference", o->ref->w, (size_t)o->ref->n_float * sizeof *o->ref->w);
    if (!has_state(o)) return REIN_OK;
    rein_str s = {0};
    write_state(o, &s);
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) rein_commit_add(c, "state", s.data, s.len);
    rein_str_deinit(&s);
    return status;
}
