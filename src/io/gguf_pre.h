/* tokenizer.ggml.pre: names for ways of cutting text before BPE, beside what tokenizer.json says for the same. */
#ifndef REIN_IO_GGUF_PRE_H
#define REIN_IO_GGUF_PRE_H

#include "base/base.h"
#include "base/json.h"

typedef struct rein_gguf_pre {
    const char *names;         /* those that mean this, separated by '|'; the first is written */
    const char *normalizer;    /* JSON of tokenizer.json */
    const char *pre_tokenizer; /* the same */
    bool ignore_merges;
    bool add_bos; /* unless tokenizer.ggml.add_bos_token says otherwise */
} rein_gguf_pre;

/** By name; NULL if rein does not have it. */
const rein_gguf_pre *rein_gguf_pre_find(const char *name, size_t len);

/**
 * The entry that cuts as a tokenizer.json does; *out is NULL if there is none.
 *
 * @param pre_tokenizer  the member of that name, borrowed; may be NULL.
 */
REIN_NODISCARD rein_status rein_gguf_pre_match(const rein_gguf_pre **out, struct json_object *pre_tokenizer,
                                               bool ignore_merges);

#endif
