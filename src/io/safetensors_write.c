/*
 * Writing safetensors; see safetensors.h. The data are converted and written in blocks, so that a model is never held
 * twice; the bytes depend on the list alone.
 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "io/internal.h"

enum { PREFIX = 8 }; /* bytes of the header length */

/* ---- the header ---- */

static rein_status check_tensor(int64_t *bytes, const rein_tensor_out *t) {
    if (t->name && strcmp(t->name, "__metadata__") == 0)
        return rein_fail(REIN_ERR_ARG, "'%s' is no name for a tensor", t->name);
    REIN_TRY(rein_tensor_out_check(bytes, t));
    if (rein_dtype_block(t->dtype) != 1)
        return rein_fail(REIN_ERR_ARG, "tensor '%s': safetensors has no dtype %s; write GGUF", t->name,
                         rein_dtype_name(t->dtype));
    return REIN_OK;
}

static void put_metadata(rein_str *s, const char *const *pairs) {
    static const char *const standard[] = {"format", "pt", NULL};
    rein_str_puts(s, "{\"__metadata__\":{");
    if (!pairs) pairs = standard;
    for (int64_t i = 0; pairs[i]; i += 2) {
        if (i > 0) rein_str_putc(s, ',');
        rein_json_put_string(s, pairs[i], strlen(pairs[i]));
        rein_str_putc(s, ':');
        rein_json_put_string(s, pairs[i + 1], strlen(pairs[i + 1]));
    }
    rein_str_putc(s, '}');
}

static void put_tensor(rein_str *s, const rein_tensor_out *t, int64_t begin, int64_t end) {
    rein_str_putc(s, ',');
    rein_json_put_string(s, t->name, strlen(t->name));
    rein_str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", rein_dtype_name(t->dtype));
    for (int i = 0; i < t->n_dim; i++) rein_str_printf(s, i ? ",%lld" : "%lld", (long long)t->shape[i]);
    rein_str_printf(s, "],\"data_offsets\":[%lld,%lld]}", (long long)begin, (long long)end);
}

/* Length, JSON, and spaces up to a multiple of 8, as the reference implementation pads. */
static rein_status build_header(rein_str *s, const rein_tensor_out *list, int64_t n, const char *const *metadata) {
    int64_t end = 0, bytes;
    rein_str_append(s, "\0\0\0\0\0\0\0", PREFIX);
    put_metadata(s, metadata);
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(check_tensor(&bytes, &list[i]));
        if (end % rein_dtype_block_bytes(list[i].dtype) != 0)
            return rein_fail(REIN_ERR_ARG, "tensor '%s' of %s would not be aligned; list wide dtypes first",
                             list[i].name, rein_dtype_name(list[i].dtype));
        if (bytes > INT64_MAX / 2 - end)
            return rein_fail(REIN_ERR_ARG, "tensor '%s': the file would be too large", list[i].name);
        put_tensor(s, &list[i], end, end + bytes);
        end += bytes;
    }
    rein_str_putc(s, '}');
    rein_str_append(s, "       ", (8 - s->len % 8) % 8);
    REIN_TRY(rein_str_check(s));
    REIN_TRY(rein_tensor_names_check(list, n));
    for (int i = 0; i < PREFIX; i++) s->data[i] = (char)(unsigned char)((s->len - PREFIX) >> 8 * i);
    return REIN_OK;
}

/* ---- the data ---- */

static rein_status write_all(const char *path, const rein_str *header, const rein_tensor_out *list, int64_t count) {
    rein_appender file;
    rein_status status;
    REIN_TRY(rein_appender_open(&file, path, 0));
    REIN_TRY_OUT(status, rein_appender_write(&file, header->data, header->len, false), out);
    for (int64_t i = 0; i < count; i++) REIN_TRY_OUT(status, rein_tensor_append(&file, &list[i]), out);
    REIN_TRY_OUT(status, rein_appender_write(&file, "", 0, true), out);
out:
    rein_appender_close(&file);
    return status;
}

