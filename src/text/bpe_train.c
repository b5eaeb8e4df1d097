/*
 * Training of byte-level BPE; see rein_tokenizer_train.
 *
 * The texts are reduced to distinct pieces with counts. Then, over and over, the most frequent pair of neighbouring
 * tokens becomes a token. Counts are kept up to date from the pieces that changed, and the queue of pairs is lazy: an
 * entry whose count is out of date goes back with the right one. This is tokenizers' BpeTrainer step by step, including
 * what follows from its rules when two pairs spell the same token (the second becomes a merge into the first's id, and
 * a pair may be merged twice, of which the later counts); so the results are equal.
 */
#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/maps.h"
#include "text/split.h"
#include "text/tokenizer.h"

/* A distinct piece: its tokens now, and how often it occurs. */
typedef struct word {
    int32_t *ids;
    int32_t n;
    int64_t count;
} word;

typedef struct positions {
    int32_t *words; /* ascending */
    int64_t n, cap;
} positions;

/* A pair of tokens. `fresh` collects words in which it has newly appeared, until the pair is queued with them. */
typedef struct pair {
    int32_t left, right;
    int64_t count;
    positions fresh;
    int32_t merge; /* its last place in `merges`, or -1 */
} pair;

typedef struct queued {
    int64_t count;
    int64_t order; /* of queueing: makes the order total */
    int32_t pair;
    positions at; /* owned */
} queued;

typedef struct trainer {
    rein_arena arena; /* pieces, token texts, ids of words */
    rein_split_work split;
    rein_splitter splitter;
    rein_bytemap word_index;
    word *words;
    int64_t n_words, cap_words;
    rein_bytemap token_index; /* token texts, in the byte-level alphabet */
    const char **tokens;      /* (n_tokens) */
    int64_t n_tokens, cap_tokens;
    rein_pairmap pair_index;
    pair *pairs;
    int64_t n_pairs, cap_pairs;
    int32_t *touched; /* pairs with a non-empty `fresh` */
    int64_t n_touched, cap_touched;
    queued *queue;
    int64_t n_queue, cap_queue, n_queued;
    int32_t *merges; /* pair indices in order; -1: merged again later */
    int64_t n_merges, cap_merges;
} trainer;

/* Room for one more in an array that holds n of cap. */
static rein_status reserve_one(void *array, int64_t n, int64_t *cap, size_t size) {
    if (n < *cap) return REIN_OK;
    int64_t bigger = *cap ? 2 * *cap : 8;
    REIN_TRY(rein_realloc(array, *cap, bigger, size));
    *cap = bigger;
    return REIN_OK;
}

/* ---- tokens ---- */

/* `text` is copied; *id is that of an earlier token with the same text if there is one. */
static rein_status add_token(trainer *t, int32_t *id, const char *text, size_t len) {
    char *copy;
    int32_t old;
    *id = rein_bytemap_get(&t->token_index, text, len);
    if (*id >= 0) return REIN_OK;
    REIN_TRY(rein_arena_strdup(&t->arena, &copy, text, len));
    REIN_TRY(reserve_one(&t->tokens, t->n_tokens, &t->cap_tokens, sizeof *t->tokens));
    REIN_TRY(rein_bytemap_put(&t->token_index, copy, len, (int32_t)t->n_tokens, &old));
    *id = (int32_t)t->n_tokens;
    t->tokens[t->n_tokens++] = copy;
    return REIN_OK;
}

static rein_status add_special(trainer *t, const rein_bpe_options *o) {
    for (int64_t i = 0; i < o->n_special; i++) {
        int32_t id;
        size_t len = strlen(o->special[i]);
        if (len == 0) return rein_fail(REIN_ERR_ARG, "special token %lld is empty", (long long)i);
        if (rein_utf8_valid_length(o->special[i], len) != len)
            return rein_fail(REIN_ERR_ARG, "special token %lld is not UTF-8", (long long)i);
        REIN_TRY(add_token(t, &id, o->special[i], len));
        if (id != i) return rein_fail(REIN_ERR_ARG, "special token '%s' is given twice", o->special[i]);
    }
    return REIN_OK;
}

/* Bytes in the order of their characters, as tokenizers sorts the alphabet. */
static rein_status add_alphabet(trainer *t, int32_t byte_id[256], const bool used[256]) {
    for (int32_t c = 0; c < 512; c++) {
        int32_t byte = rein_bytelevel_byte(c);
        if (byte < 0 || !used[byte]) continue;
        rein_str text = {0};
        rein_bytelevel_write(&text, &(char){(char)byte}, 1);
        rein_status status = rein_str_check(&text);
        if (status == REIN_OK) status = add_token(t, &byte_id[byte], text.data, text.len);
        rein_str_deinit(&text);
        REIN_TRY(status);
    }
    return REIN_OK;
}

