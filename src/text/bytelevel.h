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

/** Append the bytes that a text in the alphabet stands for; false (nothing appended) if a character is not in it. */
bool rein_bytelevel_read(rein_str *out, const char *text, size_t len);

/** Code point at text[0], or -1 if no well-formed UTF-8 character starts there; *size is its length in bytes. */
int32_t rein_utf8_decode(const char *text, size_t len, size_t *size);

/** Offset of the first byte that is not well-formed UTF-8, or `len`. */
size_t rein_utf8_valid_length(const char *text, size_t len);

#endif
