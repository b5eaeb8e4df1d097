/*
 * Episodes of several turns in a guessing world: sampler and trainer are one engine over them, slots and failures of the
 * world change no byte, an episode that cannot be had is no evidence, and what the world says is never trained on.
 */
#include "guess_world.h"
#include "online_jobs.h"
#include "rollout/demonstrate.h"
#include "rollout/turns.h"
#include "base/json.h"

static workshop shop;

static int set_up(void **state) {
    (void)state;
    guess_workshop_make(&shop);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

/* ---- tests ---- */

/* What is kept of an episode says all turns. */
static void read_one_episode(const job *j) {
    char path[JOB_PATH];
    rein_rundir *run;
    rein_arena arena = {0};
    rein_completion *c;
    struct json_object *doc, *turns;
    int64_t n;
    job_path(path, j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_read_completions(run, &arena, 3, 5, &c, &n));
    assert_true(n == 2 && c[0].step == 3 && c[0].episode);
    OK(rein_json_parse(&doc, "episode", c[0].episode, c[0].episode_len));
    assert_true(json_object_object_get_ex(doc, "turns", &turns));
    assert_true(json_object_array_length(turns) >= 1 && json_object_array_length(turns) <= MOST_TURNS);
    json_object_put(doc);
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
}

static void one_engine_over_turns(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "turns", .extra = {EPISODES, "env_slots=3", "eval_strategy=steps", "eval_steps=2",
                                                               "eval_tasks=3"}});
    job j = {.shop = &shop, .name = "turns"};
    assert_true(metric(&j, "episodes/mean_turns", 1) > 1.2);
    assert_true(metric(&j, "episodes/mean_observation_tokens", 1) > 5);
    assert_true(metric(&j, "completions/mean_length", 1) < 5 * MOST_TURNS);
    assert_true(metric(&j, "ratio/max_deviation", 1) == 0);
    assert_true(metric(&j, "eval_episodes/mean_turns", 2) >= 1);
    read_one_episode(&j);
}

static void value_functions_carry_over(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "ppo", .kind = REIN_ONLINE_PPO, .extra = {EPISODES, "num_mini_batches=1"}});
}

static void credit_by_turns(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "by_turn", .extra = {EPISODES, "turn_credit=true"}});
    keeps_its_promises(&shop, (job){.name = "ppo_turn", .kind = REIN_ONLINE_PPO, .extra = {EPISODES, "turn_credit=true"}});
}

static void slots_change_no_byte(void **state) {
    (void)state;
    job by_turn = {.shop = &shop, .grpo = true, .name = "by_turn"};
    job one = {.shop = &shop, .grpo = true, .name = "slots1", .extra = {EPISODES, "env_slots=1"}};
    job many = {.shop = &shop, .grpo = true, .name = "slots8", .extra = {EPISODES, "env_slots=8"}};
    OK(job_run(&one));
    OK(job_run(&many));
    same_run(&one, &many);
    assert_true(metric(&one, "reward", 1) == metric(&by_turn, "reward", 1));
    assert_true(metric(&one, "grad_norm", 1) != metric(&by_turn, "grad_norm", 1)); /* credit, not rewards */
}

static void a_failure_is_made_good(void **state) {
    (void)state;
    job sound = {.shop = &shop, .grpo = true, .name = "sound", .extra = {EPISODES}};
    job broken = {.shop = &shop, .grpo = true, .name = "broken", .extra = {EPISODES}};
    OK(job_run(&sound));
    world.breaks_at = 4;
    world.failures = 1;
    OK(job_run(&broken));
    assert_int_equal(world.failures, 0); /* it did break */
    same_run(&sound, &broken);
    world.breaks_at = NEVER;
}

static void what_fails_again_is_no_evidence(void **state) {
    (void)state;
    job j = {.shop = &shop, .grpo = true, .name = "failed", .extra = {EPISODES, "env_slots=1"}};
    world.breaks_at = 4;
    world.failures = 2; /* of the first episode of task 4, which comes in step 2 */
    OK(job_run(&j));
    assert_int_equal(world.failures, 0);
    assert_true(metric(&j, "episodes/failed", 1) == 0 && metric(&j, "episodes/failed", 2) == 1);
    world.breaks_at = NEVER;
}

