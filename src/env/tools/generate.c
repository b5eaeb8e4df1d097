/*
 * Generated tasks: a table of categories (categories.c), each a prompt in several wordings, the world's beginning, an
 * expert's calls, and the checks of the end, as texts with places in <> that a draw fills in.
 *
 * What fills a place is a pure function of the task's key; so are the figures of the world, and what a task asks for is
 * known when it is made, but only there: the prompt never holds it. One in eight choices of (category, companies,
 * channel, file), by a fixed hash, is for evaluation only, so that no question of evaluation is ever seen in training.
 */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "env/tools/categories.h"
#include "env/tools/chat.h"
#include "env/tools/domain.h"
#include "env/tools/market.h"
#include "env/tools/task.h"

const char *const rein_tools_levels[REIN_TOOLS_LEVELS] = {"easy", "medium", "hard"};
const int rein_tools_turns[REIN_TOOLS_LEVELS] = {5, 8, 10};

enum { MOST = REIN_TOOLS_CATEGORY_MOST };

typedef rein_tools_category category;

static const category *const categories = rein_tools_categories;
_Static_assert(REIN_TOOLS_CATEGORIES <= 64, "sets of categories are bits");

int rein_tools_category_count(void) { return REIN_TOOLS_CATEGORIES; }
const char *rein_tools_category_name(int which) { return categories[which].name; }

/* ---- which categories ---- */

static bool is_heldout_tool(const rein_tools_pool *pool, const char *tool) {
    for (const char *const *t = pool->heldout_tools; t && *t; t++)
        if (strcmp(*t, tool) == 0) return true;
    return false;
}

static bool has_domain(const rein_tools_pool *pool, const rein_tool_domain *domain) {
    const rein_tool_domain *const *all = rein_tool_domains();
    for (int i = 0; all[i]; i++)
        if (all[i] == domain) return pool->domains >> i & 1;
    return false;
}

bool rein_tools_category_in(const rein_tools_pool *pool, int which, rein_split split) {
    bool heldout = pool->heldout_categories >> which & 1;
    if (!(pool->categories >> which & 1)) return false;
    for (int i = 0; i < MOST && categories[which].step[i].tool; i++) {
        const rein_tool_domain *domain = NULL;
        if (!rein_tool_find(categories[which].step[i].tool, &domain) || !has_domain(pool, domain)) return false;
        heldout |= is_heldout_tool(pool, categories[which].step[i].tool);
    }
    return split == REIN_SPLIT_TRAIN ? !heldout : heldout || !pool->eval_heldout;
}

/* Categories of a level in a split: their number; `out` has room for all. */
static int of_level(int *out, const rein_tools_pool *pool, rein_tools_level level, rein_split split) {
    int n = 0;
    for (int i = 0; i < rein_tools_category_count(); i++)
        if (categories[i].level == level && rein_tools_category_in(pool, i, split)) out[n++] = i;
    return n;
}

/* Share of a level in a split: in evaluation on what is held out, levels that have nothing of it are left out. */
static double share(const rein_tools_pool *pool, int level, rein_split split) {
    int list[REIN_TOOLS_CATEGORIES];
    return of_level(list, pool, (rein_tools_level)level, split) > 0 ? pool->mix[level] : 0;
}

rein_status rein_tools_pool_check(const rein_tools_pool *pool) {
    double eval = 0;
    for (int level = 0; level < REIN_TOOLS_LEVELS; level++) {
        eval += share(pool, level, REIN_SPLIT_EVAL);
        if (pool->mix[level] > 0 && share(pool, level, REIN_SPLIT_TRAIN) <= 0)
            return rein_fail(
                REIN_ERR_USAGE,
                "environment tools: mix asks for %s tasks, but domains, categories and what is held out leave "
                "no category of that level to train on; give mix=(easy,medium,hard) with a 0 there",
                rein_tools_levels[level]);
    }
    if (eval > 0) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "environment tools: eval_heldout leaves nothing to evaluate on: name "
                                     "heldout_categories or heldout_tools that a category of the mix uses");
}

/* ---- drawing ---- */

enum {
    DRAW_LEVEL,
    DRAW_CATEGORY,
    DRAW_A,
    DRAW_B,
    DRAW_CHANNEL,
    DRAW_FILE,
    DRAW_OTHER_FILE,
    DRAW_NUMBER,
    DRAW_PHRASE,
    DRAW_TOOL,
    DRAW_ORDER,
    DRAW_KEY,
    PURPOSE = 0x746f6f6c
};

