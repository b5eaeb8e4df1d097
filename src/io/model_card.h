/* README.md of a model directory: what it is, what it was made from, hashes of its files, and figures that were
 * measured. */
#ifndef REIN_IO_MODEL_CARD_H
#define REIN_IO_MODEL_CARD_H

#include "base/base.h"
#include "io/source.h"

/** A measured number. */
typedef struct rein_card_figure {
    const char *name;     /* what, of which policy, on which cases */
    double value, lo, hi; /* 95 % interval; NaN if there is none */
    int64_t n;            /* values it rests on */
} rein_card_figure;

/**
 * Write DIR/README.md. Every other file of DIR must be there already: it is named with size and SHA-256.
 *
 * @param name     title of the card.
 * @param s        what the files were made from: named by its last path component, with hashes.
 * @param figures  (n) shown as given; may be NULL if n is 0.
 */
REIN_NODISCARD rein_status rein_model_card_write(const char *dir, const char *name, const rein_source *s,
                                                 const rein_card_figure *figures, int64_t n);

#endif
