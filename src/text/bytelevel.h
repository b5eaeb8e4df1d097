/*
 * The byte-level alphabet of GPT-2: each of the 256 bytes is written as one printable character, so that a vocabulary
 * of byte strings can be kept as JSON text. Also the UTF-8 checks of this module.
 */
#ifndef REIN_TEXT_BYTELEVEL_H
#define REIN_TEXT_BYTELEVEL_H

#include "base/base.h"

/** The character (code point) that stands for a byte, and the byte for a character (-1: it stands for none). */
int32_t rein_bytelevel_char(unsigned char byte);
int32_t rein_bytelevel_byte(int32_t character);

/** Append `len` bytes in the alphabet's characters. */
void rein_bytelevel_write(rein_str *out, const char *bytes, size_t len);

/** The bytes that a text in the alphabet stands for, into out (room for `len`); their number, or -1 if a character is
 * not in the alphabet. */
int64_t rein_bytelevel_bytes(char *out, const char *text, size_t len);

/** Code point at text[0], or -1 if no well-formed UTF-8 character starts there; *size is its length in bytes. */
int32_t rein_utf8_decode(const char *text, size_t len, size_t *size);

/** Write a code point (1..4 bytes, no surrogate); the number of bytes. */
size_t rein_utf8_encode(char *out, int32_t c);

/** Offset of the first byte that is not well-formed UTF-8, or `len`. */
size_t rein_utf8_valid_length(const char *text, size_t len);

/** Walk over White_Space: leftwards from `at` down to `limit`, or rightwards up to `limit`; where it ends. */
size_t rein_utf8_skip_space_left(const char *text, size_t at, size_t limit);
size_t rein_utf8_skip_space_right(const char *text, size_t at, size_t limit);

/** Start of the character that ends at `end` > 0. */
size_t rein_utf8_before(const char *text, size_t end);

/**
 * Append `len` bytes as UTF-8: each longest stretch that begins a character and is not continued as one becomes U+FFFD.
 *
 * @param final  nothing follows. Otherwise an unfinished character at the end is left alone.
 * @return bytes used: `len`, or up to 3 less if not `final`.
 */
size_t rein_utf8_append_lossy(rein_str *out, const char *bytes, size_t len, bool final);

#endif