/* ---- words ---- */

static rein_status count_piece(trainer *t, rein_piece piece) {
    int32_t old = rein_bytemap_get(&t->word_index, piece.text, piece.len);
    if (old >= 0) {
        t->words[old].count++;
        return REIN_OK;
    }
    if (t->n_words == INT32_MAX) return rein_fail(REIN_ERR_ARG, "too many distinct pieces of text");
    char *copy;
    REIN_TRY(rein_arena_strdup(&t->arena, &copy, piece.text, piece.len));
    REIN_TRY(reserve_one(&t->words, t->n_words, &t->cap_words, sizeof *t->words));
    REIN_TRY(rein_bytemap_put(&t->word_index, copy, piece.len, (int32_t)t->n_words, &old));
    word *w = &t->words[t->n_words++];
    *w = (word){.n = (int32_t)piece.len, .count = 1};
    REIN_TRY(rein_arena_alloc(&t->arena, &w->ids, piece.len * sizeof *w->ids));
    for (size_t i = 0; i < piece.len; i++) w->ids[i] = (unsigned char)copy[i];
    return REIN_OK;
}

static rein_status count_words(trainer *t, const char *const *texts, const size_t *lens, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        size_t valid = lens[k] < INT32_MAX ? rein_utf8_valid_length(texts[k], lens[k]) : 0;
        if (valid < lens[k])
            return rein_fail(REIN_ERR_ARG, "text %lld is not UTF-8 at byte %zu, or 2 GiB or more", (long long)k, valid);
        REIN_TRY(rein_splitter_run(&t->splitter, &t->split, texts[k], lens[k], true));
        for (int64_t i = 0; i < t->split.pieces.n; i++) REIN_TRY(count_piece(t, t->split.pieces.data[i]));
    }
    return REIN_OK;
}

/* Words hold bytes at first; the alphabet then gives them ids. */
static rein_status bytes_to_ids(trainer *t, const rein_bpe_options *o) {
    int32_t byte_id[256];
    bool used[256];
    memset(used, o->full_byte_alphabet, sizeof used);
    for (int64_t k = 0; k < t->n_words; k++)
        for (int32_t i = 0; i < t->words[k].n; i++) used[t->words[k].ids[i]] = true;
    REIN_TRY(add_alphabet(t, byte_id, used));
    if (t->n_tokens > o->vocab_size)
        return rein_fail(REIN_ERR_ARG, "vocab_size %lld is below the %lld special tokens and bytes",
                         (long long)o->vocab_size, (long long)t->n_tokens);
    for (int64_t k = 0; k < t->n_words; k++)
        for (int32_t i = 0; i < t->words[k].n; i++) t->words[k].ids[i] = byte_id[t->words[k].ids[i]];
    return REIN_OK;
}

/* ---- pairs and their queue ---- */

static bool comes_first(const trainer *t, const queued *a, const queued *b) {
    const pair *p = &t->pairs[a->pair], *q = &t->pairs[b->pair];
    if (a->count != b->count) return a->count > b->count;
    if (p->left != q->left) return p->left < q->left;
    if (p->right != q->right) return p->right < q->right;
    return a->order < b->order;
}

static rein_status enqueue(trainer *t, queued entry) {
    REIN_TRY(reserve_one(&t->queue, t->n_queue, &t->cap_queue, sizeof *t->queue));
    int64_t i = t->n_queue++;
    for (int64_t up; i > 0 && comes_first(t, &entry, &t->queue[up = (i - 1) / 2]); i = up) t->queue[i] = t->queue[up];
    t->queue[i] = entry;
    return REIN_OK;
}

static queued dequeue(trainer *t) {
    queued top = t->queue[0], last = t->queue[--t->n_queue];
    int64_t i = 0, child;
    while ((child = 2 * i + 1) < t->n_queue) {
        if (child + 1 < t->n_queue && comes_first(t, &t->queue[child + 1], &t->queue[child])) child++;
        if (!comes_first(t, &t->queue[child], &last)) break;
        t->queue[i] = t->queue[child];
        i = child;
    }
    t->queue[i] = last;
    return top;
}

/* Count a change of `by` occurrences of a pair in a word; growth makes the word one of the pair's. */
static rein_status change_pair(trainer *t, int32_t left, int32_t right, int64_t by, int32_t in_word) {
    int32_t k = rein_pairmap_get(&t->pair_index, left, right), old;
    if (k < 0) {
        k = (int32_t)t->n_pairs;
        REIN_TRY(reserve_one(&t->pairs, t->n_pairs, &t->cap_pairs, sizeof *t->pairs));
        REIN_TRY(rein_pairmap_put(&t->pair_index, left, right, k, &old));
        t->pairs[t->n_pairs++] = (pair){.left = left, .right = right, .merge = -1};
    }
    pair *p = &t->pairs[k];
    p->count += by;
    positions *fresh = &p->fresh;
    if (by < 0 || (fresh->n && fresh->words[fresh->n - 1] == in_word)) return REIN_OK;
    if (fresh->n == 0) {
        REIN_TRY(reserve_one(&t->touched, t->n_touched, &t->cap_touched, sizeof *t->touched));
        t->touched[t->n_touched++] = k;
    }
    REIN_TRY(reserve_one(&fresh->words, fresh->n, &fresh->cap, sizeof *fresh->words));
    fresh->words[fresh->n++] = in_word;
    return REIN_OK;
}

