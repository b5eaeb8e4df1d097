/*
 * Packing: which rows together make a unit of up to max_length tokens, as TRL's pack_dataset over the whole file.
 *
 *   bfd        best fit decreasing (Ding et al. 2024, "Fewer truncations improve language modeling", arXiv:2404.10830):
 *              rows by falling length, each into the unit with the least room that still takes it
 *   bfd_split  the same after rows longer than max_length were cut into pieces
 *   wrapped    rows joined to one stream that is cut every max_length tokens: rein_dataset_options.wrap
 */
#ifndef REIN_TRAIN_PACK_H
#define REIN_TRAIN_PACK_H

#include "base/base.h"

typedef enum rein_packing { REIN_PACKING_BFD, REIN_PACKING_BFD_SPLIT, REIN_PACKING_WRAPPED } rein_packing;
#define REIN_PACKING_CHOICES "bfd|bfd_split|wrapped"

typedef struct rein_pack {
    int64_t n_unit;
    int64_t *first; /* (n_unit + 1) in `row` */
    int64_t *row;   /* (n) units one after the other, rows in the order in which they were put in */
} rein_pack;

/**
 * Best fit decreasing of rows 0 .. n - 1.
 *
 * @param length      (n) tokens of each row, 1 <= length <= max_length.
 * @note  Equal lengths go by number of row, equal room by number of unit. O(n log n + n max_length / 64).
 */
REIN_NODISCARD rein_status rein_pack_make(rein_pack *out, const int64_t *length, int64_t n, int64_t max_length);
void rein_pack_deinit(rein_pack *p);

#endif
