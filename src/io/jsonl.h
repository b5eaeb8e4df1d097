/*
 * A JSONL file as rows by number: the file is mapped, only the places of its lines are kept, a row is parsed when it is
 * asked for. Constant once open: threads may share one.
 */
#ifndef REIN_IO_JSONL_H
#define REIN_IO_JSONL_H

#include "base/json.h"

typedef struct rein_jsonl rein_jsonl;

/** Find the lines; blank ones are no rows. REIN_ERR_IO; REIN_ERR_FORMAT if there is no row. */
REIN_NODISCARD rein_status rein_jsonl_open(rein_jsonl **out, const char *path);
void rein_jsonl_close(rein_jsonl *file);

int64_t rein_jsonl_count(const rein_jsonl *file);
const char *rein_jsonl_path(const rein_jsonl *file);
/** Line of row `i`, from 1. */
int64_t rein_jsonl_line(const rein_jsonl *file, int64_t i);

/** Row 0 <= i < count; release with json_object_put. REIN_ERR_FORMAT with path:line:column if it is no JSON object. */
REIN_NODISCARD rein_status rein_jsonl_row(struct json_object **out, const rein_jsonl *file, int64_t i);

#endif