static int draw(int n, uint64_t key, int use, int i) {
    return (int)rein_random_below((uint64_t)n, key, REIN_STREAM_TASK, (uint32_t)use, (uint32_t)i, 0, PURPOSE);
}

static int draw_level(const rein_tools_pool *pool, uint64_t key, rein_split split) {
    double total = 0, at;
    int level = 0;
    for (int i = 0; i < REIN_TOOLS_LEVELS; i++) total += share(pool, i, split);
    at = total * rein_random_uniform(key, REIN_STREAM_TASK, DRAW_LEVEL, 0, 0, PURPOSE);
    for (int i = 0; i < REIN_TOOLS_LEVELS; i++) {
        double part = share(pool, i, split);
        if (part <= 0) continue;
        level = i;
        if (at < part) break;
        at -= part;
    }
    return level;
}

void rein_tools_draw(rein_task *out, const rein_tools_pool *pool, uint64_t seed, rein_split split, int64_t index) {
    uint32_t word[4];
    int list[REIN_TOOLS_CATEGORIES];
    rein_random4(word, seed, REIN_STREAM_TASK, (uint32_t)split, (uint32_t)index, (uint32_t)((uint64_t)index >> 32),
                 PURPOSE);
    const uint64_t random = (uint64_t)word[0] << 32 | word[1];
    /* the last bit says which split the task belongs to, so that the splits share no key */
    const uint64_t key = (random & ~UINT64_C(1)) | (split == REIN_SPLIT_EVAL);
    const int level = draw_level(pool, key, split);
    const int n = of_level(list, pool, (rein_tools_level)level, split);
    *out = (rein_task){.key = key, .index = index, .number = {list[draw(n, key, DRAW_CATEGORY, 0)], level}};
}

/* ---- filling in ---- */

static const char *const files[] = {"notes.txt", "report.txt", "summary.txt", "prices.txt",
                                    "today.txt", "draft.txt",  "memo.txt",    "list.txt"};
static const char *const keys[] = {"result", "answer", "latest", "figure"};

/* What the places of a task stand for. */
typedef struct places {
    rein_company a, b;
    const char *channel, *file, *other_file, *key;
    int number[2];
} places;

/* Does what the model can see of a category at the beginning have this place? */
static bool shows(const category *c, const char *place) {
    bool found = strstr(c->prompt[0], place) != NULL;
    for (int i = 0; i < MOST && c->setup[i].where; i++) found |= strstr(c->setup[i].text, place) != NULL;
    return found;
}

/* Is a choice for evaluation only? Choices that the model cannot tell apart are all on one side. */
static bool is_heldout_choice(int which, int a, int b, int channel, int file) {
    const category *c = &categories[which];
    const uint32_t companies = (uint32_t)((shows(c, "<A") ? a + 1 : 0) * 64 + (shows(c, "<B") ? b + 1 : 0));
    const uint32_t where = (uint32_t)((shows(c, "<C>") ? channel + 1 : 0) * 64 + (shows(c, "<F>") ? file + 1 : 0));
    return rein_random_below(8, 0, REIN_STREAM_TASK, (uint32_t)which, companies, where, PURPOSE) == 0;
}

static void draw_places(places *p, int which, uint64_t key) {
    for (int attempt = 0;; attempt++) {
        const int a = draw(REIN_COMPANIES, key, DRAW_A, attempt);
        const int b = (a + 1 + draw(REIN_COMPANIES - 1, key, DRAW_B, attempt)) % REIN_COMPANIES;
        const int channel = draw(REIN_CHANNELS, key, DRAW_CHANNEL, attempt);
        const int file = draw((int)REIN_COUNT(files), key, DRAW_FILE, attempt);
        const int other =
            (file + 1 + draw((int)REIN_COUNT(files) - 1, key, DRAW_OTHER_FILE, attempt)) % (int)REIN_COUNT(files);
        rein_company_get(&p->a, key, a);
        rein_company_get(&p->b, key, b);
        if (is_heldout_choice(which, a, b, channel, file) != (bool)(key & 1) || p->a.price == p->b.price) continue;
        p->channel = rein_channels[channel];
        p->file = files[file];
        p->other_file = files[other];
        p->key = keys[draw((int)REIN_COUNT(keys), key, DRAW_KEY, attempt)];
        for (int i = 0; i < 2; i++) p->number[i] = 1000 + draw(9000, key, DRAW_NUMBER, 2 * attempt + i);
        return;
    }
}

