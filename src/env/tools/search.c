/* The domain search: a small web of generated documents about the companies of the market. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "env/tools/domain.h"
#include "env/tools/market.h"

enum { PAGES = 3, BEST = 3, WORDS = 16, WORD = 32, PAGE = 256 };

/* Page `which` of a company. */
static void page(char out[PAGE], uint64_t seed, int index, int which) {
    rein_company c;
    rein_company_get(&c, seed, index);
    switch (which) {
    case 0:
        snprintf(out, PAGE, "%s (%s) was founded in %d in %s.", c.name, c.ticker, c.founded, c.city);
        break;
    case 1: snprintf(out, PAGE, "The best-known product of %s (%s) is the %s.", c.name, c.ticker, c.product); break;
    default:
        snprintf(out, PAGE, "%s (%s) is led by %s %s and has %lld employees.", c.name, c.ticker, c.ceo_first, c.ceo_last,
                 (long long)c.employees);
    }
}

/* The words of a query, lower case; those of fewer than three letters say nothing. */
static int words_of(char word[WORDS][WORD], const char *query) {
    int n = 0;
    for (const char *c = query; *c && n < WORDS;) {
        size_t len = 0;
        while (isalnum((unsigned char)c[len])) len++;
        if (len >= 3 && len < WORD) {
            for (size_t i = 0; i < len; i++) word[n][i] = (char)tolower((unsigned char)c[i]);
            word[n++][len] = '\0';
        }
        c += len ? len : 1;
    }
    return n;
}

static bool has_word(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (const char *c = text; *c; c++) {
        const bool starts = c == text || !isalnum((unsigned char)c[-1]);
        if (starts && strncasecmp(c, word, n) == 0 && !isalnum((unsigned char)c[n])) return true;
    }
    return false;
}

typedef struct hit {
    int score, index, which;
} hit;

/* The best pages for a query, best first, equal ones in their order; returns how many have any of its words. */
static int find(hit best[BEST], uint64_t seed, const char *query) {
    char word[WORDS][WORD], text[PAGE];
    const int n_words = words_of(word, query);
    int n = 0;
    for (int i = 0; i < REIN_COMPANIES * PAGES; i++) {
        hit h = {0, i / PAGES, i % PAGES};
        page(text, seed, h.index, h.which);
        for (int k = 0; k < n_words; k++) h.score += has_word(text, word[k]);
        if (h.score == 0 || (n == BEST && h.score <= best[n - 1].score)) continue;
        int at = n < BEST ? n++ : BEST - 1;
        for (; at > 0 && best[at - 1].score < h.score; at--) best[at] = best[at - 1];
        best[at] = h;
    }
    return n;
}

static rein_status search(const rein_tool_place *at, struct json_object *args, int most, rein_tool_reply *out) {
    const char *query;
    char text[PAGE];
    hit best[BEST];
    if (!rein_tool_string(&query, args, "query", out)) return REIN_OK;
    const int n = find(best, at->seed, query);
    if (n == 0) return rein_tool_error(out, "nothing was found for '%.60s'", query);
    for (int i = 0; i < n && i < most; i++) {
        page(text, at->seed, best[i].index, best[i].which);
        rein_str_printf(out->text, "%s%s", i ? "\n" : "", text);
    }
    return REIN_OK;
}

static rein_status tavily_search(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    return search(at, args, BEST, out);
}

static rein_status tavily_qna_search(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    return search(at, args, 1, out);
}

#define QUERY                                                                                                          \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"query\":{\"type\":\"string\"}},"              \
    "\"required\":[\"query\"]}"

static const rein_tool tools[] = {
    {"tavily_search", "Search the web: the best three results.", QUERY, tavily_search},
    {"tavily_qna_search", "Search the web: the best result.", QUERY, tavily_qna_search},
};

const rein_tool_domain rein_domain_search = {"search", "a search engine over generated documents", tools,
                                             (int)REIN_COUNT(tools), true};
