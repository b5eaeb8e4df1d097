/* Chains of decoders; see decode.h. What each does is that of tokenizers' decoders of the same name. */
#include "text/decode.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/split.h"

/* ---- parsing ---- */

static rein_status parse_replace(rein_decode_step *step, struct json_object *obj) {
    const char *text;
    size_t len;
    step->kind = REIN_DECODE_REPLACE;
    REIN_TRY(rein_regex_parse(&step->regex, obj));
    REIN_TRY(rein_json_string(&text, &len, obj, "content"));
    rein_str_append(&step->content, text, len);
    return rein_str_check(&step->content);
}

static rein_status parse_strip(rein_decode_step *step, struct json_object *obj) {
    const char *text;
    size_t len, size;
    step->kind = REIN_DECODE_STRIP;
    REIN_TRY(rein_json_string(&text, &len, obj, "content"));
    if (len == 0 || rein_utf8_decode(text, len, &size) < 0 || size != len)
        return rein_fail(REIN_ERR_FORMAT, "content '%s' is not one character", text);
    REIN_TRY(rein_json_int(&step->start, obj, "start"));
    REIN_TRY(rein_json_int(&step->stop, obj, "stop"));
    if (step->start < 0 || step->stop < 0) return rein_fail(REIN_ERR_FORMAT, "start or stop is negative");
    rein_str_append(&step->content, text, len);
    return rein_str_check(&step->content);
}

static rein_status parse_metaspace(rein_decode_step *step, struct json_object *obj) {
    char mark[5];
    rein_metaspace_prepend prepend;
    step->kind = REIN_DECODE_METASPACE;
    REIN_TRY(rein_metaspace_parse(mark, &prepend, obj));
    step->drop_first = prepend != REIN_PREPEND_NEVER;
    rein_str_puts(&step->content, mark);
    return rein_str_check(&step->content);
}

static rein_status parse_byte_level(rein_decode_step *step, struct json_object *obj) {
    (void)obj;
    step->kind = REIN_DECODE_BYTE_LEVEL;
    return REIN_OK;
}

/* ByteFallback and Fuse are no steps but places between them. */
static rein_status mark_place(rein_decoding *d, const char *type) {
    if (strcmp(type, "Fuse") == 0) {
        if (!d->fuse) d->n_tokens = d->n_steps;
        d->fuse = true;
        return REIN_OK;
    }
    if (d->byte_fallback || d->fuse || d->bytes)
        return rein_fail(REIN_ERR_FORMAT, "ByteFallback after ByteFallback, Fuse or ByteLevel is not supported");
    d->n_before = d->n_steps;
    d->byte_fallback = true;
    return REIN_OK;
}

static rein_status parse_one(rein_decoding *d, struct json_object *obj);

/* Sequences may hold Sequences: the depth of a JSON document is limited. */
static rein_status parse_sequence(rein_decoding *d, struct json_object *obj) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "decoders"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        rein_status status = parse_one(d, json_object_array_get_idx(list, i));
        if (status != REIN_OK) return rein_error_prefix(status, "decoders[%zu]", i);
    }
    return REIN_OK;
}

static rein_status parse_one(rein_decoding *d, struct json_object *obj) {
    static const struct {
        const char *type;
        rein_status (*parse)(rein_decode_step *step, struct json_object *obj);
    } known[] = {{"ByteLevel", parse_byte_level},
                 {"Replace", parse_replace},
                 {"Strip", parse_strip},
                 {"Metaspace", parse_metaspace}};
    const char *type;
    size_t i = 0;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    if (strcmp(type, "Sequence") == 0) return parse_sequence(d, obj);
    if (strcmp(type, "Fuse") == 0 || strcmp(type, "ByteFallback") == 0) return mark_place(d, type);
    while (i < REIN_COUNT(known) && strcmp(type, known[i].type) != 0) i++;
    if (i == REIN_COUNT(known))
        return rein_fail(REIN_ERR_FORMAT,
                         "type '%s' is not supported (ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, "
                         "Sequence are)",
                         type);
    if (d->n_steps == REIN_DECODE_MAX_STEPS)
        return rein_fail(REIN_ERR_FORMAT, "more than %d steps", REIN_DECODE_MAX_STEPS);
    if (d->bytes) return rein_fail(REIN_ERR_FORMAT, "'%s' after ByteLevel is not supported", type);
    rein_decode_step *step = &d->steps[d->n_steps++];
    REIN_TRY(known[i].parse(step, obj));
    d->bytes = step->kind == REIN_DECODE_BYTE_LEVEL;
    if (d->bytes && (d->n_steps > 1 || d->byte_fallback || d->fuse))
        return rein_fail(REIN_ERR_FORMAT, "ByteLevel after another decoder is not supported");
    return REIN_OK;
}

