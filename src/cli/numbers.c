/* Numbers from the command line; see numbers.h. */
#include "cli/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

rein_status rein_numbers_parse(double *out, int max, int *n, const char *option, const char *text) {
    const char *at = text;
    for (*n = 0;; at++) {
        char *end;
        double x = strtod(at, &end);
        if (end == at || !isfinite(x))
            return rein_fail(REIN_ERR_USAGE,
                             "--%s '%s': not a finite number at '%.20s'; give numbers with commas between", option,
                             text, at);
        if (*n == max) return rein_fail(REIN_ERR_USAGE, "--%s: more than %d numbers", option, max);
        out[(*n)++] = x;
        at = end + strspn(end, " \t\r\n");
        if (*at == '\0') return REIN_OK;
        if (*at != ',') return rein_fail(REIN_ERR_USAGE, "--%s '%s': a comma should be at '%.20s'", option, text, at);
    }
}

static rein_status json_numbers(double *out, int max, int *n, const char *option, struct json_object *array) {
    size_t len = json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
    if (len < 1 || len > (size_t)max)
        return rein_fail(REIN_ERR_USAGE, "--%s: expected a JSON array of 1 to %d numbers", option, max);
    for (size_t i = 0; i < len; i++) {
        struct json_object *x = json_object_array_get_idx(array, i);
        if (!json_object_is_type(x, json_type_double) && !json_object_is_type(x, json_type_int))
            return rein_fail(REIN_ERR_USAGE, "--%s: item %zu is not a number", option, i);
        out[i] = json_object_get_double(x);
    }
    *n = (int)len;
    return REIN_OK;
}

/* A number, sign or point begins a list; a bracket begins JSON; anything else is a file's name. */
static bool is_list(const char *text) { return strchr("0123456789+-.", text[0]) != NULL && text[0] != '\0'; }

static rein_status load_text(rein_str *out, const char *option, const char *text) {
    rein_status status;
    if (text[0] == '[' || (is_list(text) && !rein_path_exists(text))) {
        rein_str_puts(out, text);
        return rein_str_check(out);
    }
    status = rein_file_read(out, text);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "--%s", option);
}

rein_status rein_numbers_load(double *out, int max, int *n, const char *option, const char *text) {
    rein_str all = {0};
    struct json_object *doc = NULL;
    rein_status status;
    REIN_TRY_OUT(status, load_text(&all, option, text), out);
    size_t skip = all.len ? strspn(all.data, " \t\r\n") : 0;
    if (all.len > skip && all.data[skip] == '[') {
        REIN_TRY_OUT(status, rein_json_parse(&doc, option, all.data, all.len), out);
        REIN_TRY_OUT(status, json_numbers(out, max, n, option, doc), out);
    } else {
        REIN_TRY_OUT(status, rein_numbers_parse(out, max, n, option, all.len ? all.data : ""), out);
    }
out:
    json_object_put(doc);
    rein_str_deinit(&all);
    return status;
}

static rein_status json_matrix(double *out, int max, int *rows, int *cols, const char *option,
                               struct json_object *doc) {
    double row[16];
    size_t n = json_object_is_type(doc, json_type_array) ? json_object_array_length(doc) : 0;
    REIN_ASSERT(max <= (int)REIN_COUNT(row));
    if (n < 1 || n > (size_t)max)
        return rein_fail(REIN_ERR_USAGE, "--%s: expected a JSON array of 1 to %d rows", option, max);
    for (size_t i = 0; i < n; i++) {
        int len;
        REIN_TRY(json_numbers(row, max, &len, option, json_object_array_get_idx(doc, i)));
        if (i > 0 && len != *cols)
            return rein_fail(REIN_ERR_USAGE, "--%s: row %zu has %d columns, not %d", option, i, len, *cols);
        *cols = len;
        memcpy(out + (int)i * len, row, sizeof *row * (size_t)len);
    }
    *rows = (int)n;
    return REIN_OK;
}

static rein_status diagonal(double *out, int max, int *rows, int *cols, const char *option, const char *text) {
    double list[16];
    REIN_TRY(rein_numbers_parse(list, max, rows, option, text));
    *cols = *rows;
    memset(out, 0, sizeof *out * (size_t)(*rows * *cols));
    for (int i = 0; i < *rows; i++) out[i * *cols + i] = list[i];
    return REIN_OK;
}

rein_status rein_matrix_load(double *out, int max, int *rows, int *cols, const char *option, const char *text) {
    rein_str all = {0};
    struct json_object *doc = NULL;
    rein_status status;
    if (is_list(text) && !rein_path_exists(text)) return diagonal(out, max, rows, cols, option, text);
    REIN_TRY_OUT(status, load_text(&all, option, text), out);
    REIN_TRY_OUT(status, rein_json_parse(&doc, option, all.data ? all.data : "", all.len), out);
    REIN_TRY_OUT(status, json_matrix(out, max, rows, cols, option, doc), out);
out:
    json_object_put(doc);
    rein_str_deinit(&all);
    return status;
}

void rein_numbers_put(rein_str *out, const double *x, int n) {
    for (int i = 0; i < n; i++) {
        rein_str_putc(out, i ? ',' : '[');
        rein_json_put_f64(out, x[i]);
    }
    rein_str_putc(out, ']');
}

void rein_matrix_put(rein_str *out, const double *x, int rows, int cols) {
    for (int i = 0; i < rows; i++) {
        rein_str_putc(out, i ? ',' : '[');
        rein_numbers_put(out, x + i * cols, cols);
    }
    rein_str_putc(out, ']');
}
