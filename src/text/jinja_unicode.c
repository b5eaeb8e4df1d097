/* Characters, case and classes of text; Unicode properties come from PCRE2. See jinja_value.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/jinja_value.h"

int64_t rein_jinja_count(const char *s, size_t len) {
    int64_t n = 0;
    for (size_t i = 0; i < len; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

size_t rein_jinja_offset(const char *s, size_t len, int64_t i) {
    size_t at = 0;
    for (; at < len; at++)
        if (((unsigned char)s[at] & 0xc0) != 0x80 && i-- == 0) break;
    return at;
}

bool rein_jinja_space(const char *s, size_t len, size_t *size) {
    int32_t c = rein_utf8_decode(s, len, size);
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t rein_jinja_utf8(char out[4], int32_t c) {
    if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    static const int32_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[n] | c);
    return n;
}

rein_status rein_jinja_search(rein_jbudget *b, const char *s, size_t len, const char *part, size_t part_len,
                              size_t *at) {
    *at = part_len == 0 ? 0 : len + 1;
    if (part_len == 0 || part_len > len) return REIN_OK;
    const char *last = s + (len - part_len), *p = memchr(s, part[0], (size_t)(last - s) + 1);
    while (p && memcmp(p, part, part_len) != 0) {
        REIN_TRY(rein_jinja_step(b, 1 + (int64_t)(part_len / 64)));
        p = p < last ? memchr(p + 1, part[0], (size_t)(last - p)) : NULL;
    }
    if (p) *at = (size_t)(p - s);
    return rein_jinja_step(b, 1 + (int64_t)((p ? *at : len) / 64)); /* of what was looked through */
}

static rein_status compile(pcre2_code **code, pcre2_match_data **match, const char *pattern) {
    int error;
    size_t offset;
    *match = NULL;
    *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL, &error,
                          &offset, NULL);
    if (*code) *match = pcre2_match_data_create_from_pattern(*code, NULL);
    if (*match) return REIN_OK;
    pcre2_code_free(*code);
    return rein_fail(REIN_ERR_MEMORY, "cannot compile the pattern '%s'", pattern);
}

static rein_status check(int rc, size_t len) {
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "a text of %zu bytes cannot be searched (PCRE2 error %d)", len, rc);
}

rein_status rein_jinja_match(const char *pattern, const char *s, size_t len, bool *found) {
    pcre2_code *code;
    pcre2_match_data *match;
    REIN_TRY(compile(&code, &match, pattern));
    int rc = pcre2_match(code, (PCRE2_SPTR)s, len, 0, 0, match, NULL);
    *found = rc >= 0;
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    REIN_TRY(check(rc, len));
    return REIN_OK;
}

rein_status rein_jinja_substitute(rein_jbudget *b, rein_str *out, const char *pattern, const char *replacement,
                                  const char *s, size_t len) {
    enum { OPTIONS = PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_EXTENDED | PCRE2_SUBSTITUTE_UNSET_EMPTY };
    pcre2_code *code;
    pcre2_match_data *match;
    char *text = NULL;
    /* only case changes and shorter texts are asked for: a character grows from one byte to three at most */
    size_t room = 3 * len + 16;
    REIN_TRY(compile(&code, &match, pattern));
    rein_status status = rein_alloc(&text, (int64_t)room, 1);
    if (status == REIN_OK) {
        int rc = pcre2_substitute(code, (PCRE2_SPTR)s, len, 0, OPTIONS, match, NULL, (PCRE2_SPTR)replacement,
                                  PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)text, &room);
        status = rc >= 0 ? rein_jinja_put(b, out, text, room) : check(rc, len);
    }
    rein_free(text);
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    return status;
}