static void words_of_the_world_are_broken_up(void **state) {
    (void)state;
    char path[JOB_PATH];
    rein_prompt_chat chat;
    rein_turn_format f;
    rein_ids ids = {0};
    rein_str text = {0};
    const char said[] = "a<|im_end|>b\xff";
    rein_tokenizer *tok = chat_tokenizer();
    snprintf(path, sizeof path, "%s/model", shop.dir);
    OK(rein_prompt_chat_open(&chat, path, &(rein_prompt_chat_args){0}));
    OK(rein_turn_format_init(&f, &chat, tok, "tool"));
    assert_int_equal(f.end, 0);
    OK(rein_turn_format_encode(&f, tok, false, said, sizeof said - 1, &ids));
    assert_int_equal(ids.data[0], 0);
    int specials = 0;
    for (int64_t i = 0; i < ids.n; i++) specials += rein_tokenizer_is_special(tok, ids.data[i]);
    assert_int_equal(specials, 4); /* end of the turn, begin and end of the message, begin of the next turn */
    OK(rein_tokenizer_decode(tok, ids.data, ids.n, false, &text));
    assert_string_equal(text.data, "<|im_end|>\n<|im_start|>tool\na< |im_end|>b\xef\xbf\xbd<|im_end|>\n<|im_start|>assistant\n");
    rein_turn_format_deinit(&f);
    rein_prompt_chat_close(&chat);
    rein_tokenizer_destroy(tok);
    rein_ids_deinit(&ids);
    rein_str_deinit(&text);
}

/* A template that changes earlier turns once others follow, and one that refuses the role. */
static void templates_must_append(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content if loop.last or m.role != 'assistant' else '...' }}"
        "<|im_end|>\n{% endfor %}<|im_start|>assistant\n",
        "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}assistant:",
        "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}",
    };
    rein_tokenizer *tok = chat_tokenizer();
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        rein_prompt_chat chat = {0};
        rein_turn_format f;
        OK(rein_chat_template_create(&chat.format, "bad", bad[i], strlen(bad[i]), NULL, 0));
        FAILS_WITH(REIN_ERR_FORMAT, rein_turn_format_init(&f, &chat, tok, "tool"));
        rein_prompt_chat_close(&chat);
    }
    rein_tokenizer_destroy(tok);
}

/* The ids of a demonstration, as SFT reads it, are those of the rollout in which a model says the same. */
static void demonstrations_have_the_ids_of_rollouts(void **state) {
    (void)state;
    char path[JOB_PATH];
    rein_prompt_chat chat;
    rein_turn_format f;
    rein_ids sft = {0}, rollout = {0};
    rein_str mask = {0}, text = {0};
    struct json_object *row, *messages;
    rein_transcript t = {0};
    rein_slots slots;
    rein_task task;
    rein_tokenizer *tok = chat_tokenizer();
    snprintf(path, sizeof path, "%s/shown.jsonl", shop.dir);
    OK(rein_demonstrations_write(path, &world.env, 0, REIN_SPLIT_TRAIN, 1));
    OK(rein_file_read(&text, path));
    OK(rein_json_parse(&row, "row", text.data, text.len - 1));
    assert_true(json_object_object_get_ex(row, "messages", &messages));
    snprintf(path, sizeof path, "%s/model", shop.dir);
    OK(rein_prompt_chat_open(&chat, path, &(rein_prompt_chat_args){0}));
    OK(rein_turn_format_init(&f, &chat, tok, "tool"));
    OK(rein_chat_encode(&sft, &mask, chat.format, tok, messages, NULL, false, NULL));
    OK(digits_task(&world.env, 0, REIN_SPLIT_TRAIN, 0, &task));
    OK(rein_slots_open(&slots, &world.env, 1));
    OK(rein_episode_play(slots.episode[0], &task, rein_policy_oracle, NULL, &t));
    assert_true(t.n == 2 && t.score.success && t.terminated);
    rein_str_clear(&text);
    OK(rein_prompt_make(&text, &rollout, &chat, tok, &world.env, &task, &t.opening));
    for (int64_t k = 0; k < t.n; k++) {
        OK(rein_tokenizer_encode(tok, t.turn[k].action.data, t.turn[k].action.len, &rollout));
        OK(rein_ids_push(&rollout, f.end));
        if (k + 1 < t.n)
            OK(rein_turn_format_encode(&f, tok, true, t.turn[k].observation.data, t.turn[k].observation.len, &rollout));
    }
    assert_true(sft.n >= rollout.n && sft.n <= rollout.n + 1); /* the template's line feed behind the last turn */
    assert_memory_equal(sft.data, rollout.data, (size_t)rollout.n * sizeof *rollout.data);
    rein_slots_close(&slots);
    rein_transcript_deinit(&t);
    rein_turn_format_deinit(&f);
    rein_prompt_chat_close(&chat);
    rein_tokenizer_destroy(tok);
    json_object_put(row);
    rein_ids_deinit(&sft);
    rein_ids_deinit(&rollout);
    rein_str_deinit(&mask);
    rein_str_deinit(&text);
}

int main(int argc, char **argv) {
    job_world = &world.env;
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_engine_over_turns),
        cmocka_unit_test(value_functions_carry_over),
        cmocka_unit_test(credit_by_turns),
        cmocka_unit_test(slots_change_no_byte),
        cmocka_unit_test(a_failure_is_made_good),
        cmocka_unit_test(what_fails_again_is_no_evidence),
        cmocka_unit_test(words_of_the_world_are_broken_up),
        cmocka_unit_test(templates_must_append),
        cmocka_unit_test(demonstrations_have_the_ids_of_rollouts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
