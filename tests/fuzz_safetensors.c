/* libFuzzer: the input is a safetensors file; what opens must have every tensor inside the file, to its last element.
 */
#include <stdlib.h>
#include <unistd.h>

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[] = "/dev/shm/rein-fuzz-safetensors-XXXXXX";
    rein_tensors *t;
    int fd = mkstemp(path);
    REIN_ASSERT(fd >= 0);
    REIN_ASSERT(write(fd, data, size) == (ssize_t)size);
    close(fd);
    if (rein_tensors_open(&t, path) == REIN_OK) {
        for (int64_t i = 0; i < rein_tensors_count(t); i++) {
            const rein_tensor_view *v = rein_tensors_at(t, i);
            float last;
            if (v->n > 0 && rein_tensor_read_f32(&last, v, v->n - 1, 1) == REIN_OK)
                REIN_ASSERT(rein_tensors_find(t, v->name) == v);
        }
        rein_tensors_close(t);
    }
    unlink(path);
    return 0;
}
