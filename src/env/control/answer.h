/*
 * The grammar of an answer: exactly N finite decimals between <CONTROLS> and </CONTROLS>.
 *
 *   answer  = [ "<REASONING>" ] text "</REASONING>" space "<CONTROLS>" list "</CONTROLS>" space      (reasoning)
 *           | space "<CONTROLS>" list "</CONTROLS>" space                                            (plain)
 *   list    = item { "," item }          item = space [ "+" | "-" ] decimal space
 *   decimal = digits [ "." { digit } ] | "." digits            space = { SP | TAB | LF | CR }
 *
 * Nothing is repaired: no padding, no truncation, no search for numbers in text. The text is a model's and untrusted.
 */
#ifndef REIN_ENV_CONTROL_ANSWER_H
#define REIN_ENV_CONTROL_ANSWER_H

#include "base/base.h"

/** Why a control list is malformed; the first that applies, tags before items, items in order, their number last. */
typedef enum rein_answer_error {
    REIN_ANSWER_OK,
    REIN_ANSWER_NO_TAGS,       /* neither tag */
    REIN_ANSWER_NO_OPEN_TAG,   /* </CONTROLS> alone */
    REIN_ANSWER_NO_CLOSE_TAG,  /* <CONTROLS> is not closed */
    REIN_ANSWER_TAG_ORDER,     /* closed before it is opened */
    REIN_ANSWER_NESTED_TAGS,   /* opened again before it is closed */
    REIN_ANSWER_REPEATED_TAGS, /* a second list, or a second tag */
    REIN_ANSWER_EMPTY_ITEM,    /* nothing between two commas, or an empty list */
    REIN_ANSWER_NOT_FINITE,    /* nan, inf, infinity */
    REIN_ANSWER_HEX,           /* 0x... */
    REIN_ANSWER_EXPONENT,      /* 1e400, 1e-3: decimals have none */
    REIN_ANSWER_TOO_LARGE,     /* more than 15 digits before the point */
    REIN_ANSWER_NOT_A_NUMBER,  /* anything else that is no decimal */
    REIN_ANSWER_TOO_FEW,
    REIN_ANSWER_TOO_MANY
} rein_answer_error;

/** "no_tags", "too_few" ...; NULL for REIN_ANSWER_OK. Static. */
const char *rein_answer_error_name(rein_answer_error error);

/**
 * The controls of an answer.
 *
 * @param[out] u  (n); undefined unless REIN_ANSWER_OK. A decimal of at most 15 significant digits is the nearest
 * double; digits of the fraction beyond the 15th significant one (or the 22nd place) are ignored.
 */
rein_answer_error rein_answer_parse(double *u, int n, const char *text, size_t len);

/** What surrounds the list, by the grammar above. */
typedef struct rein_layout {
    bool exact;                        /* the whole text follows the grammar, up to what the items are */
    bool close_reasoning, open, close; /* each tag appears as often as it should: once (plain: </REASONING> never) */
} rein_layout;
rein_layout rein_answer_layout(const char *text, size_t len, bool reasoning);

/** Round to `decimals` (0 .. 9) places, half away from zero: the double nearest to the printed decimal. |u| < 1e6. */
double rein_decimal_round(double u, int decimals);
/** Print a number that rein_decimal_round returned; zero has no sign. */
void rein_decimal_print(rein_str *out, double u, int decimals);
/** "<CONTROLS>...</CONTROLS>" with `separator` between the rounded numbers. */
void rein_answer_print(rein_str *out, const double *u, int n, int decimals, const char *separator);

/** The state "position=X, velocity=V" of a prompt; false if it is not there or not two decimals. */
bool rein_prompt_state(double state[2], const char *text, size_t len);

#endif
