/* The domain market: quotes, profiles, news and aggregates of generated companies. */
#include "env/tools/market.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/random.h"
#include "env/tools/domain.h"

static const char *const company[REIN_COMPANIES][2] = {
    {"ALVR", "Alvermont Foods"},   {"BRKT", "Brackett Tools"},     {"CDNX", "Cadenix Software"},
    {"DRVO", "Dorvo Motors"},      {"ELMR", "Elmaris Paper"},      {"FNWK", "Fenwick Rail"},
    {"GLDE", "Glidewell Air"},     {"HRTH", "Hearthline Homes"},   {"IVRA", "Ivara Textiles"},
    {"JSPR", "Jasper Optics"},     {"KLTO", "Kelto Chemicals"},    {"LMNA", "Lumena Lighting"},
    {"MRDN", "Meridane Shipping"}, {"NVLA", "Novella Press"},      {"ORCH", "Orchard Grain"},
    {"PLNR", "Planar Robotics"},   {"QRTZ", "Quartzite Mining"},   {"RVLT", "Rivulet Water"},
    {"SLVA", "Silva Timber"},      {"TRDO", "Torrado Coffee"},     {"UMBR", "Umbria Glass"},
    {"VNTG", "Vantagen Health"},   {"WLDN", "Walden Outdoor"},     {"XNTH", "Xanthe Dyes"},
    {"YRWD", "Yarwood Furniture"}, {"ZPHR", "Zephira Wind"},       {"ASTO", "Astoria Games"},
    {"BLMR", "Bellmore Banking"},  {"CRVN", "Corvane Security"},   {"DLTA", "Deltaic Energy"},
    {"EMBR", "Emberly Kitchens"},  {"FLXR", "Flexura Materials"},
};
static const char *const sectors[] = {"Energy", "Health", "Finance", "Industry", "Technology", "Retail", "Transport",
                                      "Agriculture"};
static const char *const cities[] = {"Aldbrook", "Birchmere", "Calderport", "Dunmouth", "Eastmarsh", "Farleigh",
                                     "Glenholm", "Harwick"};
static const char *const first_names[] = {"Ada", "Bruno", "Clara", "David", "Elena", "Felix", "Greta", "Hugo",
                                          "Iris", "Jonas", "Karin", "Lukas", "Maria", "Nils", "Olga", "Pavel"};
static const char *const last_names[] = {"Abbot", "Berger", "Costa", "Dahl", "Eklund", "Fischer", "Grant", "Holm",
                                         "Ivanov", "Jensen", "Keller", "Lind", "Moreau", "Novak", "Olsen", "Petrov"};
static const char *const products[] = {"Amberline", "Blueport", "Cirrus", "Daybreak", "Evergleam", "Fernway", "Goldcrest",
                                       "Highmark", "Ironleaf", "Juniper", "Kestrel", "Larkspur", "Moonrise", "Northstar",
                                       "Overland", "Pinnacle"};

/* What a draw is for; counter (company, use, day). */
enum { DRAW_PRICE, DRAW_CHANGE, DRAW_SECTOR, DRAW_CITY, DRAW_FIRST, DRAW_LAST, DRAW_REVENUE, DRAW_INCOME, DRAW_STAFF,
       DRAW_DAY, DRAW_NEWS, DRAW_FOUNDED, DRAW_PRODUCT };

static int64_t draw(int64_t n, uint64_t seed, int index, int use, int day) {
    return (int64_t)rein_random_below((uint64_t)n, seed, REIN_STREAM_TASK, (uint32_t)index, (uint32_t)use,
                                      (uint32_t)day, 0x6d6b74);
}

/* a / b to nearest, halves away from zero. */
static int64_t divide(int64_t a, int64_t b) { return (a >= 0 ? a + b / 2 : a - b / 2) / b; }

