/* What the report says, section by section. No number here is a result: all come from the stores. */
#include "report/page.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "report/figures.h"
#include "report/html.h"
#include "rl/stats.h"

/* ---- figures and tables ---- */

/* Files beside the page, and the figure inline. Nothing for an empty figure. */
static rein_status put_figure(rein_page *page, const rein_figure *f) {
    rein_str svg = {0}, *s = &page->html;
    char *prefix;
    rein_status status;
    if (f->n_panel == 0) return REIN_OK;
    REIN_TRY(rein_figure_write(f, page->figure_dir, page->options->formats));
    if (!page->options->html) return REIN_OK;
    REIN_TRY(rein_path_format(&page->arena, &prefix, "f%lld-", (long long)++page->n_figure));
    REIN_TRY_OUT(status, rein_figure_draw(f, REIN_SVG, &svg), out);
    rein_str_puts(s, "<figure role=\"group\">\n");
    rein_svg_inline(s, svg.data, svg.len, prefix);
    rein_str_printf(s, "<figcaption><b>Figure %lld.</b> ", (long long)page->n_figure);
    rein_html_puts(s, f->caption);
    rein_str_puts(s, " Data: <a href=\"figures/");
    rein_html_puts(s, f->name);
    rein_str_puts(s, ".csv\">figures/");
    rein_html_puts(s, f->name);
    rein_str_puts(s, ".csv</a></figcaption></figure>\n");
out:
    rein_str_deinit(&svg);
    return status;
}

static void put_caption(rein_page *page, const char *text) {
    rein_str_printf(&page->html, "<p class=\"sub\"><b>Table %lld.</b> ", (long long)++page->n_table);
    rein_html_puts(&page->html, text);
    rein_str_puts(&page->html, "</p>\n");
}

static void end_table(rein_page *page) { rein_str_puts(&page->html, "</tbody></table>\n"); }

static void heading(rein_page *page, int level, const char *text) {
    rein_str_printf(&page->html, "<h%d>", level);
    rein_html_puts(&page->html, text);
    rein_str_printf(&page->html, "</h%d>\n", level);
}

/* ---- what was asked ---- */

static rein_status put_config(rein_page *page, const rein_source *source) {
    rein_str config = {0}, *s = &page->html;
    char *title;
    REIN_TRY(rein_path_format(&page->arena, &title, "%s (%s)", source->name, rein_rundir_kind(source->run)));
    REIN_TRY(rein_read_config(source->run, &config));
    heading(page, 3, title);
    if (config.len == 0) {
        rein_str_puts(s, "<p class=\"sub\">No options.</p>\n");
    } else {
        rein_str_puts(s, "<pre class=\"config\">");
        rein_html_text(s, config.data, config.len);
        rein_str_puts(s, "</pre>\n");
    }
    rein_str_deinit(&config);
    return REIN_OK;
}

/* ---- evaluations ---- */

static const char *role_name(rein_role role) {
    static const char *const name[] = {"model", "baseline", "oracle"};
    return (unsigned)role < REIN_COUNT(name) ? name[role] : "unknown";
}

enum { MAX_COLUMNS = 8 + REIN_SCORE_PARTS };

/* Names of all metrics that any policy has, in order of appearance. */
static int64_t all_metrics(const char **names, const rein_policy_summary *s, int64_t n_policy) {
    int64_t n = 0;
    for (int64_t k = 0; k < n_policy; k++)
        for (int64_t i = 0; i < s[k].n_metric; i++) {
            int64_t at = 0;
            while (at < n && strcmp(names[at], s[k].metric[i].name) != 0) at++;
            if (at == n && n < REIN_SCORE_PARTS) names[n++] = s[k].metric[i].name;
        }
    return n;
}

static void put_metric(rein_str *s, const rein_policy_summary *p, const char *name) {
    for (int64_t i = 0; i < p->n_metric; i++)
        if (strcmp(p->metric[i].name, name) == 0) {
            rein_html_cell_estimate(s, p->metric[i].value);
            return;
        }
    rein_html_cell(s, "\xe2\x80\x93");
}

