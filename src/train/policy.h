/* The model that a training run starts from, and the reference policy: whole models, or adapters of frozen ones. */
#ifndef REIN_TRAIN_POLICY_H
#define REIN_TRAIN_POLICY_H

#include "model/model.h"
#include "rollout/prompt.h"
#include "text/tokenizer.h"
#include "train/args.h"

/**
 * Load a model and its tokenizer: directory, checkpoint, run or adapter. Both must be there; an adapter without tokenizer
 * has its base's.
 *
 * @param options  as in rein_model_load.
 */
REIN_NODISCARD rein_status rein_start_model(rein_model **model, rein_tokenizer **tok, const char *path, rein_device *dev,
                                            const rein_model_options *options);

/** What the model's conversations need, as rein_prompt_chat_open; `path` as in rein_start_model. */
REIN_NODISCARD rein_status rein_start_chat(rein_prompt_chat *chat, const char *path, const rein_prompt_chat_args *args);

/** The chat template of a model from scratch, appended: chat_template_path, a file or "chatml"; nothing if it is not given. */
REIN_NODISCARD rein_status rein_scratch_template(rein_str *out, const rein_train_args *args);

/** model_name_or_path as the options say: trained whole, or (use_peft) frozen below a new adapter or the one that is named.
 *  REIN_ERR_USAGE for an adapter option that nothing would read. */
REIN_NODISCARD rein_status rein_start_policy(rein_model **model, rein_tokenizer **tok, const rein_train_args *args,
                                             rein_device *dev);

/** REIN_ERR_USAGE if use_peft is false and an option of adapters is given. */
REIN_NODISCARD rein_status rein_policy_check(const rein_train_args *args);

/** args->ref_model, frozen: init (what rein_start_policy loads), base (the same without an adapter), or a path. */
REIN_NODISCARD rein_status rein_start_reference(rein_model **model, const rein_train_args *args, rein_device *dev);

#endif