rein_status rein_decoding_parse(rein_decoding *decoding, struct json_object *obj) {
    *decoding = (rein_decoding){.spaces = !obj};
    if (!obj) return REIN_OK;
    rein_status status = parse_one(decoding, obj);
    if (status != REIN_OK) {
        rein_decoding_deinit(decoding);
        return rein_error_prefix(status == REIN_ERR_ARG ? REIN_ERR_FORMAT : status, "decoder");
    }
    if (!decoding->fuse) decoding->n_tokens = decoding->n_steps;
    if (!decoding->byte_fallback) decoding->n_before = decoding->n_tokens;
    return REIN_OK;
}

void rein_decoding_deinit(rein_decoding *decoding) {
    for (int i = 0; i < decoding->n_steps; i++) {
        rein_regex_destroy(decoding->steps[i].regex);
        rein_str_deinit(&decoding->steps[i].content);
    }
    *decoding = (rein_decoding){0};
}

/* ---- applying ---- */

/* u8::from_str_radix, which takes a sign */
int rein_decoding_byte(const char *text, size_t len) {
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        unsigned char c = (unsigned char)text[i];
        if (i == 3 && c == '+') continue;
        if (!isxdigit(c)) return -1;
        value = value * 16 + (isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static rein_status replace(rein_str *out, const rein_decode_step *step, rein_regex_scratch *scratch,
                           const rein_str *text) {
    const char *data = text->len ? text->data : "";
    size_t done = 0;
    rein_regex_walk walk = {0};
    rein_regex_match m;
    if (text->len == 0) return REIN_OK;
    for (;;) {
        REIN_TRY(rein_regex_next(&m, step->regex, scratch, data, text->len, &walk));
        if (!m.found) break;
        rein_str_append(out, data + done, m.begin - done);
        rein_str_append(out, step->content.data, step->content.len);
        done = m.end;
    }
    rein_str_append(out, data + done, text->len - done);
    return REIN_OK;
}

static bool is_at(const rein_str *text, size_t at, const rein_str *content) {
    return text->len - at >= content->len && memcmp(text->data + at, content->data, content->len) == 0;
}

static void strip(rein_str *out, const rein_decode_step *step, const rein_str *text) {
    size_t size = step->content.len, begin = 0, end = text->len;
    for (int64_t i = 0; i < step->start && begin < end && is_at(text, begin, &step->content); i++) begin += size;
    for (int64_t i = 0; i < step->stop && end >= begin + size && is_at(text, end - size, &step->content); i++)
        end -= size;
    rein_str_append(out, text->data + begin, end - begin);
}

static void metaspace(rein_str *out, const rein_decode_step *step, const rein_str *text, bool first) {
    for (size_t i = 0; i < text->len;) {
        if (!is_at(text, i, &step->content)) {
            rein_str_putc(out, text->data[i++]);
            continue;
        }
        if (!first || !step->drop_first) rein_str_putc(out, ' ');
        i += step->content.len;
    }
}

static rein_status byte_level(rein_str *out, const rein_str *text) {
    char *bytes;
    REIN_TRY(rein_alloc(&bytes, (int64_t)text->len + 1, 1));
    int64_t n = rein_bytelevel_bytes(bytes, text->data, text->len);
    if (n >= 0)
        rein_str_append(out, bytes, (size_t)n);
    else
        rein_str_append(out, text->data, text->len);
    rein_free(bytes);
    return REIN_OK;
}

rein_status rein_decoding_apply(const rein_decoding *decoding, int from, int to, bool first,
                                rein_regex_scratch *scratch, rein_str *text, rein_str *spare) {
    for (int i = from; i < to; i++) {
        const rein_decode_step *step = &decoding->steps[i];
        rein_str_clear(spare);
        if (step->kind == REIN_DECODE_REPLACE)
            REIN_TRY(replace(spare, step, scratch, text));
        else if (step->kind == REIN_DECODE_STRIP)
            strip(spare, step, text);
        else if (step->kind == REIN_DECODE_METASPACE)
            metaspace(spare, step, text, first);
        else
            REIN_TRY(byte_level(spare, text));
        REIN_TRY(rein_str_check(spare));
        rein_str done = *text;
        *text = *spare;
        *spare = done;
    }
    return REIN_OK;
}
