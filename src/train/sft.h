/*
 * Supervised fine-tuning: the loss is a sum over the tokens that count, divided by their number in the whole
 * accumulated batch (TRL's num_items_in_batch):
 *
 *   nll  (1 - e) (-log p) + e (mean over the vocabulary of -log p'),  e = label_smoothing_factor
 *   dft  -sg(p) log p  (Wu et al. 2025, "On the generalization of SFT", arXiv:2508.05629)
 *
 * Rows are trees of one span: nothing is padded. A packed unit is several such trees; its rows never see each other
 * unless they were joined to one stream (packing_strategy wrapped).
 */
#ifndef REIN_TRAIN_SFT_H
#define REIN_TRAIN_SFT_H

#include "train/offline.h"

typedef enum rein_sft_loss { REIN_SFT_NLL, REIN_SFT_DFT } rein_sft_loss;
#define REIN_SFT_LOSS_CHOICES "nll|dft"

extern const rein_offline_class rein_sft_class;

/** As rein_train_kind.run. */
REIN_NODISCARD rein_status rein_sft_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                        const rein_train_watch *watch);

/** As rein_train_kind.replay; a step of SFT has no rollouts. */
REIN_NODISCARD rein_status rein_sft_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                           int64_t step, rein_commit *out, rein_str *journal);

#endif
