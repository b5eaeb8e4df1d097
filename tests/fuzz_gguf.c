/* libFuzzer: the input is a GGUF file; what opens must give its texts and its tensors, all inside the file. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/gguf.h"
#include "io/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(rein_source *s) {
    static const char *const files[] = {"config.json",           "generation_config.json",  "tokenizer.json",
                                        "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};
    for (size_t i = 0; i < REIN_COUNT(files); i++) {
        const char *text;
        size_t len;
        if (rein_source_text(s, files[i], &text, &len) == REIN_OK && text) REIN_ASSERT(text[len] == '\0');
    }
    for (int64_t i = 0; i < rein_source_count(s); i++) {
        const rein_tensor_view *v = rein_source_at(s, i);
        float last;
        if (rein_tensor_read_f32(&last, v, v->n - 1, 1) == REIN_OK) REIN_ASSERT(rein_source_find(s, v->name) == v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[] = "/dev/shm/rein-fuzz-gguf-XXXXXX";
    rein_source *s;
    rein_gguf *g;
    int fd = mkstemp(path);
    REIN_ASSERT(fd >= 0);
    REIN_ASSERT(write(fd, data, size) == (ssize_t)size);
    close(fd);
    if (rein_gguf_open(&g, path) == REIN_OK) {
        rein_gguf_close(g);
        if (rein_source_open(&s, path) == REIN_OK) {
            use(s);
            rein_source_close(s);
        }
    }
    unlink(path);
    return 0;
}
