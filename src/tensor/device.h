/*
 * A device: an op table, a number of threads and scratch memory. Model code calls `dev->ops->...` and never asks which
 * device it is on.
 */
#ifndef REIN_TENSOR_DEVICE_H
#define REIN_TENSOR_DEVICE_H

#include "base/base.h"
#include "tensor/ops.h"

struct rein_device {
    const rein_ops *ops;
    int threads;
    char *scratch;      /* (threads, scratch_bytes) grown on demand by the kernels through rein_device_scratch */
    size_t scratch_bytes;
};

/** Names of the CPU tables this build and machine can run, best first: "avx512", "avx2", "generic", "ref"; NULL-ended. */
const char *const *rein_cpu_isas(void);

/**
 * Open a CPU device.
 *
 * @param isa      one of rein_cpu_isas(), or NULL for the best; an unknown or unsupported name is REIN_ERR_USAGE.
 * @param threads  >= 1, or 0 for the number of online cores.
 */
REIN_NODISCARD rein_status rein_device_open_cpu(rein_device **out, const char *isa, int threads);
void rein_device_close(rein_device *dev);

/** Scratch of at least `bytes` for each thread; thread i's part starts at i * dev->scratch_bytes. 64-byte aligned.
 *  Called outside parallel regions; grows only (no allocation once warm). Out of memory asserts: callers reserve first
 *  with rein_device_reserve, which reports it. */
char *rein_device_scratch(rein_device *dev, size_t bytes);
REIN_NODISCARD rein_status rein_device_reserve(rein_device *dev, size_t bytes);

#endif