void rein_company_get(rein_company *out, uint64_t seed, int index) {
    const int64_t close = 1000 + draw(89000, seed, index, DRAW_PRICE, 0);
    const int64_t move = draw(1001, seed, index, DRAW_CHANGE, 0) - 500; /* up to 5 percent */
    const int64_t price = close + divide(close * move, 10000);
    *out = (rein_company){
        .ticker = company[index][0],
        .name = company[index][1],
        .sector = sectors[draw((int64_t)REIN_COUNT(sectors), seed, index, DRAW_SECTOR, 0)],
        .city = cities[draw((int64_t)REIN_COUNT(cities), seed, index, DRAW_CITY, 0)],
        .ceo_first = first_names[draw((int64_t)REIN_COUNT(first_names), seed, index, DRAW_FIRST, 0)],
        .ceo_last = last_names[draw((int64_t)REIN_COUNT(last_names), seed, index, DRAW_LAST, 0)],
        .price = price,
        .close = close,
        .change = divide((price - close) * 10000, close),
        .revenue = 100 + draw(9900, seed, index, DRAW_REVENUE, 0),
        .net_income = 5 + draw(95, seed, index, DRAW_INCOME, 0),
        .employees = 100 + draw(49900, seed, index, DRAW_STAFF, 0),
        .founded = 1850 + (int)draw(170, seed, index, DRAW_FOUNDED, 0),
        .product = products[draw((int64_t)REIN_COUNT(products), seed, index, DRAW_PRODUCT, 0)],
    };
}

int rein_company_find(const char *ticker) {
    for (int i = 0; i < REIN_COMPANIES; i++)
        if (strcasecmp(company[i][0], ticker) == 0) return i;
    return -1;
}

int64_t rein_company_close(uint64_t seed, int index, int days) {
    int64_t close = 1000 + draw(89000, seed, index, DRAW_PRICE, 0);
    for (int day = 1; day <= days; day++) close += divide(close * (draw(601, seed, index, DRAW_DAY, day) - 300), 10000);
    return close;
}

/* ---- arguments and figures ---- */

/* 21388 -> "213.88", -5 -> "-0.05" */
static void put_hundredths(rein_str *out, int64_t x) {
    rein_str_printf(out, "%s%lld.%02lld", x < 0 ? "-" : "", (long long)(llabs(x) / 100), (long long)(llabs(x) % 100));
}

static bool read_company(int *index, rein_company *out, const rein_tool_place *at, struct json_object *args,
                         const char *key, rein_tool_reply *reply) {
    const char *ticker;
    if (!rein_tool_string(&ticker, args, key, reply)) return false;
    *index = rein_company_find(ticker);
    if (*index >= 0)
        rein_company_get(out, at->seed, *index);
    else
        (void)rein_tool_error(reply, "unknown symbol '%.40s'; search_ticker finds symbols by name", ticker);
    return *index >= 0;
}

/* ---- tools ---- */

static rein_status get_quote(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    rein_str_printf(out->text, "%s price: ", c.ticker);
    put_hundredths(out->text, c.price);
    return REIN_OK;
}

static rein_status get_previous_close(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    rein_str_printf(out->text, "%s previous close: ", c.ticker);
    put_hundredths(out->text, c.close);
    return REIN_OK;
}

static rein_status get_change_percent(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    rein_str_printf(out->text, "%s change: ", c.ticker);
    put_hundredths(out->text, c.change);
    rein_str_putc(out->text, '%');
    return REIN_OK;
}

static rein_status get_company_profile(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    rein_str_printf(out->text, "%s (%s)\nsector: %s\ncity: %s\nchief executive: %s %s\nemployees: %lld", c.name, c.ticker,
                    c.sector, c.city, c.ceo_first, c.ceo_last, (long long)c.employees);
    return REIN_OK;
}

static rein_status get_income_statement(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    rein_str_printf(out->text, "%s revenue: %lld million\nnet income: %lld million", c.ticker, (long long)c.revenue,
                    (long long)c.net_income);
    return REIN_OK;
}

static rein_status search_ticker(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *query;
    int found = 0;
    (void)at;
    if (!rein_tool_string(&query, args, "query", out)) return REIN_OK;
    const size_t n = strlen(query);
    for (int i = 0; i < REIN_COMPANIES && n > 0; i++) {
        bool hit = strcasecmp(company[i][0], query) == 0;
        for (const char *p = company[i][1]; *p && !hit; p++) hit = strncasecmp(p, query, n) == 0;
        if (hit) rein_str_printf(out->text, "%s%s: %s", found++ ? "\n" : "", company[i][0], company[i][1]);
    }
    if (found == 0) return rein_tool_error(out, "no company is called '%.40s'", query);
    return REIN_OK;
}

