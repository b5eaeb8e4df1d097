/* CPU devices: which op tables this build and machine can run, and the scratch memory of the kernels. */
#include "tensor/device.h"

#include <string.h>
#include <unistd.h>

#include "cpu/tables.h"

/* Best first; each needs what all after it need, so what a machine can run is a tail of the list. */
static const rein_ops *const tables[] = {
#ifdef REIN_HAVE_TUNED
#ifdef REIN_HAVE_X86
    &rein_ops_avx512,
    &rein_ops_avx2,
#endif
    &rein_ops_generic,
#endif
    &rein_ops_ref,
};

static const char *const names[] = {
#ifdef REIN_HAVE_TUNED
#ifdef REIN_HAVE_X86
    "avx512",  "avx2",
#endif
    "generic",
#endif
    "ref",     NULL,
};

/* Index of the first table this machine can run. */
static size_t first_table(void) {
#if defined(REIN_HAVE_TUNED) && defined(REIN_HAVE_X86)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return 1;
#endif
    return 0;
}

const char *const *rein_cpu_isas(void) { return names + first_table(); }

static rein_status find_table(const rein_ops **out, const char *isa) {
    for (size_t i = first_table(); i < REIN_COUNT(tables); i++) {
        if (isa && strcmp(isa, names[i]) != 0) continue;
        *out = tables[i];
        return REIN_OK;
    }
    return rein_fail(REIN_ERR_USAGE, "instruction set '%s': unknown, or not on this machine; use one of: %s ... ref",
                     isa, names[first_table()]);
}

rein_status rein_device_open_cpu(rein_device **out, const char *isa, int threads) {
    const rein_ops *ops = NULL;
    if (threads < 0) return rein_fail(REIN_ERR_USAGE, "threads: %d, expected 0 (all cores) or more", threads);
    REIN_TRY(find_table(&ops, isa));
    if (threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores > 0 ? (int)cores : 1;
    }
    REIN_TRY(rein_alloc(out, 1, sizeof **out));
    (*out)->ops = ops;
    (*out)->threads = threads;
    return REIN_OK;
}

void rein_device_close(rein_device *dev) {
    if (!dev) return;
    rein_free(dev->scratch);
    rein_free(dev);
}

rein_status rein_device_reserve(rein_device *dev, size_t bytes) {
    if (bytes <= dev->scratch_bytes) return REIN_OK;
    size_t rounded = (bytes + 63) / 64 * 64; /* each thread's part starts on a cache line */
    char *grown = NULL;
    REIN_TRY(rein_alloc(&grown, dev->threads, rounded));
    rein_free(dev->scratch);
    dev->scratch = grown;
    dev->scratch_bytes = rounded;
    return REIN_OK;
}

char *rein_device_scratch(rein_device *dev, size_t bytes) {
    rein_status status = rein_device_reserve(dev, bytes);
    REIN_ASSERT(status == REIN_OK);
    return dev->scratch;
}