/* The temporary is synced, then renamed; on any failure it is removed. */
static rein_status write_and_publish(const char *path, const rein_str *header, const rein_tensor_out *list, int64_t n) {
    rein_arena arena = {0};
    char *temporary;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&arena, &temporary, "%s.tmp-%ld", path, (long)getpid()), out);
    status = write_all(temporary, header, list, n);
    if (status == REIN_OK) status = rein_publish(temporary, path);
    if (status != REIN_OK) unlink(temporary);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_tensors_write(const char *path, const rein_tensor_out *list, int64_t n,
                               const char *const *metadata_pairs) {
    rein_str header = {0};
    rein_status status = build_header(&header, list, n, metadata_pairs);
    if (status == REIN_OK) status = write_and_publish(path, &header, list, n);
    rein_str_deinit(&header);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", path);
}

/* ---- shards ---- */

/* shard[i] = the shard of tensor i, greedy in the list's order; returns their number through *n_shard. */
static rein_status plan_shards(int64_t *shard, int64_t *n_shard, int64_t *total, const rein_tensor_out *list, int64_t n,
                               int64_t max_bytes) {
    int64_t used = 0, bytes;
    *n_shard = 1;
    *total = 0;
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(check_tensor(&bytes, &list[i]));
        if (bytes > INT64_MAX / 2 - *total)
            return rein_fail(REIN_ERR_ARG, "tensor '%s': the model would be too large", list[i].name);
        *total += bytes;
        if (max_bytes > 0 && used > 0 && used + bytes > max_bytes) {
            ++*n_shard;
            used = 0;
        }
        used += bytes;
        shard[i] = *n_shard;
    }
    return REIN_OK;
}

static void put_shard_name(rein_str *s, int64_t shard, int64_t n_shard) {
    rein_str_printf(s, "model-%05lld-of-%05lld.safetensors", (long long)shard, (long long)n_shard);
}

static rein_status write_index(const char *dir, const rein_tensor_out *list, const int64_t *shard, int64_t n,
                               int64_t total) {
    rein_str s = {0};
    rein_arena arena = {0};
    char *path;
    rein_status status;
    rein_str_printf(&s, "{\n  \"metadata\": {\n    \"total_size\": %lld\n  },\n  \"weight_map\": {", (long long)total);
    for (int64_t i = 0; i < n; i++) {
        rein_str_puts(&s, i ? ",\n    " : "\n    ");
        rein_json_put_string(&s, list[i].name, strlen(list[i].name));
        rein_str_puts(&s, ": \"");
        put_shard_name(&s, shard[i], shard[n - 1]);
        rein_str_putc(&s, '"');
    }
    rein_str_puts(&s, "\n  }\n}\n");
    REIN_TRY_OUT(status, rein_str_check(&s), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/model.safetensors.index.json", dir), out);
    status = rein_file_write(path, s.data, s.len);
out:
    rein_arena_deinit(&arena);
    rein_str_deinit(&s);
    return status;
}

/* Tensors [begin, end) of the list are one shard. */
static rein_status write_shard(const char *dir, const rein_tensor_out *list, int64_t n, int64_t shard,
                               int64_t n_shard) {
    rein_str path = {0};
    rein_str_printf(&path, "%s/", dir);
    if (n_shard == 1)
        rein_str_puts(&path, "model.safetensors");
    else
        put_shard_name(&path, shard, n_shard);
    rein_status status = rein_str_check(&path);
    if (status == REIN_OK) status = rein_tensors_write(path.data, list, n, NULL);
    rein_str_deinit(&path);
    return status;
}

rein_status rein_tensors_write_model(const char *dir, const rein_tensor_out *list, int64_t n, int64_t max_bytes) {
    int64_t *shard, n_shard, total, begin = 0;
    rein_status status;
    REIN_TRY(rein_alloc(&shard, n, sizeof *shard));
    REIN_TRY_OUT(status, plan_shards(shard, &n_shard, &total, list, n, max_bytes), out);
    REIN_TRY_OUT(status, rein_tensor_names_check(list, n), out);
    for (int64_t i = 0; i < n_shard; i++) {
        int64_t end = begin;
        while (end < n && shard[end] == i + 1) end++;
        REIN_TRY_OUT(status, write_shard(dir, list + begin, end - begin, i + 1, n_shard), out);
        begin = end;
    }
    if (n_shard > 1) REIN_TRY_OUT(status, write_index(dir, list, shard, n, total), out);
out:
    rein_free(shard);
    return status;
}
