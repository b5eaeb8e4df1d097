/* Circuit breaker and back-off; see breaker.h. */
#include "mcp/breaker.h"

#include "base/random.h"

bool rein_mcp_breaker_allows(rein_mcp_breaker *b, double now, bool others) {
    if (b->circuit == REIN_MCP_OPEN && now >= b->open_until) {
        b->circuit = REIN_MCP_HALF_OPEN;
        b->answers = 0;
    }
    return b->circuit == REIN_MCP_CLOSED || (b->circuit == REIN_MCP_HALF_OPEN && !others);
}

void rein_mcp_breaker_answer(rein_mcp_breaker *b) {
    b->failures = 0;
    if (b->circuit == REIN_MCP_HALF_OPEN && ++b->answers >= REIN_MCP_CLOSES_AFTER) b->circuit = REIN_MCP_CLOSED;
}

bool rein_mcp_breaker_failure(rein_mcp_breaker *b, double now) {
    b->failures++;
    if (b->circuit == REIN_MCP_OPEN) return false;
    if (b->circuit == REIN_MCP_CLOSED && b->failures < REIN_MCP_OPENS_AFTER) return false;
    b->circuit = REIN_MCP_OPEN;
    b->open_until = now + b->cooldown;
    b->opened++;
    return true;
}

double rein_mcp_backoff(double base, int attempt, uint64_t seed, uint32_t draw) {
    static const double longest = 30;
    double wait = base;
    for (int i = 1; i < attempt && wait < longest; i++) wait *= 2;
    wait *= 0.5 + rein_random_uniform(seed, REIN_STREAM_BACKOFF, draw, 0, 0, 0);
    return wait < longest ? wait : longest;
}