static rein_status put_summary(rein_page *page, const rein_eval *e) {
    rein_policy_summary *sum;
    const char *metric[REIN_SCORE_PARTS],
        *head[MAX_COLUMNS + 1] = {"policy", "role", "cases", "reward", "success", "format"};
    rein_str *s = &page->html;
    bool ratio = false;
    REIN_TRY(rein_summarize(e, &page->arena, &sum));
    int64_t n_metric = all_metrics(metric, sum, e->n_policy), n_head = 6;
    for (int64_t k = 0; k < e->n_policy; k++) ratio = ratio || sum[k].cost_ratio.n > 0;
    if (ratio) head[n_head++] = "cost / oracle's";
    for (int64_t i = 0; i < n_metric; i++) head[n_head++] = metric[i];
    put_caption(
        page, "Policies on the same cases: mean [95 % interval]. Rates have Wilson's interval, means a bootstrap over "
              "cases. Metrics are means over the cases that have them: a malformed answer has none.");
    rein_html_table(s, head);
    for (int64_t k = 0; k < e->n_policy; k++) {
        rein_str_puts(s, "<tr>");
        rein_html_cell(s, e->policies[k].name);
        rein_html_cell(s, role_name(e->policies[k].role));
        rein_html_cell_int(s, e->policies[k].n);
        rein_html_cell_estimate(s, sum[k].reward);
        rein_html_cell_estimate(s, sum[k].success);
        rein_html_cell_estimate(s, sum[k].format);
        if (ratio) rein_html_cell_estimate(s, sum[k].cost_ratio);
        for (int64_t i = 0; i < n_metric; i++) put_metric(s, &sum[k], metric[i]);
        rein_str_puts(s, "</tr>\n");
    }
    end_table(page);
    return REIN_OK;
}

/* A difference is called one only if its interval excludes zero. */
static const char *verdict(rein_estimate e) {
    if (e.n == 0) return "\xe2\x80\x93";
    return e.lo > 0 ? "better" : e.hi < 0 ? "worse" : "no difference shown";
}

static void put_comparisons(rein_page *page, const rein_comparison *c, int64_t n) {
    static const char *const head[] = {"difference", "pairs", "reward", "success", "cost", "by reward", NULL};
    rein_str *s = &page->html;
    put_caption(page, "Paired differences between models on the same cases: mean [95 % bootstrap interval].");
    rein_html_table(s, head);
    for (int64_t i = 0; i < n; i++) {
        rein_str_puts(s, "<tr><td>");
        rein_html_puts(s, c[i].a->name);
        rein_str_puts(s, " \xe2\x88\x92 ");
        rein_html_puts(s, c[i].b->name);
        rein_str_puts(s, "</td>");
        rein_html_cell_int(s, c[i].reward.n);
        rein_html_cell_estimate(s, c[i].reward);
        rein_html_cell_estimate(s, c[i].success);
        rein_html_cell_estimate(s, c[i].cost);
        rein_html_cell(s, verdict(c[i].reward));
        rein_str_puts(s, "</tr>\n");
    }
    end_table(page);
}

static rein_status put_eval(rein_page *page, const rein_source *source, const rein_eval *e) {
    char *title, *name;
    rein_figure figure;
    rein_comparison *comparison;
    int64_t n;
    rein_arena *a = &page->arena;
    REIN_TRY(rein_path_format(a, &title, "%s: %s, step %lld", source->name, e->name, (long long)e->step));
    heading(page, 3, title);
    rein_str_puts(&page->html, "<p class=\"sub\">");
    rein_html_puts(&page->html, e->about);
    rein_str_puts(&page->html, "</p>\n");
    REIN_TRY(put_summary(page, e));
    REIN_TRY(rein_path_format(a, &name, "%s-%s-%lld-policies", source->name, e->name, (long long)e->step));
    REIN_TRY(rein_figure_policies(&figure, a, e, name));
    REIN_TRY(put_figure(page, &figure));
    REIN_TRY(rein_compare_models(e, a, &comparison, &n));
    if (n > 0) put_comparisons(page, comparison, n);
    REIN_TRY(rein_path_format(a, &name, "%s-%s-%lld-paired", source->name, e->name, (long long)e->step));
    REIN_TRY(rein_figure_paired(&figure, a, comparison, n, name));
    REIN_TRY(put_figure(page, &figure));
    REIN_TRY(rein_path_format(a, &name, "%s-%s-%lld-trajectories", source->name, e->name, (long long)e->step));
    REIN_TRY(rein_figure_trajectories(&figure, a, e, name, page->options->n_trajectory));
    return put_figure(page, &figure);
}

