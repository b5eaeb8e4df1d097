/* The pieces between turns; see turns.h. */
#include "rollout/turns.h"

#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"

/* What stands for messages in the probes; no template writes these. */
static const char asked[] = "Qzq1", said[] = "Qzq2", heard[] = "Qzq3", said_next[] = "Qzq4", heard_next[] = "Qzq5";

static rein_status render(rein_str *out, const rein_prompt_chat *chat, const char *role, int rounds) {
    static const char *const text[2][2] = {{said, heard}, {said_next, heard_next}};
    struct json_object *doc = NULL;
    rein_str json = {0};
    rein_status status;
    rein_str_printf(&json, "[{\"role\":\"user\",\"content\":\"%s\"}", asked);
    for (int i = 0; i < rounds; i++)
        rein_str_printf(&json, ",{\"role\":\"assistant\",\"content\":\"%s\"},{\"role\":\"%s\",\"content\":\"%s\"}", text[i][0],
                        role, text[i][1]);
    rein_str_putc(&json, ']');
    REIN_TRY_OUT(status, rein_str_check(&json), out);
    REIN_TRY_OUT(status, rein_json_parse(&doc, "messages", json.data, json.len), out);
    status = rein_chat_render(out, NULL, chat->format, doc, NULL, true, chat->kwargs);
out:
    json_object_put(doc);
    rein_str_deinit(&json);
    return status;
}

static rein_status rewrites(const char *what) {
    return rein_fail(REIN_ERR_FORMAT,
                     "the model's chat template cannot be used turn by turn: it %s; give a template that only appends", what);
}

/* Cut one round's text into before and after; *end receives where the model's words ended. */
static rein_status cut(rein_turn_format *f, const char *text, const rein_tokenizer *tok) {
    const char *own = strstr(text, said), *world = own ? strstr(own, heard) : NULL;
    const char *special;
    size_t len;
    rein_ids ids = {0};
    if (!world) return rewrites("leaves out what was said");
    own += sizeof said - 1;
    rein_status status = rein_tokenizer_encode(tok, own, (size_t)(world - own), &ids);
    if (status == REIN_OK && (ids.n == 0 || !rein_tokenizer_is_special(tok, ids.data[0])))
        status = rewrites("ends the model's turns without a special token");
    if (status == REIN_OK) status = rein_tokenizer_token_bytes(tok, ids.data[0], &special, &len);
    if (status == REIN_OK) {
        f->end = ids.data[0];
        rein_str_append(&f->before, own + len, (size_t)(world - own) - len);
        rein_str_puts(&f->after, world + sizeof heard - 1);
        status = rein_str_check(&f->after);
    }
    rein_ids_deinit(&ids);
    return status;
}

/* A second round must be what the pieces say, behind the first one as it was. */
static rein_status check_appends(const rein_turn_format *f, const rein_str *one, const rein_str *two,
                                 const rein_tokenizer *tok) {
    rein_str expected = {0};
    const char *special;
    size_t len;
    rein_status status = rein_tokenizer_token_bytes(tok, f->end, &special, &len);
    rein_str_append(&expected, one->data, one->len);
    rein_str_puts(&expected, said_next);
    if (status == REIN_OK) rein_str_append(&expected, special, len);
    rein_str_append(&expected, f->before.data, f->before.len);
    rein_str_puts(&expected, heard_next);
    rein_str_append(&expected, f->after.data, f->after.len);
    if (status == REIN_OK) status = rein_str_check(&expected);
    if (status == REIN_OK && (expected.len != two->len || memcmp(expected.data, two->data, two->len) != 0))
        status = rewrites("writes earlier turns differently once others follow");
    rein_str_deinit(&expected);
    return status;
}

static rein_status list_special(rein_turn_format *f, const rein_tokenizer *tok) {
    for (int64_t id = 0; id < rein_tokenizer_vocab_size(tok); id++) {
        const char *bytes;
        size_t len;
        if (!rein_tokenizer_is_special(tok, (int32_t)id)) continue;
        REIN_TRY(rein_tokenizer_token_bytes(tok, (int32_t)id, &bytes, &len));
        if (len > 1) rein_str_append(&f->special, bytes, len);
        if (len > 1) rein_str_putc(&f->special, '\0');
    }
    return rein_str_check(&f->special);
}

rein_status rein_turn_format_init(rein_turn_format *f, const rein_prompt_chat *chat, const rein_tokenizer *tok,
                                  const char *role) {
    rein_str one = {0}, two = {0};
    rein_status status;
    *f = (rein_turn_format){0};
    if (!chat || !chat->format)
        return rein_fail(REIN_ERR_FORMAT, "this world takes several turns, and the model has no chat template "
                                          "(chat_template.jinja, or chat_template in tokenizer_config.json)");
    REIN_TRY_OUT(status, render(&one, chat, role, 1), out);
    REIN_TRY_OUT(status, render(&two, chat, role, 2), out);
    REIN_TRY_OUT(status, cut(f, one.data, tok), out);
    REIN_TRY_OUT(status, check_appends(f, &one, &two, tok), out);
    status = list_special(f, tok);
out:
    if (status != REIN_OK) rein_turn_format_deinit(f);
    rein_str_deinit(&one);
    rein_str_deinit(&two);
    return status;
}

void rein_turn_format_deinit(rein_turn_format *f) {
    rein_str_deinit(&f->before);
    rein_str_deinit(&f->after);
    rein_str_deinit(&f->special);
    *f = (rein_turn_format){0};
}

/* The length of the special token's text that begins here, or 0. */
static size_t special_at(const rein_turn_format *f, const char *text, size_t len) {
    for (size_t at = 0; at < f->special.len;) {
        const char *s = f->special.data + at;
        size_t n = strlen(s);
        if (n <= len && memcmp(s, text, n) == 0) return n;
        at += n + 1;
    }
    return 0;
}

rein_status rein_turn_format_encode(const rein_turn_format *f, const rein_tokenizer *tok, bool ended, const char *text,
                                    size_t len, rein_ids *out) {
    rein_str piece = {0}, clean = {0};
    rein_status status = ended ? REIN_OK : rein_ids_push(out, f->end);
    rein_utf8_append_lossy(&clean, text, len, true);
    rein_str_append(&piece, f->before.data, f->before.len);
    for (size_t i = 0; i < clean.len; i++) {
        rein_str_putc(&piece, clean.data[i]);
        if (special_at(f, clean.data + i, clean.len - i) > 0) rein_str_putc(&piece, ' ');
    }
    rein_str_append(&piece, f->after.data, f->after.len);
    if (status == REIN_OK) status = rein_str_check(&clean);
    if (status == REIN_OK) status = rein_str_check(&piece);
    if (status == REIN_OK) status = rein_tokenizer_encode(tok, piece.data, piece.len, out);
    rein_str_deinit(&clean);
    rein_str_deinit(&piece);
    return status;
}
