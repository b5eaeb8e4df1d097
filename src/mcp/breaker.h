/* When to try again: a circuit breaker and exponential back-off. Times are seconds of rein_clock, given by the caller.
 */
#ifndef REIN_MCP_BREAKER_H
#define REIN_MCP_BREAKER_H

#include "mcp/client.h"

enum { REIN_MCP_OPENS_AFTER = 5, REIN_MCP_CLOSES_AFTER = 2 };

typedef struct rein_mcp_breaker {
    rein_mcp_circuit circuit;
    int failures; /* in a row */
    int answers;  /* half open: since then */
    double open_until, cooldown;
    int64_t opened;
} rein_mcp_breaker;

/** May a request start now? An open circuit whose cooldown is over becomes half open, and then lets one through at a
 * time: `others` tells whether some are under way. */
bool rein_mcp_breaker_allows(rein_mcp_breaker *b, double now, bool others);
void rein_mcp_breaker_answer(rein_mcp_breaker *b);
/** Returns true if this failure opened the circuit. */
bool rein_mcp_breaker_failure(rein_mcp_breaker *b, double now);

/** Seconds before attempt `attempt` + 1: base * 2^(attempt - 1) * (0.5 + u), u uniform in [0, 1) of (seed, draw);
 * attempt
 *  >= 1; never above 30 s. */
double rein_mcp_backoff(double base, int attempt, uint64_t seed, uint32_t draw);

#endif