/* A training run that evaluates every so often is shown by its curves; its last evaluation is shown in full. */
static rein_status put_evals(rein_page *page) {
    bool any = false;
    for (int64_t k = 0; k < page->n; k++) {
        rein_source *source = &page->source[k];
        for (int64_t i = 0; i < source->n_eval; i++) {
            bool later = i + 1 < source->n_eval && strcmp(source->evals[i].name, source->evals[i + 1].name) == 0;
            if (later) continue;
            if (!any) heading(page, 2, "Evaluation");
            any = true;
            REIN_TRY(put_eval(page, source, &source->evals[i]));
        }
    }
    return REIN_OK;
}

/* ---- learning ---- */

/* What a metric's rise, fall or standstill is a reason to look at; NULL: nothing. */
static const struct advice {
    const char *metric, *rises, *falls, *stands;
} advice[] = {
    {"reward", NULL, "lower learning_rate, or hold the policy to the reference (beta)",
     "see groups without spread and the reward's parts; then learning_rate"},
    {"success_rate", NULL, "as for the reward", "if the reward rises: it pays for something else"},
    {"frac_reward_zero_std", "fewer groups teach: other tasks (curriculum), more samples a prompt", NULL, NULL},
    {"kl", "if the reward does not rise with it: raise beta", NULL, NULL},
    {"entropy", NULL, "if the reward stands: raise temperature or entropy_coef", NULL},
    {"completions/mean_length", "see how many are truncated", NULL, NULL},
    {"loss/value_avg", "lower the learning rate of the value function", NULL, NULL},
    {"eval_loss", "training overfits: stop earlier", NULL, NULL},
};

static const double standstill = 0.05; /* of the first half's mean */

static void put_number(rein_str *s, double x) {
    if (isfinite(x))
        rein_str_printf(s, "<td class=\"n\">%.4g</td>", x);
    else
        rein_html_cell(s, "\xe2\x80\x93");
}

static void put_trend(rein_str *s, const struct advice *a, rein_trend t) {
    const double change = t.second - t.first;
    const bool stands = !(fabs(change) > standstill * fabs(t.first));
    const char *text = stands ? a->stands : change > 0 ? a->rises : a->falls;
    rein_str_puts(s, "<tr>");
    rein_html_cell(s, a->metric);
    rein_html_cell_int(s, t.n);
    put_number(s, t.first);
    put_number(s, t.second);
    put_number(s, change);
    put_number(s, 100 * change / fabs(t.first));
    put_number(s, 100 * t.slope);
    rein_html_cell(s, stands ? "stands" : change > 0 ? "rises" : "falls");
    rein_html_cell(s, text ? text : "\xe2\x80\x93");
    rein_str_puts(s, "</tr>\n");
}

/* The metrics that have two values or more, by halves of the run. */
static rein_status put_trends(rein_page *page, const rein_source *source) {
    static const char *const head[] = {
        "metric", "steps", "first half", "second half", "change", "%", "slope per 100 steps", "it", "look at", NULL};
    bool any = false;
    for (size_t i = 0; i < REIN_COUNT(advice); i++) {
        rein_series series;
        REIN_TRY(rein_read_series(source->run, &page->arena, advice[i].metric, &series));
        const rein_trend t = rein_stats_trend(series.step, series.value, series.n);
        if (t.n < 2) continue;
        if (!any) {
            put_caption(page, "Means over the halves of the run, and the slope of the least-squares line. A change of "
                              "less than 5 % counts as a standstill. What to look at is a hint, no finding.");
            rein_html_table(&page->html, head);
        }
        any = true;
        put_trend(&page->html, &advice[i], t);
    }
    if (any) end_table(page);
    return REIN_OK;
}

