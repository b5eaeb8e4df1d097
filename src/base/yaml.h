/*
 * YAML on top of libfyaml, as a small read-only tree with the place (line:column) of every node.
 *
 * Only what configurations need: mappings with scalar keys (duplicates refused), sequences, scalars as text (types come
 * from the option table, so 1e-5 is a number). Anchors, aliases, tags and several documents are refused. Depth <= 16.
 */
#ifndef REIN_BASE_YAML_H
#define REIN_BASE_YAML_H

#include "base/base.h"

typedef enum rein_yaml_kind { REIN_YAML_SCALAR, REIN_YAML_SEQUENCE, REIN_YAML_MAPPING } rein_yaml_kind;

typedef struct rein_yaml_node rein_yaml_node;
struct rein_yaml_node {
    rein_yaml_kind kind;
    const char *text; /* SCALAR: its text; NUL bytes are refused */
    bool null;        /* SCALAR: plain null, ~ or empty */
    int line, column; /* from 1 */
    const char *file;
    int64_t n;                   /* SEQUENCE, MAPPING: children */
    const char **key;            /* MAPPING: (n) */
    const rein_yaml_node *child; /* (n) */
};

/** Errors: REIN_ERR_USAGE with file:line:column. The tree lives in `arena`. */
REIN_NODISCARD rein_status rein_yaml_load(const rein_yaml_node **out, rein_arena *arena, const char *path);
REIN_NODISCARD rein_status rein_yaml_parse(const rein_yaml_node **out, rein_arena *arena, const char *name,
                                           const char *text, size_t len);

/** Child by key, or NULL. */
const rein_yaml_node *rein_yaml_get(const rein_yaml_node *mapping, const char *key);

#endif
