/* Normalizers; see normalize.h. What each does is that of tokenizers' normalizers of the same name. */
#include "text/normalize.h"

#include <string.h>
#include <utf8proc.h>

#include "base/json.h"
#include "text/bytelevel.h"

/* ---- parsing ---- */

static rein_status add_step(rein_normalizer *normalizer, rein_normal_kind kind, rein_normal_step **step) {
    if (normalizer->n_steps == REIN_NORMAL_MAX_STEPS)
        return rein_fail(REIN_ERR_FORMAT, "more than %d steps", REIN_NORMAL_MAX_STEPS);
    *step = &normalizer->steps[normalizer->n_steps++];
    **step = (rein_normal_step){.kind = kind};
    return REIN_OK;
}

static rein_status read_content(rein_normal_step *step, struct json_object *obj, const char *key) {
    const char *text;
    size_t len;
    REIN_TRY(rein_json_string(&text, &len, obj, key));
    rein_str_append(&step->content, text, len);
    REIN_TRY(rein_str_check(&step->content));
    return REIN_OK;
}

static rein_status read_members(rein_normal_step *step, struct json_object *obj) {
    switch (step->kind) {
    case REIN_NORMAL_PREPEND:
        return read_content(step, obj, "prepend");
    case REIN_NORMAL_STRIP:
        REIN_TRY(rein_json_bool(&step->left, obj, "strip_left"));
        REIN_TRY(rein_json_bool(&step->right, obj, "strip_right"));
        return REIN_OK;
    case REIN_NORMAL_REPLACE:
        REIN_TRY(rein_regex_parse(&step->regex, obj));
        return read_content(step, obj, "content");
    default:
        return REIN_OK;
    }
}

/* Sequences may hold Sequences: the depth of a JSON document is limited. */
static rein_status parse_one(rein_normalizer *normalizer, struct json_object *obj) {
    static const char *const names[] = {"NFC",          "NFD",       "NFKC",    "NFKD",  "Lowercase",
                                        "StripAccents", "ByteLevel", "Prepend", "Strip", "Replace"};
    const char *type;
    struct json_object *list;
    rein_normal_step *step = NULL;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    if (strcmp(type, "Sequence") == 0) {
        REIN_TRY(rein_json_array(&list, obj, "normalizers"));
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            rein_status status = parse_one(normalizer, json_object_array_get_idx(list, i));
            if (status != REIN_OK) return rein_error_prefix(status, "normalizers[%zu]", i);
        }
        return REIN_OK;
    }
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        if (strcmp(type, names[i]) != 0) continue;
        REIN_TRY(add_step(normalizer, (rein_normal_kind)i, &step));
        return read_members(step, obj);
    }
    return rein_fail(REIN_ERR_FORMAT,
                     "type '%s' is not supported (NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, ByteLevel, Prepend, "
                     "Strip, Replace, Sequence are)",
                     type);
}

rein_status rein_normalizer_parse(rein_normalizer *normalizer, struct json_object *obj) {
    *normalizer = (rein_normalizer){0};
    if (!obj) return REIN_OK;
    rein_status status = parse_one(normalizer, obj);
    if (status == REIN_OK) return REIN_OK;
    rein_normalizer_deinit(normalizer);
    return rein_error_prefix(status == REIN_ERR_ARG ? REIN_ERR_FORMAT : status, "normalizer");
}

void rein_normalizer_deinit(rein_normalizer *normalizer) {
    for (int i = 0; i < normalizer->n_steps; i++) {
        rein_regex_destroy(normalizer->steps[i].regex);
        rein_str_deinit(&normalizer->steps[i].content);
    }
    *normalizer = (rein_normalizer){0};
}

void rein_normal_work_deinit(rein_normal_work *work) {
    rein_str_deinit(&work->text[0]);
    rein_str_deinit(&work->text[1]);
    rein_free(work->points);
    *work = (rein_normal_work){0};
}

/* ---- running ---- */

/* The first character that NFC changes or joins to another is U+0300 (in UTF-8 from 0xCC on); the other forms change
 * nothing in ASCII. */
static bool is_normal(rein_normal_kind kind, const char *text, size_t len) {
    unsigned char limit = kind == REIN_NORMAL_NFC ? 0xcc : 0x80, any = 0;
    for (size_t i = 0; i < len; i++) any |= (unsigned char)text[i] >= limit;
    return !any;
}

