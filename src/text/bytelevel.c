/* The byte-level alphabet and UTF-8; see bytelevel.h. */
#include "text/bytelevel.h"

#include <string.h>

/* Printable Latin-1 stands for itself. The other 68 bytes, in ascending order, are the characters from U+0100 on:
 * 0x00..0x20 (33 of them), 0x7F..0xA0 (34), 0xAD. */
enum { LOW_END = 33, MIDDLE = 0x7f, MIDDLE_END = 0xa1, SOFT_HYPHEN = 0xad };

int32_t rein_bytelevel_char(unsigned char byte) {
    if (byte < LOW_END) return 256 + byte;
    if (byte >= MIDDLE && byte < MIDDLE_END) return 256 + LOW_END + byte - MIDDLE;
    if (byte == SOFT_HYPHEN) return 256 + LOW_END + MIDDLE_END - MIDDLE;
    return byte;
}

int32_t rein_bytelevel_byte(int32_t character) {
    if (character < 0) return -1;
    if (character < 256) return rein_bytelevel_char((unsigned char)character) == character ? character : -1;
    int32_t rank = character - 256;
    if (rank < LOW_END) return rank;
    if (rank < LOW_END + MIDDLE_END - MIDDLE) return rank - LOW_END + MIDDLE;
    return rank == LOW_END + MIDDLE_END - MIDDLE ? SOFT_HYPHEN : -1;
}

void rein_bytelevel_write(rein_str *out, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        int32_t c = rein_bytelevel_char((unsigned char)bytes[i]);
        if (c >= 0x80) rein_str_putc(out, (char)(0xc0 | c >> 6));
        rein_str_putc(out, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
}

int64_t rein_bytelevel_bytes(char *out, const char *text, size_t len) {
    int64_t n = 0;
    for (size_t i = 0, size; i < len; i += size) {
        int32_t byte = rein_bytelevel_byte(rein_utf8_decode(text + i, len - i, &size));
        if (byte < 0) return -1;
        out[n++] = (char)byte;
    }
    return n;
}

static bool continuation(const char *text, size_t size) {
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80) return false;
    return true;
}

int32_t rein_utf8_decode(const char *text, size_t len, size_t *size) {
    static const int32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    int32_t c = len ? (unsigned char)text[0] : -1;
    *size = 1;
    if (c < 0x80) return c;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n > len || !continuation(text, n)) return -1;
    c &= 0x7f >> n;
    for (size_t i = 1; i < n; i++) c = c << 6 | ((unsigned char)text[i] & 0x3f);
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return -1;
    *size = n;
    return c;
}

size_t rein_utf8_encode(char *out, int32_t c) {
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const int first[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n] | c);
    return n;
}

size_t rein_utf8_valid_length(const char *text, size_t len) {
    size_t i = 0, size;
    while (i < len) {
        uint64_t eight;
        if (len - i >= sizeof eight) {
            memcpy(&eight, text + i, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                i += sizeof eight;
                continue;
            }
        }
        if (rein_utf8_decode(text + i, len - i, &size) < 0) break;
        i += size;
    }
    return i;
}

static bool is_white_space(int32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t rein_utf8_before(const char *text, size_t end) {
    do end--;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

size_t rein_utf8_skip_space_left(const char *text, size_t at, size_t limit) {
    size_t size;
    while (at > limit) {
        size_t start = rein_utf8_before(text, at);
        if (!is_white_space(rein_utf8_decode(text + start, at - start, &size))) break;
        at = start;
    }
    return at;
}

size_t rein_utf8_skip_space_right(const char *text, size_t at, size_t limit) {
    size_t size;
    while (at < limit && is_white_space(rein_utf8_decode(text + at, limit - at, &size))) at += size;
    return at;
}

/* Bytes from `text` on that begin a character, at most `len`; *whole is the size that the first byte announces. */
static size_t begun(const char *text, size_t len, size_t *whole) {
    unsigned char first = (unsigned char)text[0], low = 0x80, high = 0xbf;
    *whole = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4) return *whole = 1;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    size_t n = 1;
    for (; n < *whole && n < len; n++, low = 0x80, high = 0xbf)
        if ((unsigned char)text[n] < low || (unsigned char)text[n] > high) break;
    return n;
}

size_t rein_utf8_append_lossy(rein_str *out, const char *bytes, size_t len, bool final) {
    for (size_t i = 0, whole;;) {
        size_t valid = rein_utf8_valid_length(bytes + i, len - i);
        rein_str_append(out, bytes + i, valid);
        i += valid;
        if (i == len) return len;
        size_t n = begun(bytes + i, len - i, &whole);
        if (i + n == len && n < whole && !final) return i;
        rein_str_puts(out, "\xef\xbf\xbd");
        i += n;
    }
}
