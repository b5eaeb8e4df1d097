/* The generated market: companies whose names stay and whose figures are a pure function of the world's seed. */
#ifndef REIN_ENV_TOOLS_MARKET_H
#define REIN_ENV_TOOLS_MARKET_H

#include <stdint.h>

enum { REIN_COMPANIES = 32, REIN_MARKET_DAYS = 10 };

/** One company in one world. Money in cents, so that every figure is exact; days count back from today (0). */
typedef struct rein_company {
    const char *ticker, *name;             /* the same in every world */
    const char *sector, *city, *ceo_first, *ceo_last;
    int64_t price;                         /* cents, now */
    int64_t close;                         /* cents, end of the previous day */
    int64_t change;                        /* of the price since then, in hundredths of a percent, rounded to nearest */
    int64_t revenue, net_income;           /* millions, last year */
    int64_t employees;
    int founded;         /* year */
    const char *product;
} rein_company;

/** @param index  0 .. REIN_COMPANIES - 1 */
void rein_company_get(rein_company *out, uint64_t seed, int index);
/** By ticker (any case), or -1. */
int rein_company_find(const char *ticker);
/** Closing price in cents, `days` (0 .. REIN_MARKET_DAYS - 1) trading days before the previous close. */
int64_t rein_company_close(uint64_t seed, int index, int days);

#endif
