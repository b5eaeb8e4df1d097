/*
 * Seconds to load a tokenizer.json, and MB/s of text to ids and back on one thread.
 *
 *   bench_tokenizer tokenizer.json TEXT [ROUNDS]
 *
 * TEXT is cut at line ends into documents of about 4 KiB, which one encoder reads in order. Figures are the best of
 * ROUNDS (default 3). tools/goldens/bench-tokenizers runs Hugging Face tokenizers on the same documents.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/tokenizer.h"

enum { DOCUMENT = 4096 };

/* The end of the document that begins at `from`. */
static size_t document_end(const rein_str *text, size_t from) {
    if (text->len - from <= DOCUMENT) return text->len;
    const char *stop = memchr(text->data + from + DOCUMENT, '\n', text->len - from - DOCUMENT);
    return stop ? (size_t)(stop - text->data) + 1 : text->len;
}

static rein_status encode_all(rein_encoder *encoder, const rein_str *text, rein_ids *ids) {
    ids->n = 0;
    for (size_t from = 0, end; from < text->len; from = end) {
        end = document_end(text, from);
        REIN_TRY(rein_encoder_encode(encoder, text->data + from, end - from, false, ids));
    }
    return REIN_OK;
}

static rein_status measure(const char *path, const rein_str *text, int rounds) {
    double load = 1e9, encode = 1e9, decode = 1e9;
    rein_tokenizer *tok = NULL;
    rein_encoder *encoder = NULL;
    rein_ids ids = {0};
    rein_str back = {0};
    rein_status status = REIN_OK;
    for (int i = 0; i < rounds; i++) {
        rein_tokenizer_destroy(tok);
        tok = NULL;
        double start = rein_clock();
        REIN_TRY_OUT(status, rein_tokenizer_load(&tok, path), out);
        double t = rein_clock() - start;
        if (t < load) load = t;
        rein_encoder_destroy(encoder);
        encoder = NULL;
        REIN_TRY_OUT(status, rein_encoder_create(&encoder, tok), out);
        start = rein_clock();
        REIN_TRY_OUT(status, encode_all(encoder, text, &ids), out);
        if ((t = rein_clock() - start) < encode) encode = t;
        rein_str_clear(&back);
        start = rein_clock();
        REIN_TRY_OUT(status, rein_tokenizer_decode(tok, ids.data, ids.n, false, &back), out);
        if ((t = rein_clock() - start) < decode) decode = t;
    }
    double mb = (double)text->len / 1e6;
    printf("load %.3f s, encode %.1f MB/s, decode %.1f MB/s, %lld ids\n", load, mb / encode, mb / decode,
           (long long)ids.n);
out:
    rein_encoder_destroy(encoder);
    rein_tokenizer_destroy(tok);
    rein_ids_deinit(&ids);
    rein_str_deinit(&back);
    return status;
}

int main(int argc, char **argv) {
    rein_str text = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: bench_tokenizer tokenizer.json TEXT [ROUNDS]\n");
        return 2;
    }
    rein_status status = rein_file_read(&text, argv[2]);
    if (status == REIN_OK) status = measure(argv[1], &text, argc > 3 ? atoi(argv[3]) : 3);
    if (status != REIN_OK) fprintf(stderr, "bench_tokenizer: %s\n", rein_error_message());
    rein_str_deinit(&text);
    return status != REIN_OK;
}