static void put_hundredths(rein_str *out, int64_t x) {
    rein_str_printf(out, "%s%lld.%02lld", x < 0 ? "-" : "", (long long)(llabs(x) / 100), (long long)(llabs(x) % 100));
}

/* As a calculation gives it: without zeros at the end. */
static void put_figure_of(rein_str *out, int64_t hundredths) {
    rein_str_printf(out, "%.10g", (double)hundredths / 100);
}

static void put_figure(rein_str *out, const rein_company *c, const char *what) {
    if (!*what)
        rein_str_puts(out, c->ticker);
    else if (strcmp(what, ".name") == 0)
        rein_str_puts(out, c->name);
    else if (strcmp(what, ".price") == 0)
        put_hundredths(out, c->price);
    else if (strcmp(what, ".close") == 0)
        put_hundredths(out, c->close);
    else if (strcmp(what, ".change") == 0)
        put_hundredths(out, c->change);
    else if (strcmp(what, ".revenue") == 0)
        rein_str_printf(out, "%lld", (long long)c->revenue);
    else if (strcmp(what, ".ceo") == 0)
        rein_str_printf(out, "%s %s", c->ceo_first, c->ceo_last);
    else if (strcmp(what, ".gap") == 0)
        put_figure_of(out, c->price - c->close);
    else if (strcmp(what, ".founded") == 0)
        rein_str_printf(out, "%d", c->founded);
    else if (strcmp(what, ".product") == 0)
        rein_str_puts(out, c->product);
    else
        REIN_ASSERT(what == NULL && "a place of the table has a figure that exists");
}

static void put_place(rein_str *out, const places *p, const char *name) {
    const bool a_is_higher = p->a.price > p->b.price;
    if (name[0] == 'A')
        put_figure(out, &p->a, name + 1);
    else if (name[0] == 'B')
        put_figure(out, &p->b, name + 1);
    else if (strncmp(name, "hi", 2) == 0)
        put_figure(out, a_is_higher ? &p->a : &p->b, name + 2);
    else if (strncmp(name, "lo", 2) == 0)
        put_figure(out, a_is_higher ? &p->b : &p->a, name + 2);
    else if (strcmp(name, "C") == 0)
        rein_str_puts(out, p->channel);
    else if (strcmp(name, "F") == 0)
        rein_str_puts(out, p->file);
    else if (strcmp(name, "G") == 0)
        rein_str_puts(out, p->other_file);
    else if (strcmp(name, "K") == 0)
        rein_str_puts(out, p->key);
    else if (strcmp(name, "N1") == 0)
        rein_str_printf(out, "%d", p->number[0]);
    else if (strcmp(name, "N2") == 0)
        rein_str_printf(out, "%d", p->number[1]);
    else if (strcmp(name, "sum") == 0)
        rein_str_printf(out, "%d", p->number[0] + p->number[1]);
    else if (strcmp(name, "total") == 0)
        put_figure_of(out, p->a.price + p->b.price);
    else
        REIN_ASSERT(name == NULL && "a place of the table has a name that exists");
}

/* A text of the table with its places filled in, in `arena`; NULL stays NULL. */
static rein_status fill(const char **out, rein_arena *arena, const places *p, const char *text) {
    rein_str s = {0};
    char name[16], *copy = NULL;
    *out = NULL;
    if (!text) return REIN_OK;
    for (const char *open; (open = strchr(text, '<')); text = strchr(open, '>') + 1) {
        const size_t len = strcspn(open + 1, ">");
        REIN_ASSERT(len < sizeof name);
        memcpy(name, open + 1, len);
        name[len] = '\0';
        rein_str_append(&s, text, (size_t)(open - text));
        put_place(&s, p, name);
    }
    rein_str_puts(&s, text);
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) status = rein_arena_strdup(arena, &copy, s.data, s.len);
    rein_str_deinit(&s);
    *out = copy;
    return status;
}

/* ---- tools ---- */