static rein_status put_learning(rein_page *page) {
    bool any = false;
    for (int64_t k = 0; k < page->n; k++) {
        rein_figure figure;
        char *name;
        REIN_TRY(rein_path_format(&page->arena, &name, "%s-training", page->source[k].name));
        REIN_TRY(rein_figure_training(&figure, &page->arena, page->source[k].run, name));
        if (figure.n_panel == 0) continue;
        if (!any) heading(page, 2, "Learning");
        any = true;
        heading(page, 3, page->source[k].name);
        REIN_TRY(put_figure(page, &figure));
        REIN_TRY(rein_path_format(&page->arena, &name, "%s-components", page->source[k].name));
        REIN_TRY(rein_figure_components(&figure, &page->arena, page->source[k].run, name));
        REIN_TRY(put_figure(page, &figure));
        REIN_TRY(put_trends(page, &page->source[k]));
    }
    return REIN_OK;
}

/* ---- completions ---- */

static void put_text(rein_str *s, const char *text, size_t len) {
    rein_str_puts(s, "<pre class=\"text\">");
    rein_html_text(s, text, len);
    rein_str_puts(s, "</pre>\n");
}

static void put_completion(rein_page *page, const rein_completion *c) {
    rein_str *s = &page->html;
    rein_str_printf(s, "<p class=\"sub\">Step %lld, prompt %lld, sample %lld: reward %.4g, advantage %.4g, ended by ",
                    (long long)c->step, (long long)c->prompt, (long long)c->sample, c->reward, c->advantage);
    rein_html_puts(s, c->finish);
    for (int64_t i = 0; i < c->n_part; i++) {
        rein_str_puts(s, i ? ", " : "; ");
        rein_html_puts(s, c->part[i].name);
        rein_str_printf(s, " %.4g", c->part[i].value);
    }
    rein_str_puts(s, "</p>\n");
    if (c->sample == 0) put_text(s, c->prompt_text, c->prompt_len);
    put_text(s, c->text, c->text_len);
}

static rein_status put_completions(rein_page *page) {
    bool any = false;
    for (int64_t k = 0; k < page->n; k++)
        for (int last = 0; last < 2; last++) {
            rein_completion *c;
            int64_t n;
            REIN_TRY(rein_read_completions(page->source[k].run, &page->arena,
                                           last ? REIN_STEP_LAST : REIN_STEP_FIRST, page->options->n_completion,
                                           &c, &n));
            if (n == 0) continue;
            if (!any) heading(page, 2, "Sampled completions");
            any = true;
            char *title;
            REIN_TRY(rein_path_format(&page->arena, &title, "%s, %s step with samples", page->source[k].name,
                                      last ? "last" : "first"));
            heading(page, 3, title);
            for (int64_t i = 0; i < n; i++) put_completion(page, &c[i]);
        }
    return REIN_OK;
}

/* ---- provenance and events ---- */

static void put_pairs(rein_page *page, const rein_pair *pair, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        rein_str_puts(&page->html, "<tr>");
        rein_html_cell(&page->html, pair[i].key);
        rein_str_puts(&page->html, "<td><code>");
        rein_html_puts(&page->html, pair[i].value);
        rein_str_puts(&page->html, "</code></td></tr>\n");
    }
}

static void put_weights(rein_page *page, const rein_source *source) {
    for (int64_t i = 0; i < source->n_eval; i++)
        for (int64_t k = 0; k < source->evals[i].n_policy; k++) {
            const rein_eval_policy *p = &source->evals[i].policies[k];
            if (!p->weights_hash) continue;
            rein_str_puts(&page->html, "<tr><td>weights of ");
            rein_html_puts(&page->html, p->name);
            rein_str_puts(&page->html, "</td><td><code>");
            rein_html_puts(&page->html, p->weights_hash);
            rein_str_puts(&page->html, "</code></td></tr>\n");
        }
}

