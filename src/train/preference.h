/*
 * Training on preferences: pairs of answers to a prompt, or (loss_type kto) single answers with a label. The losses are
 * in rl/preference.h; a batch's loss is their mean over its rows.
 *
 * A pair is one tree: the prompt is the root, both answers are its children, so that the prompt is computed once. The
 * reference policy runs over the same forest; where its weights are the policy's, its log-probs are the policy's, bit
 * for bit, and the first implicit rewards are exactly 0.
 *
 * kto's baseline z is the mean over a logical micro-batch of s - s_ref of mismatched answers, at least 0: each prompt
 * is read with the answer to the micro-batch's prompt before it (the first with the last one's), as TRL does.
 */
#ifndef REIN_TRAIN_PREFERENCE_H
#define REIN_TRAIN_PREFERENCE_H

#include "train/offline.h"

extern const rein_offline_class rein_pairs_class, rein_singles_class; /* the latter for kto */

/** As rein_train_kind.run and .replay. */
REIN_NODISCARD rein_status rein_dpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                        const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_dpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                           int64_t step, rein_commit *out, rein_str *journal);

#endif
