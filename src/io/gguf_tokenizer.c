/* tokenizer.json, tokenizer_config.json and special_tokens_map.json from GGUF metadata; see gguf_tokenizer.h. */
#include "io/gguf_tokenizer.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "io/gguf_config.h"
#include "io/gguf_pre.h"

static bool is_text(const char *text, size_t len, const char *wanted) {
    return strlen(wanted) == len && memcmp(text, wanted, len) == 0;
}

/* A flag of the metadata, or what it is without one. */
static rein_status flag(bool *out, const rein_gguf *g, const char *key, bool without) {
    *out = without;
    return rein_gguf_value_find(g, key) ? rein_gguf_bool(out, g, key) : REIN_OK;
}

/* Which of the two kinds, and what its defaults are. */
typedef struct kind {
    bool spm;
    const rein_gguf_pre *pre; /* of byte-level BPE */
    bool add_bos, add_eos, space_prefix;
} kind;

static rein_status read_kind(kind *k, const rein_gguf *g) {
    const char *model, *pre = "";
    size_t len, pre_len = 0;
    *k = (kind){0};
    REIN_TRY(rein_gguf_string(&model, &len, g, "tokenizer.ggml.model"));
    k->spm = is_text(model, len, "llama");
    if (!k->spm && !is_text(model, len, "gpt2"))
        return rein_fail(REIN_ERR_FORMAT, "%s: 'tokenizer.ggml.model' is '%.*s', supported are gpt2, llama and none",
                         rein_gguf_path(g), (int)(len < 64 ? len : 64), model);
    if (!k->spm) {
        REIN_TRY(rein_gguf_string(&pre, &pre_len, g, "tokenizer.ggml.pre"));
        k->pre = rein_gguf_pre_find(pre, pre_len);
        if (!k->pre)
            return rein_fail(REIN_ERR_FORMAT,
                             "%s: 'tokenizer.ggml.pre' is '%.*s', which rein does not have; put the model's "
                             "tokenizer.json beside a Hugging Face directory instead",
                             rein_gguf_path(g), (int)(pre_len < 64 ? pre_len : 64), pre);
    }
    REIN_TRY(flag(&k->add_bos, g, "tokenizer.ggml.add_bos_token", k->spm || k->pre->add_bos));
    REIN_TRY(flag(&k->add_eos, g, "tokenizer.ggml.add_eos_token", false));
    REIN_TRY(flag(&k->space_prefix, g, "tokenizer.ggml.add_space_prefix", k->spm));
    return REIN_OK;
}

bool rein_gguf_has_tokenizer(const rein_gguf *g) {
    const rein_gguf_value *v = rein_gguf_value_find(g, "tokenizer.ggml.model");
    if (!v) return false;
    if (v->array || v->type != REIN_GGUF_STRING) return true; /* reading it says what is wrong */
    const char *text;
    size_t len;
    const unsigned char *at = v->data;
    rein_gguf_next_string(&text, &len, &at);
    return !is_text(text, len, "none") && !is_text(text, len, "no_vocab");
}

/* ---- special tokens by role ---- */

static const struct {
    const char *role, *key;
} roles[] = {
    {"bos_token", "tokenizer.ggml.bos_token_id"},
    {"eos_token", "tokenizer.ggml.eos_token_id"},
    {"pad_token", "tokenizer.ggml.padding_token_id"},
    {"unk_token", "tokenizer.ggml.unknown_token_id"},
};

/* The id of a role, -1 for none. */
static rein_status role_id(int64_t *id, const rein_gguf_vocab *v, const char *role) {
    *id = -1;
    for (size_t i = 0; i < REIN_COUNT(roles); i++) {
        if (strcmp(roles[i].role, role) != 0 || !rein_gguf_value_find(v->g, roles[i].key)) continue;
        REIN_TRY(rein_gguf_int(id, v->g, roles[i].key));
        if (*id < 0 || *id >= v->n)
            return rein_fail(REIN_ERR_FORMAT, "%s: '%s' is %lld, but there are %lld tokens", rein_gguf_path(v->g),
                             roles[i].key, (long long)*id, (long long)v->n);
    }
    return REIN_OK;
}

