/* The op tables of the CPU, one per build of the kernels; device.c picks one at run time. */
#ifndef REIN_CPU_TABLES_H
#define REIN_CPU_TABLES_H

#include "tensor/ops.h"

extern const rein_ops rein_ops_ref;     /* the specification: plain loops, no threads */
extern const rein_ops rein_ops_generic; /* tuned source, 8 lanes of plain C, any machine */
extern const rein_ops rein_ops_avx2;    /* only where REIN_HAVE_X86 is defined */
extern const rein_ops rein_ops_avx512;

#endif
