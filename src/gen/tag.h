/*
 * Structural tags to automata: JSON inside of text, as a JSON document in the form that xgrammar and vLLM take.
 *
 *   {"type": "structural_tag", "format": FORMAT}, where FORMAT is one of
 *
 *   {"type": "const_string", "value": TEXT}
 *   {"type": "regex", "pattern": PATTERN}                  gen/pattern.h, over the whole piece
 *   {"type": "json_schema", "json_schema": SCHEMA}         gen/schema.h; its references stay inside of it
 *   {"type": "sequence" | "or", "elements": [FORMAT ...]}
 *   {"type": "tag", "begin": TEXT, "content": FORMAT, "end": TEXT}
 *   {"type": "tags_with_separator", "tags": [TAG ...], "separator": TEXT, "at_least_one": BOOL, "stop_after_first":
 * BOOL}
 */
#ifndef REIN_GEN_TAG_H
#define REIN_GEN_TAG_H

#include "base/json.h"
#include "gen/automaton.h"

bool rein_is_structural_tag(struct json_object *document);

/** Add the texts between two states. REIN_ERR_FORMAT or REIN_ERR_ARG names the construct that is wrong or not known. */
REIN_NODISCARD rein_status rein_tag_compile(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *document);

#endif
