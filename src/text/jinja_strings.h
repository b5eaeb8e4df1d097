/* Operations on strings that both methods and filters offer; `self` is a STRING. */
#ifndef REIN_TEXT_JINJA_STRINGS_H
#define REIN_TEXT_JINJA_STRINGS_H

#include "text/jinja_eval.h"

/** Cut the characters in `chars` (NULL: white space) from the ends. */
REIN_NODISCARD rein_status rein_jinja_strip(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *chars,
                                            bool left, bool right, rein_jvalue *out);
/** At a separator (NULL: white space), at most so often, counted from the left or the right. */
REIN_NODISCARD rein_status rein_jinja_split(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *sep,
                                            int64_t most, bool right, rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_split_lines(rein_jrender *r, const rein_jvalue *self, bool keep_ends,
                                                  rein_jvalue *out);
/** Byte offset of the first or last place of `sub`; len + 1 if it is nowhere. */
REIN_NODISCARD rein_status rein_jinja_find_text(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *sub,
                                                bool last, size_t *at);
REIN_NODISCARD rein_status rein_jinja_replace(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *old,
                                              const rein_jvalue *with, int64_t most, rein_jvalue *out);
/** Append a string n times. */
REIN_NODISCARD rein_status rein_jinja_fill(rein_jrender *r, rein_str *s, const rein_jvalue *fill, int64_t n);
/** A string method by name, on str(self). */
REIN_NODISCARD rein_status rein_jinja_method(rein_jrender *r, const char *name, const rein_jvalue *self,
                                             const rein_jvalue *args, int64_t n, rein_jvalue *out);

#endif
