/*
 * Supervised fine-tuning: the loss is the sum of -log p over the tokens that count, divided by their number in the whole
 * accumulated batch (TRL's num_items_in_batch). Rows are trees of one span: nothing is padded.
 */
#ifndef REIN_TRAIN_SFT_H
#define REIN_TRAIN_SFT_H

#include "train/trainer.h"

/** Run SFT to the end (or resume it). `config_yaml` is stored. The run's newest checkpoint is the result. */
REIN_NODISCARD rein_status rein_sft_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                        const rein_train_watch *watch);

/** Redo one step from the newest checkpoint before it, in memory, and compare with the run's commit record. */
REIN_NODISCARD rein_status rein_sft_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                           int64_t step, rein_commit *out);

#endif