static rein_status queue_touched(trainer *t) {
    for (int64_t i = 0; i < t->n_touched; i++) {
        pair *p = &t->pairs[t->touched[i]];
        queued entry = {.count = p->count, .order = t->n_queued++, .pair = t->touched[i], .at = p->fresh};
        p->fresh = (positions){0};
        rein_status status = p->count > 0 ? enqueue(t, entry) : REIN_OK;
        if (p->count <= 0 || status != REIN_OK) rein_free(entry.at.words);
        REIN_TRY(status);
    }
    t->n_touched = 0;
    return REIN_OK;
}

static rein_status count_pairs(trainer *t) {
    for (int64_t k = 0; k < t->n_words; k++) {
        const word *w = &t->words[k];
        for (int32_t i = 0; i + 1 < w->n; i++) REIN_TRY(change_pair(t, w->ids[i], w->ids[i + 1], w->count, (int32_t)k));
    }
    REIN_TRY(queue_touched(t));
    return REIN_OK;
}

/* ---- merging ---- */

/* Join left to right. `to` never passes `from`: the word shrinks in place, and ids[to - 1] is the neighbour as joined.
 */
static rein_status merge_word(trainer *t, int32_t k, int32_t left, int32_t right, int32_t joined) {
    word *w = &t->words[k];
    int32_t to = 0;
    for (int32_t from = 0; from < w->n; from++) {
        if (w->ids[from] != left || from + 1 >= w->n || w->ids[from + 1] != right) {
            w->ids[to++] = w->ids[from];
            continue;
        }
        if (to > 0) {
            REIN_TRY(change_pair(t, w->ids[to - 1], left, -w->count, k));
            REIN_TRY(change_pair(t, w->ids[to - 1], joined, w->count, k));
        }
        from++;
        if (from + 1 < w->n) {
            REIN_TRY(change_pair(t, right, w->ids[from + 1], -w->count, k));
            REIN_TRY(change_pair(t, joined, w->ids[from + 1], w->count, k));
        }
        w->ids[to++] = joined;
    }
    w->n = to;
    return REIN_OK;
}

static rein_status joined_token(trainer *t, int32_t *id, const pair *p) {
    rein_str text = {0};
    rein_status status;
    rein_str_puts(&text, t->tokens[p->left]);
    rein_str_puts(&text, t->tokens[p->right]);
    REIN_TRY_OUT(status, rein_str_check(&text), out);
    REIN_TRY_OUT(status, add_token(t, id, text.data, text.len), out);
out:
    rein_str_deinit(&text);
    return status;
}

static rein_status merge_pair(trainer *t, const queued *top) {
    pair *p = &t->pairs[top->pair];
    int32_t joined, left = p->left, right = p->right; /* *p moves when pairs are added */
    REIN_TRY(joined_token(t, &joined, p));
    REIN_TRY(reserve_one(&t->merges, t->n_merges, &t->cap_merges, sizeof *t->merges));
    if (p->merge >= 0) t->merges[p->merge] = -1;
    p->merge = (int32_t)t->n_merges;
    t->merges[t->n_merges++] = top->pair;
    for (int64_t i = 0; i < top->at.n; i++) REIN_TRY(merge_word(t, top->at.words[i], left, right, joined));
    REIN_TRY(queue_touched(t));
    return REIN_OK;
}

static rein_status merge_most_frequent(trainer *t, int64_t vocab_size) {
    while (t->n_tokens < vocab_size && t->n_queue) {
        queued top = dequeue(t);
        int64_t count = t->pairs[top.pair].count;
        rein_status status = REIN_OK;
        if (top.count != count && count > 0) {
            top.count = count;
            status = enqueue(t, top);
            if (status == REIN_OK) continue;
        } else if (count > 0) {
            status = merge_pair(t, &top);
        }
        rein_free(top.at.words);
        REIN_TRY(status);
    }
    return REIN_OK;
}

/* ---- the result as a tokenizer.json ---- */

static void put_pattern(rein_str *s, const char *pattern) {
    static const char byte_level[] =
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":";
    if (!pattern) {
        rein_str_printf(s, "%strue}", byte_level);
        return;
    }
    rein_str_puts(s, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":");
    rein_json_put_string(s, pattern, strlen(pattern));
    rein_str_printf(s, "},\"behavior\":\"Isolated\",\"invert\":false},%sfalse}]}", byte_level);
}

