/* Values of GGUF metadata, typed; see gguf.h. */
#include <string.h>

#include "io/gguf_format.h"

static const struct {
    const char *name;
    int64_t bytes;
} types[REIN_GGUF_TYPES] = {
    [REIN_GGUF_U8] = {"u8", 1},        [REIN_GGUF_I8] = {"i8", 1},     [REIN_GGUF_U16] = {"u16", 2},
    [REIN_GGUF_I16] = {"i16", 2},      [REIN_GGUF_U32] = {"u32", 4},   [REIN_GGUF_I32] = {"i32", 4},
    [REIN_GGUF_F32] = {"f32", 4},      [REIN_GGUF_BOOL] = {"bool", 1}, [REIN_GGUF_STRING] = {"string", 8},
    [REIN_GGUF_ARRAY] = {"array", 12}, [REIN_GGUF_U64] = {"u64", 8},   [REIN_GGUF_I64] = {"i64", 8},
    [REIN_GGUF_F64] = {"f64", 8},
};

/* ggml.h, enum ggml_type */
static const struct {
    uint32_t number;
    rein_dtype dtype;
} dtypes[] = {
    {0, REIN_F32},  {1, REIN_F16},   {2, REIN_Q4_0},  {3, REIN_Q4_1},  {6, REIN_Q5_0}, {7, REIN_Q5_1},
    {8, REIN_Q8_0}, {12, REIN_Q4_K}, {13, REIN_Q5_K}, {14, REIN_Q6_K}, {24, REIN_I8},  {25, REIN_I16},
    {26, REIN_I32}, {27, REIN_I64},  {28, REIN_F64},  {30, REIN_BF16},
};

const char *rein_gguf_type_name(rein_gguf_type type) { return types[type].name; }

int64_t rein_gguf_type_bytes(rein_gguf_type type) { return types[type].bytes; }

bool rein_gguf_dtype(rein_dtype *out, uint32_t number) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (dtypes[i].number != number) continue;
        *out = dtypes[i].dtype;
        return true;
    }
    return false;
}

bool rein_gguf_dtype_number(uint32_t *out, rein_dtype dtype) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (dtypes[i].dtype != dtype) continue;
        *out = dtypes[i].number;
        return true;
    }
    return false;
}

/* ---- elements ---- */

int64_t rein_gguf_value_int(const rein_gguf_value *v, int64_t i) {
    int64_t size = types[v->type].bytes;
    uint64_t bits = rein_gguf_little_endian(v->data + i * size, (int)size);
    switch (v->type) {
    case REIN_GGUF_I8:
        return (int8_t)bits;
    case REIN_GGUF_I16:
        return (int16_t)bits;
    case REIN_GGUF_I32:
        return (int32_t)bits;
    case REIN_GGUF_U64:
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    default:
        return (int64_t)bits;
    }
}

double rein_gguf_value_float(const rein_gguf_value *v, int64_t i) {
    float single;
    double number;
    if (v->type == REIN_GGUF_F32) {
        memcpy(&single, v->data + 4 * i, sizeof single);
        return (double)single;
    }
    memcpy(&number, v->data + 8 * i, sizeof number);
    return number;
}

void rein_gguf_next_string(const char **out, size_t *len, const unsigned char **at) {
    *len = (size_t)rein_gguf_little_endian(*at, 8);
    *out = (const char *)*at + 8;
    *at += 8 + *len;
}

/* ---- by key ---- */

static rein_status wrong_type(const rein_gguf *g, const rein_gguf_value *v, const char *wanted) {
    return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' at byte %lld is %s %s, expected %s", rein_gguf_path(g), v->key,
                     (long long)v->at, v->array ? "an array of" : "a", types[v->type].name, wanted);
}

static rein_status find(const rein_gguf_value **out, const rein_gguf *g, const char *key) {
    *out = rein_gguf_value_find(g, key);
    return *out ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "%s: key '%s' is missing", rein_gguf_path(g), key);
}

static bool is_int(rein_gguf_type type) {
    return type <= REIN_GGUF_I32 || type == REIN_GGUF_U64 || type == REIN_GGUF_I64;
}

rein_status rein_gguf_int(int64_t *out, const rein_gguf *g, const char *key) {
    const rein_gguf_value *v;
    REIN_TRY(find(&v, g, key));
    if (v->array || !is_int(v->type)) return wrong_type(g, v, "one integer");
    *out = rein_gguf_value_int(v, 0);
    return REIN_OK;
}

rein_status rein_gguf_float(double *out, const rein_gguf *g, const char *key) {
    const rein_gguf_value *v;
    REIN_TRY(find(&v, g, key));
    if (v->array || (v->type != REIN_GGUF_F32 && v->type != REIN_GGUF_F64)) return wrong_type(g, v, "one f32 or f64");
    *out = rein_gguf_value_float(v, 0);
    return REIN_OK;
}

rein_status rein_gguf_bool(bool *out, const rein_gguf *g, const char *key) {
    const rein_gguf_value *v;
    REIN_TRY(find(&v, g, key));
    if (v->array || v->type != REIN_GGUF_BOOL) return wrong_type(g, v, "one bool");
    *out = v->data[0] != 0;
    return REIN_OK;
}

rein_status rein_gguf_string(const char **out, size_t *len, const rein_gguf *g, const char *key) {
    const rein_gguf_value *v;
    REIN_TRY(find(&v, g, key));
    if (v->array || v->type != REIN_GGUF_STRING) return wrong_type(g, v, "one string");
    const unsigned char *at = v->data;
    rein_gguf_next_string(out, len, &at);
    return REIN_OK;
}

rein_status rein_gguf_array(const rein_gguf_value **out, const rein_gguf *g, const char *key, rein_gguf_type type) {
    const rein_gguf_value *v;
    REIN_TRY(find(&v, g, key));
    if (!v->array || v->type != type) {
        char wanted[48] = "an array of ";
        strncat(wanted, types[type].name, sizeof wanted - strlen(wanted) - 1);
        return wrong_type(g, v, wanted);
    }
    *out = v;
    return REIN_OK;
}
