/*
 * The files of a model that are text: tokenizer, chat template and what goes with them, wherever the model has them.
 *
 * A model is named as for rein_model_load: a Hugging Face directory, a GGUF file (its metadata says the same; source.h),
 * or an adapter's directory. What an adapter has no file of its own for, its base has.
 */
#ifndef REIN_IO_MODEL_TEXT_H
#define REIN_IO_MODEL_TEXT_H

#include "text/chat.h"
#include "text/tokenizer.h"

/**
 * The model's tokenizer.
 *
 * @param[out] out   caller owns; NULL if the model has none.
 * @param      base  the base of the adapter `path`; NULL: the one that it names. Not read for other models.
 * @return REIN_ERR_IO if there is nothing at `path`, or of an adapter that lacks the file and whose base is not here;
 *         REIN_ERR_FORMAT for a file that is no GGUF, and as rein_tokenizer_parse.
 */
REIN_NODISCARD rein_status rein_model_text_tokenizer(rein_tokenizer **out, const char *path, const char *base);

/** The model's chat template, likewise: chat_template.jinja, or "chat_template" of tokenizer_config.json. */
REIN_NODISCARD rein_status rein_model_text_chat(rein_chat_template **out, const char *path, const char *base);

/** As rein_model_text_chat; REIN_ERR_IO naming what is missing if there is no template. */
REIN_NODISCARD rein_status rein_model_text_need_chat(rein_chat_template **out, const char *path, const char *base);

/** What a copy of a model takes over beside config and weights: tokenizer.json, tokenizer_config.json,
 *  special_tokens_map.json, chat_template.jinja, generation_config.json. Zero-initialised: none of them. */
typedef struct rein_model_texts {
    char *text[5]; /* NULL: the model has no such file */
    size_t len[5];
    rein_arena arena;
} rein_model_texts;

/** Read them into memory; path, base and errors as in rein_model_text_tokenizer. */
REIN_NODISCARD rein_status rein_model_texts_read(rein_model_texts *out, const char *path, const char *base);
/** Take `text` (copied) for the file of this name, which is one of those. */
REIN_NODISCARD rein_status rein_model_texts_put(rein_model_texts *t, const char *name, const char *text, size_t len);
/** Write those that there are into an existing directory. */
REIN_NODISCARD rein_status rein_model_texts_write(const rein_model_texts *t, const char *dir);
void rein_model_texts_deinit(rein_model_texts *t);

/** Both: the files of the model `path` into the directory `dir`. */
REIN_NODISCARD rein_status rein_model_texts_copy(const char *dir, const char *path);

/** A text file of a directory, appended. *found: it is there. */
REIN_NODISCARD rein_status rein_model_text_file(rein_str *out, bool *found, const char *dir, const char *file);

#endif