static void put_token(rein_str *s, const rein_gguf_vocab *v, int64_t id) {
    rein_json_put_string(s, v->text[id], v->len[id]);
}

/* ---- added tokens ---- */

/* Rows of the embedding that no token has: llama.cpp's converter names them so. */
static bool is_padding(const rein_gguf_vocab *v, int64_t id) {
    char name[32];
    if (rein_gguf_vocab_kind(v, id) != REIN_GGUF_UNUSED) return false;
    snprintf(name, sizeof name, "[PAD%lld]", (long long)id);
    return is_text(v->text[id], v->len[id], name);
}

static void put_added(rein_str *s, const rein_gguf_vocab *v, bool spm) {
    bool first = true;
    rein_str_puts(s, "\"added_tokens\":[");
    for (int64_t id = 0; id < v->n; id++) {
        int64_t kind_of = rein_gguf_vocab_kind(v, id);
        bool special = kind_of == REIN_GGUF_CONTROL || (spm && kind_of == REIN_GGUF_UNKNOWN);
        if ((!special && kind_of != REIN_GGUF_USER) || v->len[id] == 0) continue;
        rein_str_printf(s, "%s{\"id\":%lld,\"content\":", first ? "\n" : ",\n", (long long)id);
        put_token(s, v, id);
        rein_str_printf(s,
                        ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                        "\"special\":%s}",
                        special ? "true" : "false");
        first = false;
    }
    rein_str_puts(s, "],\n");
}

/* ---- begin and end tokens around a text ---- */

static void put_piece(rein_str *s, const rein_gguf_vocab *v, int64_t id, int segment) {
    rein_str_puts(s, "{\"SpecialToken\":{\"id\":");
    put_token(s, v, id);
    rein_str_printf(s, ",\"type_id\":%d}}", segment);
}

static void put_sequence(rein_str *s, const rein_gguf_vocab *v, int64_t bos, int64_t eos, int segment) {
    if (bos >= 0) {
        put_piece(s, v, bos, segment);
        rein_str_putc(s, ',');
    }
    rein_str_printf(s, "{\"Sequence\":{\"id\":\"%c\",\"type_id\":%d}}", segment ? 'B' : 'A', segment);
    if (eos >= 0) {
        rein_str_putc(s, ',');
        put_piece(s, v, eos, segment);
    }
}

static void put_post_token(rein_str *s, const rein_gguf_vocab *v, int64_t id) {
    put_token(s, v, id);
    rein_str_puts(s, ":{\"id\":");
    put_token(s, v, id);
    rein_str_printf(s, ",\"ids\":[%lld],\"tokens\":[", (long long)id);
    put_token(s, v, id);
    rein_str_puts(s, "]}");
}

static rein_status put_post_processor(rein_str *s, const rein_gguf_vocab *v, const kind *k) {
    int64_t bos, eos;
    REIN_TRY(role_id(&bos, v, "bos_token"));
    REIN_TRY(role_id(&eos, v, "eos_token"));
    if (!k->add_bos) bos = -1;
    if (!k->add_eos) eos = -1;
    rein_str_puts(s, "\"post_processor\":");
    if (bos < 0 && eos < 0) {
        rein_str_puts(s, k->spm ? "null,\n"
                                : "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,"
                                  "\"use_regex\":true},\n");
        return REIN_OK;
    }
    rein_str_puts(s, "{\"type\":\"TemplateProcessing\",\"single\":[");
    put_sequence(s, v, bos, eos, 0);
    rein_str_puts(s, "],\"pair\":[");
    put_sequence(s, v, bos, eos, 0);
    rein_str_putc(s, ',');
    put_sequence(s, v, bos, eos, 1);
    rein_str_puts(s, "],\"special_tokens\":{");
    if (bos >= 0) put_post_token(s, v, bos);
    if (eos >= 0 && eos != bos) {
        if (bos >= 0) rein_str_putc(s, ',');
        put_post_token(s, v, eos);
    }
    rein_str_puts(s, "}},\n");
    return REIN_OK;
}