static bool has_tool(const rein_tools_task *t, const char *name) {
    for (int i = 0; i < t->n_tool; i++)
        if (strcmp(t->tool[i], name) == 0) return true;
    return false;
}

/* Tools that are not needed, up to tools_per_task; in training none that is held out. */
static void add_distractors(rein_tools_task *t, const rein_tools_pool *pool, uint64_t key) {
    const char *other[64];
    int n = 0;
    const rein_tool_domain *const *all = rein_tool_domains();
    for (int d = 0; all[d]; d++)
        for (int i = 0; i < all[d]->n_tool && (pool->domains >> d & 1); i++) {
            const char *name = all[d]->tool[i].name;
            if (!has_tool(t, name) && !all[d]->tool[i].by_machine && ((key & 1) || !is_heldout_tool(pool, name)) &&
                n < (int)REIN_COUNT(other))
                other[n++] = name;
        }
    for (int k = 0; n > 0 && t->n_tool < pool->tools_per_task; k++) {
        const int i = draw(n, key, DRAW_TOOL, k);
        t->tool[t->n_tool++] = other[i];
        other[i] = other[--n];
    }
}

static void shuffle_tools(rein_tools_task *t, uint64_t key) {
    for (int i = t->n_tool - 1; i > 0; i--) {
        const int k = draw(i + 1, key, DRAW_ORDER, i);
        const char *swap = t->tool[i];
        t->tool[i] = t->tool[k];
        t->tool[k] = swap;
    }
}

/* ---- the task ---- */

static rein_status fill_steps(rein_tools_task *t, const category *c, const places *p) {
    for (int i = 0; i < MOST && c->step[i].tool; i++) {
        rein_tools_step *step = &t->step[t->n_step++];
        step->tool = c->step[i].tool;
        REIN_TRY(fill(&step->arguments, &t->arena, p, c->step[i].arguments));
        if (!has_tool(t, step->tool)) t->tool[t->n_tool++] = step->tool;
    }
    t->needed = t->n_step;
    return REIN_OK;
}

static rein_status fill_world(rein_tools_task *t, const category *c, const places *p) {
    for (int i = 0; i < MOST && c->setup[i].where; i++) {
        rein_tools_setup *s = &t->setup[t->n_setup++];
        s->kind = c->setup[i].kind;
        REIN_TRY(fill(&s->where, &t->arena, p, c->setup[i].where));
        REIN_TRY(fill(&s->text, &t->arena, p, c->setup[i].text));
    }
    for (int i = 0; i < MOST && (c->check[i].where || c->check[i].text); i++) {
        rein_tools_check *check = &t->check[t->n_check++];
        check->kind = c->check[i].kind;
        REIN_TRY(fill(&check->where, &t->arena, p, c->check[i].where));
        REIN_TRY(fill(&check->text, &t->arena, p, c->check[i].text));
        REIN_TRY(fill(&check->without, &t->arena, p, c->check[i].without));
    }
    return REIN_OK;
}

static rein_status generate(rein_tools_task *t, const rein_tools_pool *pool, const rein_task *task) {
    const category *c = &categories[(int)task->number[0]];
    places p;
    draw_places(&p, (int)task->number[0], task->key);
    t->category = c->name;
    t->level = c->level;
    t->world = task->key;
    t->max_turns = rein_tools_turns[c->level];
    t->strict = true;
    REIN_TRY(fill(&t->prompt, &t->arena, &p, c->prompt[draw(REIN_TOOLS_PHRASES, task->key, DRAW_PHRASE, 0)]));
    REIN_TRY(fill(&t->answer, &t->arena, &p, c->answer));
    REIN_TRY(fill_steps(t, c, &p));
    REIN_TRY(fill_world(t, c, &p));
    add_distractors(t, pool, task->key);
    shuffle_tools(t, task->key);
    return REIN_OK;
}

rein_status rein_tools_generate(rein_tools_task *out, const rein_tools_pool *pool, const rein_task *task) {
    *out = (rein_tools_task){0};
    rein_status status = generate(out, pool, task);
    if (status != REIN_OK) rein_tools_task_deinit(out);
    return status;
}

void rein_tools_task_deinit(rein_tools_task *task) {
    rein_arena_deinit(&task->arena);
    *task = (rein_tools_task){0};
}