static rein_status put_provenance(rein_page *page) {
    static const char *const head[] = {"fact", "value", NULL};
    heading(page, 2, "Environment and hashes");
    for (int64_t k = 0; k < page->n; k++) {
        rein_pair *fact, *machine;
        int64_t n_fact, n_machine;
        REIN_TRY(rein_read_notes(page->source[k].run, &page->arena, &fact, &n_fact));
        REIN_TRY(rein_read_machine(page->source[k].run, &page->arena, &machine, &n_machine));
        heading(page, 3, page->source[k].name);
        rein_html_table(&page->html, head);
        put_pairs(page, fact, n_fact);
        put_weights(page, &page->source[k]);
        put_pairs(page, machine, n_machine);
        end_table(page);
    }
    return REIN_OK;
}

static void put_event(rein_page *page, const char *run, int64_t step, const char *kind, const char *text) {
    rein_str_puts(&page->html, "<tr>");
    rein_html_cell(&page->html, run);
    rein_html_cell_int(&page->html, step);
    rein_html_cell(&page->html, kind);
    rein_html_cell(&page->html, text);
    rein_str_puts(&page->html, "</tr>\n");
}

/* Values that were logged as null: counted here, so that a gap in a curve is never silent. */
static rein_status put_gaps(rein_page *page, const rein_source *source, int64_t *rows) {
    const char **names;
    int64_t n;
    REIN_TRY(rein_read_metric_names(source->run, &page->arena, &names, &n));
    for (int64_t i = 0; i < n; i++) {
        rein_series s;
        char *text;
        int64_t gaps = 0, last = 0;
        REIN_TRY(rein_read_series(source->run, &page->arena, names[i], &s));
        for (int64_t k = 0; k < s.n; k++)
            if (isnan(s.value[k])) {
                gaps++;
                last = s.step[k];
            }
        if (gaps == 0) continue;
        REIN_TRY(rein_path_format(&page->arena, &text, "%s has no value at %lld of %lld steps, the last shown here",
                                  names[i], (long long)gaps, (long long)s.n));
        put_event(page, source->name, last, "gap", text);
        ++*rows;
    }
    return REIN_OK;
}

static rein_status put_events(rein_page *page) {
    static const char *const head[] = {"run", "step", "kind", "what", NULL};
    int64_t rows = 0;
    heading(page, 2, "Events");
    rein_html_table(&page->html, head);
    for (int64_t k = 0; k < page->n; k++) {
        rein_event *event;
        int64_t n;
        REIN_TRY(rein_read_events(page->source[k].run, &page->arena, &event, &n));
        for (int64_t i = 0; i < n; i++)
            put_event(page, page->source[k].name, event[i].step, event[i].kind, event[i].text);
        rows += n;
        REIN_TRY(put_gaps(page, &page->source[k], &rows));
    }
    end_table(page);
    if (rows == 0) rein_str_puts(&page->html, "<p>No skipped update, no warning, no missing value.</p>\n");
    return REIN_OK;
}

rein_status rein_page_write(rein_page *page, const char *title) {
    rein_html_head(&page->html, title);
    heading(page, 1, title);
    rein_str_puts(&page->html,
                  "<p class=\"sub\">Every number and curve on this page is read from the run store; the data of "
                  "each figure stand beside it.</p>\n");
    REIN_TRY(put_evals(page));
    REIN_TRY(put_learning(page));
    REIN_TRY(put_completions(page));
    REIN_TRY(put_provenance(page));
    REIN_TRY(put_events(page));
    heading(page, 2, "What was asked");
    for (int64_t k = 0; k < page->n; k++) REIN_TRY(put_config(page, &page->source[k]));
    rein_str_puts(&page->html, "</body></html>\n");
    return rein_str_check(&page->html);
}