/* ---- the model ---- */

static void put_vocab(rein_str *s, const rein_gguf_vocab *v) {
    bool first = true;
    rein_str_puts(s, "\"vocab\":{");
    for (int64_t id = 0; id < v->n; id++) {
        if (is_padding(v, id) || v->len[id] == 0) continue;
        rein_str_puts(s, first ? "\n" : ",\n");
        put_token(s, v, id);
        rein_str_printf(s, ":%lld", (long long)id);
        first = false;
    }
    rein_str_puts(s, "},\n");
}

/* "left right"; the space is searched behind the first byte, since a token may be one. */
static rein_status put_merges(rein_str *s, const rein_gguf_vocab *v) {
    const unsigned char *at = v->merges->data;
    rein_str_puts(s, "\"merges\":[");
    for (int64_t i = 0; i < v->merges->n; i++) {
        const char *text;
        size_t len;
        rein_gguf_next_string(&text, &len, &at);
        const char *space = len > 1 ? memchr(text + 1, ' ', len - 1) : NULL;
        if (!space || space + 1 == text + len)
            return rein_fail(REIN_ERR_FORMAT, "%s: tokenizer.ggml.merges[%lld] at byte %lld is no pair of tokens",
                             rein_gguf_path(v->g), (long long)i,
                             (long long)(v->merges->at + ((const unsigned char *)text - v->merges->data)));
        rein_str_puts(s, i ? ",\n[" : "\n[");
        rein_json_put_string(s, text, (size_t)(space - text));
        rein_str_putc(s, ',');
        rein_json_put_string(s, space + 1, len - (size_t)(space + 1 - text));
        rein_str_putc(s, ']');
    }
    rein_str_putc(s, ']');
    return REIN_OK;
}

static rein_status put_byte_level(rein_str *s, const rein_gguf_vocab *v, const kind *k) {
    if (!v->merges)
        return rein_fail(REIN_ERR_FORMAT, "%s: key 'tokenizer.ggml.merges' is missing", rein_gguf_path(v->g));
    rein_str_printf(s, "\"normalizer\":%s,\n\"pre_tokenizer\":%s,\n", k->pre->normalizer, k->pre->pre_tokenizer);
    REIN_TRY(put_post_processor(s, v, k));
    rein_str_printf(s,
                    "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
                    "\"use_regex\":true},\n\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
                    "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
                    "\"byte_fallback\":false,\"ignore_merges\":%s,\n",
                    k->pre->ignore_merges ? "true" : "false");
    put_vocab(s, v);
    REIN_TRY(put_merges(s, v));
    rein_str_puts(s, "}}\n");
    return REIN_OK;
}

