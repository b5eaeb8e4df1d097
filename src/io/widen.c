/* Tensors of a file as f32; see safetensors.h. */
#include "io/safetensors.h"

static rein_status narrow_f64(float *dst, const rein_tensor_view *v, int64_t first, int64_t n) {
    const double *src = (const double *)v->data + first;
    for (int64_t i = 0; i < n; i++) {
        dst[i] = (float)src[i];
        if ((double)dst[i] != src[i] && src[i] == src[i])
            return rein_fail(REIN_ERR_NUMERIC, "%s: tensor '%s': element %lld is %.17g, which is no f32", v->file,
                             v->name, (long long)(first + i), src[i]);
    }
    return REIN_OK;
}

rein_status rein_tensor_read_f32(float *dst, const rein_tensor_view *v, int64_t first, int64_t n) {
    if (v->dtype == REIN_F64) return narrow_f64(dst, v, first, n);
    if (!rein_dtype_is_weight(v->dtype))
        return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has dtype %s, which holds no weights", v->file, v->name,
                         rein_dtype_name(v->dtype));
    if (n > 0) rein_dequantize(dst, v->dtype, v->data, first, n); /* rows are whole blocks: the tensor is one row */
    return REIN_OK;
}

rein_status rein_tensor_to_f32(float *dst, const rein_tensor_view *v) { return rein_tensor_read_f32(dst, v, 0, v->n); }