static rein_status normal_form(rein_str *out, rein_normal_work *work, rein_normal_kind kind, const char *text,
                               size_t len) {
    static const utf8proc_option_t forms[] = {UTF8PROC_COMPOSE, UTF8PROC_DECOMPOSE, UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
                                              UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    utf8proc_option_t form = forms[kind] | UTF8PROC_STABLE;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, (utf8proc_ssize_t)len, work->points, work->cap, form);
    if (n >= work->cap) { /* reencode needs one more */
        REIN_TRY(rein_realloc(&work->points, 0, n + n / 2 + 64, sizeof *work->points));
        work->cap = n + n / 2 + 64;
        n = utf8proc_decompose(bytes, (utf8proc_ssize_t)len, work->points, work->cap, form);
    }
    if (n >= 0) n = utf8proc_reencode(work->points, n, form);
    if (n < 0) return rein_fail(REIN_ERR_ARG, "a text of %zu bytes: %s", len, utf8proc_errmsg(n));
    rein_str_append(out, (const char *)work->points, (size_t)n);
    return REIN_OK;
}

/* One character at a time and without locale: U+0130 is the only one that becomes two. */
static void lowercase(rein_str *out, const char *text, size_t len) {
    for (size_t i = 0, size; i < len; i += size) {
        int32_t c = rein_utf8_decode(text + i, len - i, &size);
        char lower[4];
        rein_str_append(out, lower, rein_utf8_encode(lower, c == 0x130 ? 'i' : utf8proc_tolower(c)));
        if (c == 0x130) rein_str_puts(out, "\xcc\x87");
    }
}

static void strip_accents(rein_str *out, const char *text, size_t len, bool *at_start) {
    for (size_t i = 0, size; i < len; i += size) {
        utf8proc_category_t category = utf8proc_category(rein_utf8_decode(text + i, len - i, &size));
        if (category != UTF8PROC_CATEGORY_MN && category != UTF8PROC_CATEGORY_MC && category != UTF8PROC_CATEGORY_ME)
            rein_str_append(out, text + i, size);
        else if (i == 0)
            *at_start = false;
    }
}

/* New text takes the place of a match's last character. */
static rein_status replace(rein_str *out, const rein_normal_step *step, rein_regex_scratch *scratch,
                           rein_normal_text *text) {
    size_t done = 0, size;
    rein_regex_walk walk = {0};
    rein_regex_match m;
    for (;;) {
        REIN_TRY(rein_regex_next(&m, step->regex, scratch, text->data, text->len, &walk));
        if (!m.found) break;
        if (m.begin == 0 && m.end > 0) {
            rein_utf8_decode(text->data, text->len, &size);
            text->at_start &= step->content.len > 0 && m.end == size;
        }
        rein_str_append(out, text->data + done, m.begin - done);
        rein_str_append(out, step->content.data, step->content.len);
        done = m.end;
    }
    rein_str_append(out, text->data + done, text->len - done);
    return REIN_OK;
}

static void strip(const rein_normal_step *step, rein_normal_text *text) {
    size_t begin = step->left ? rein_utf8_skip_space_right(text->data, 0, text->len) : 0;
    size_t end = step->right ? rein_utf8_skip_space_left(text->data, text->len, begin) : text->len;
    text->at_start &= begin == 0;
    text->data += begin;
    text->len = end - begin;
}

static rein_status rewrite(rein_str *out, const rein_normal_step *step, rein_normal_work *work,
                           rein_regex_scratch *scratch, rein_normal_text *text) {
    rein_str_clear(out);
    switch (step->kind) {
    case REIN_NORMAL_LOWERCASE:
        lowercase(out, text->data, text->len);
        break;
    case REIN_NORMAL_STRIP_ACCENTS:
        strip_accents(out, text->data, text->len, &text->at_start);
        break;
    case REIN_NORMAL_BYTE_LEVEL:
        rein_bytelevel_write(out, text->data, text->len);
        break;
    case REIN_NORMAL_PREPEND:
        rein_str_append(out, step->content.data, step->content.len);
        rein_str_append(out, text->data, text->len);
        break;
    case REIN_NORMAL_REPLACE:
        REIN_TRY(replace(out, step, scratch, text));
        break;
    default:
        REIN_TRY(normal_form(out, work, step->kind, text->data, text->len));
    }
    REIN_TRY(rein_str_check(out));
    text->data = out->len ? out->data : "";
    text->len = out->len;
    return REIN_OK;
}

rein_status rein_normalizer_run(const rein_normalizer *normalizer, rein_normal_work *work, rein_regex_scratch *scratch,
                                rein_normal_text *text) {
    int turn = 0; /* the buffer that does not hold the text */
    for (int i = 0; i < normalizer->n_steps && text->len; i++) {
        const rein_normal_step *step = &normalizer->steps[i];
        if (step->kind == REIN_NORMAL_STRIP) {
            strip(step, text);
            continue;
        }
        if (step->kind <= REIN_NORMAL_NFKD && is_normal(step->kind, text->data, text->len)) continue;
        REIN_TRY(rewrite(&work->text[turn], step, work, scratch, text));
        turn = !turn;
    }
    return REIN_OK;
}
