/*
 * Supervised fine-tuning: the loss is the sum of -log p over the tokens that count, divided by their number in the whole
 * accumulated batch (TRL's num_items_in_batch). Rows are trees of one span: nothing is padded.
 */
#ifndef REIN_TRAIN_SFT_H
#define REIN_TRAIN_SFT_H

#include "train/trainer.h"

/** As rein_train_kind.run. */
REIN_NODISCARD rein_status rein_sft_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                        const rein_train_watch *watch);

/** As rein_train_kind.replay; a step of SFT has no rollouts. */
REIN_NODISCARD rein_status rein_sft_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                           int64_t step, rein_commit *out, rein_str *journal);

#endif
