/*
 * JSON Schema (draft 2020-12) to automata: every text that is allowed validates; not every text that validates is allowed.
 *
 * Texts are compact JSON: one space at most behind a comma or colon, properties in the schema's order. Known keywords:
 * type, enum, const, properties, required, additionalProperties, items, minItems, maxItems, pattern, minLength,
 * maxLength, anyOf, oneOf (whose alternatives must share no text), $ref to #/..., $defs and definitions, and annotations
 * (title, description, default, examples ...). Any other keyword is an error, since it would not be kept.
 *
 * What is narrower than the schema, so that texts end: a $ref may hold itself REIN_SCHEMA_RECURSION times, values
 * without a schema nest REIN_SCHEMA_FREE_DEPTH deep, integers have up to 18 digits, numbers fit a double. With
 * `properties` and no additionalProperties there are no others.
 */
#ifndef REIN_GEN_SCHEMA_H
#define REIN_GEN_SCHEMA_H

#include "base/json.h"
#include "gen/automaton.h"

enum { REIN_SCHEMA_RECURSION = 4, REIN_SCHEMA_FREE_DEPTH = 4 };

/** Add the schema's texts between two states, or those of a structural tag (gen/tag.h). REIN_ERR_FORMAT names the place in
 *  the schema. */
REIN_NODISCARD rein_status rein_schema_compile(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *schema);

/** The quoted names, written without escapes, that are no keys of the object `props` (NULL: all names). */
REIN_NODISCARD rein_status rein_schema_other_name(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *props);

#endif