static void put_added(rein_str *s, const rein_bpe_options *o) {
    for (int64_t i = 0; i < o->n_special; i++) {
        rein_str_printf(s, "%s\n{\"id\":%lld,\"content\":", i ? "," : "", (long long)i);
        rein_json_put_string(s, o->special[i], strlen(o->special[i]));
        rein_str_puts(s, ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                         "\"special\":true}");
    }
}

static void put_model(rein_str *s, const trainer *t) {
    rein_str_puts(s, "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,"
                     "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,\n"
                     "\"vocab\":{");
    for (int64_t i = 0; i < t->n_tokens; i++) {
        rein_str_puts(s, i ? ",\n" : "\n");
        rein_json_put_string(s, t->tokens[i], strlen(t->tokens[i]));
        rein_str_printf(s, ":%lld", (long long)i);
    }
    rein_str_puts(s, "},\n\"merges\":[");
    for (int64_t i = 0, written = 0; i < t->n_merges; i++) {
        if (t->merges[i] < 0) continue;
        const pair *p = &t->pairs[t->merges[i]];
        rein_str_puts(s, written++ ? ",\n[" : "\n[");
        rein_json_put_string(s, t->tokens[p->left], strlen(t->tokens[p->left]));
        rein_str_putc(s, ',');
        rein_json_put_string(s, t->tokens[p->right], strlen(t->tokens[p->right]));
        rein_str_putc(s, ']');
    }
    rein_str_puts(s, "]}");
}

static rein_status make_tokenizer(rein_tokenizer **out, const trainer *t, const rein_bpe_options *o) {
    rein_str s = {0};
    rein_status status;
    rein_str_puts(&s, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
    put_added(&s, o);
    rein_str_puts(&s, "],\n\"normalizer\":null,\"pre_tokenizer\":");
    put_pattern(&s, o->pattern);
    rein_str_puts(&s, ",\n\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                      "\"trim_offsets\":true,\"use_regex\":true},\n\"model\":");
    put_model(&s, t);
    rein_str_puts(&s, "}\n");
    REIN_TRY_OUT(status, rein_str_check(&s), out);
    REIN_TRY_OUT(status, rein_tokenizer_parse(out, "trained tokenizer", s.data, s.len), out);
out:
    rein_str_deinit(&s);
    return status;
}

static rein_status parse_pattern(rein_splitter *splitter, const char *pattern) {
    rein_str s = {0};
    struct json_object *obj = NULL;
    rein_status status;
    put_pattern(&s, pattern);
    REIN_TRY_OUT(status, rein_str_check(&s), out);
    REIN_TRY_OUT(status, rein_json_parse(&obj, "pattern", s.data, s.len), out);
    REIN_TRY_OUT(status, rein_splitter_parse(splitter, obj), out);
    rein_splitter_drop_byte_level(splitter); /* words are bytes */
out:
    if (status == REIN_ERR_FORMAT) status = REIN_ERR_ARG;
    json_object_put(obj);
    rein_str_deinit(&s);
    return status;
}

static void trainer_deinit(trainer *t) {
    for (int64_t i = 0; i < t->n_pairs; i++) rein_free(t->pairs[i].fresh.words);
    for (int64_t i = 0; i < t->n_queue; i++) rein_free(t->queue[i].at.words);
    rein_split_work_deinit(&t->split);
    rein_splitter_deinit(&t->splitter);
    rein_bytemap_deinit(&t->word_index);
    rein_bytemap_deinit(&t->token_index);
    rein_pairmap_deinit(&t->pair_index);
    rein_free(t->words);
    rein_free(t->tokens);
    rein_free(t->pairs);
    rein_free(t->touched);
    rein_free(t->queue);
    rein_free(t->merges);
    rein_arena_deinit(&t->arena);
}

rein_status rein_tokenizer_train(rein_tokenizer **out, const rein_bpe_options *options, const char *const *texts,
                                 const size_t *lens, int64_t n) {
    trainer t = {0};
    rein_status status;
    REIN_TRY_OUT(status, parse_pattern(&t.splitter, options->pattern), out);
    REIN_TRY_OUT(status, rein_split_work_init(&t.split), out);
    REIN_TRY_OUT(status, add_special(&t, options), out);
    REIN_TRY_OUT(status, count_words(&t, texts, lens, n), out);
    REIN_TRY_OUT(status, bytes_to_ids(&t, options), out);
    REIN_TRY_OUT(status, count_pairs(&t), out);
    REIN_TRY_OUT(status, merge_most_frequent(&t, options->vocab_size), out);
    REIN_TRY_OUT(status, make_tokenizer(out, &t, options), out);
out:
    trainer_deinit(&t);
    return status;
}