/* The three companies with the largest change in the direction `sign`; equal ones by index. */
static rein_status put_movers(const rein_tool_place *at, rein_tool_reply *out, int sign) {
    bool taken[REIN_COMPANIES] = {false};
    for (int rank = 0; rank < 3; rank++) {
        rein_company best = {0}, c;
        int which = -1;
        for (int i = 0; i < REIN_COMPANIES; i++) {
            rein_company_get(&c, at->seed, i);
            if (taken[i] || (which >= 0 && sign * c.change <= sign * best.change)) continue;
            which = i;
            best = c;
        }
        taken[which] = true;
        rein_str_printf(out->text, "%s%s ", rank ? "\n" : "", best.ticker);
        put_hundredths(out->text, best.change);
        rein_str_putc(out->text, '%');
    }
    return REIN_OK;
}

static rein_status get_market_gainers(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    (void)args;
    return put_movers(at, out, 1);
}

static rein_status get_market_losers(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    (void)args;
    return put_movers(at, out, -1);
}

static rein_status get_stock_news(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    static const char *const news[] = {"opens a plant in %s",  "names %s its new home", "wins an order from %s",
                                       "closes a site in %s", "hires in %s",           "pauses its plans for %s"};
    rein_company c;
    int index;
    if (!read_company(&index, &c, at, args, "symbol", out)) return REIN_OK;
    for (int i = 0; i < 2; i++) {
        const char *line = news[draw((int64_t)REIN_COUNT(news), at->seed, index, DRAW_NEWS, i)];
        const char *city = cities[draw((int64_t)REIN_COUNT(cities), at->seed, index, DRAW_NEWS, 2 + i)];
        const int before = (int)(strstr(line, "%s") - line);
        rein_str_printf(out->text, "%s%s %.*s%s", i ? "\n" : "", c.name, before, line, city);
    }
    return REIN_OK;
}

static rein_status get_aggs(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    rein_company c;
    int index;
    int64_t days = 5;
    if (!read_company(&index, &c, at, args, "ticker", out)) return REIN_OK;
    if (!rein_tool_integer(&days, args, "days", 1, REIN_MARKET_DAYS, out)) return REIN_OK;
    rein_str_printf(out->text, "%s closes, latest first:", c.ticker);
    for (int day = 0; day < (int)days; day++) {
        rein_str_putc(out->text, ' ');
        put_hundredths(out->text, rein_company_close(at->seed, index, day));
    }
    return REIN_OK;
}

#define OBJECT "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
#define NOTHING OBJECT "{}}"
#define SYMBOL OBJECT "{\"symbol\":{\"type\":\"string\"}},\"required\":[\"symbol\"]}"

static const rein_tool tools[] = {
    {"get_quote", "Current price of a company.", SYMBOL, get_quote},
    {"get_previous_close", "Price at the end of the previous day.", SYMBOL, get_previous_close},
    {"get_change_percent", "Change of the price since the previous day.", SYMBOL, get_change_percent},
    {"get_company_profile", "Sector, city, chief executive and employees.", SYMBOL, get_company_profile},
    {"get_income_statement", "Revenue and net income of the last year.", SYMBOL, get_income_statement},
    {"search_ticker", "Symbols of companies by name.", OBJECT "{\"query\":{\"type\":\"string\"}},\"required\":[\"query\"]}",
     search_ticker},
    {"get_market_gainers", "The companies that gained most today.", NOTHING, get_market_gainers},
    {"get_market_losers", "The companies that lost most today.", NOTHING, get_market_losers},
    {"get_stock_news", "News of a company.", SYMBOL, get_stock_news},
    {"get_aggs", "Closing prices of the last days.",
     OBJECT "{\"ticker\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10}},"
            "\"required\":[\"ticker\"]}",
     get_aggs},
};

const rein_tool_domain rein_domain_market = {"market", "quotes, profiles, news and aggregates of generated companies",
                                             tools, (int)REIN_COUNT(tools), true};