/* As transformers converts Llama's SentencePiece model: spaces are U+2581, bytes without a piece are <0xNN>. */
static rein_status put_sentence_piece(rein_str *s, const rein_gguf_vocab *v, const kind *k) {
    static const char mark[] = "\xE2\x96\x81";
    int64_t unk;
    REIN_TRY(role_id(&unk, v, "unk_token"));
    rein_str_puts(s, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    if (k->space_prefix) rein_str_printf(s, "{\"type\":\"Prepend\",\"prepend\":\"%s\"},", mark);
    rein_str_printf(s,
                    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"%s\"}]},\n"
                    "\"pre_tokenizer\":null,\n",
                    mark);
    REIN_TRY(put_post_processor(s, v, k));
    rein_str_printf(s,
                    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
                    "\"%s\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}%s]},\n",
                    mark, k->space_prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
    rein_str_puts(s, "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
    if (unk >= 0)
        put_token(s, v, unk);
    else
        rein_str_puts(s, "null");
    rein_str_puts(s, ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":true,"
                     "\"byte_fallback\":true,\"ignore_merges\":false,\n");
    put_vocab(s, v);
    if (v->merges)
        REIN_TRY(put_merges(s, v));
    else
        REIN_TRY(rein_gguf_spm_merges(s, v));
    rein_str_puts(s, "}}\n");
    return REIN_OK;
}

/* ---- the files ---- */

static rein_status put_tokenizer(rein_str *s, const rein_gguf_vocab *v) {
    kind k;
    REIN_TRY(read_kind(&k, v->g));
    rein_str_puts(s, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
    put_added(s, v, k.spm);
    REIN_TRY(k.spm ? put_sentence_piece(s, v, &k) : put_byte_level(s, v, &k));
    return rein_str_check(s);
}

rein_status rein_gguf_tokenizer_text(rein_str *out, const rein_gguf *g) {
    rein_gguf_vocab v;
    if (rein_gguf_value_find(g, REIN_GGUF_KEY_HF_TOKENIZER)) {
        const char *text;
        size_t len;
        REIN_TRY(rein_gguf_string(&text, &len, g, REIN_GGUF_KEY_HF_TOKENIZER));
        rein_str_append(out, text, len);
        return rein_str_check(out);
    }
    REIN_TRY(rein_gguf_vocab_init(&v, g));
    rein_status status = put_tokenizer(out, &v);
    rein_gguf_vocab_deinit(&v);
    return status;
}

static rein_status put_roles(rein_str *s, const rein_gguf_vocab *v) {
    bool first = true;
    for (size_t i = 0; i < REIN_COUNT(roles); i++) {
        int64_t id;
        REIN_TRY(role_id(&id, v, roles[i].role));
        if (id < 0) continue;
        rein_str_printf(s, "%s  \"%s\": ", first ? "" : ",\n", roles[i].role);
        put_token(s, v, id);
        first = false;
    }
    return REIN_OK;
}

static rein_status put_config(rein_str *s, const rein_gguf_vocab *v) {
    kind k = {0};
    int64_t length = 0;
    const rein_gguf_arch *arch;
    char key[64];
    REIN_TRY(rein_gguf_arch_read(&arch, v->g));
    snprintf(key, sizeof key, "%s.context_length", arch->gguf);
    REIN_TRY(rein_gguf_int(&length, v->g, key));
    REIN_TRY(flag(&k.add_bos, v->g, "tokenizer.ggml.add_bos_token", false));
    REIN_TRY(flag(&k.add_eos, v->g, "tokenizer.ggml.add_eos_token", false));
    rein_str_puts(s, "{\n");
    size_t at = s->len;
    REIN_TRY(put_roles(s, v));
    rein_str_printf(s, "%s  \"add_bos_token\": %s,\n  \"add_eos_token\": %s,\n", s->len > at ? ",\n" : "",
                    k.add_bos ? "true" : "false", k.add_eos ? "true" : "false");
    rein_str_printf(s,
                    "  \"clean_up_tokenization_spaces\": false,\n  \"model_max_length\": %lld,\n"
                    "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n",
                    (long long)length);
    return rein_str_check(s);
}

rein_status rein_gguf_tokenizer_config_text(rein_str *out, const rein_gguf *g) {
    rein_gguf_vocab v;
    REIN_TRY(rein_gguf_vocab_init(&v, g));
    rein_status status = put_config(out, &v);
    rein_gguf_vocab_deinit(&v);
    return status;
}

rein_status rein_gguf_special_tokens_text(rein_str *out, const rein_gguf *g) {
    rein_gguf_vocab v;
    REIN_TRY(rein_gguf_vocab_init(&v, g));
    rein_str_puts(out, "{\n");
    rein_status status = put_roles(out, &v);
    rein_str_puts(out, "\n}\n");
    rein_gguf_vocab_deinit(&v);
    return status == REIN_OK ? rein_str_check(out) : status;
}
