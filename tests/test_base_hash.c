/* Hashes: published answers, streaming in any pieces, files. */
#include "base_check.h"

#include "base/hash.h"

static void test_sha256(void **state) {
    char hex[REIN_SHA256_HEX];
    /* FIPS 180-4 examples */
    assert_ok(rein_sha256_hex(hex, "abc", 3));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(rein_sha256_hex(hex, NULL, 0));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* a million times 'a', through a file */
    char *a = malloc(1000000);
    assert_non_null(a);
    memset(a, 'a', 1000000);
    assert_ok(rein_file_write(in_folder(state, "a"), a, 1000000));
    free(a);
    assert_ok(rein_sha256_file(hex, in_folder(state, "a")));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_fails_with(REIN_ERR_IO, "missing': No such file", rein_sha256_file(hex, in_folder(state, "missing")));
    assert_fails_with(REIN_ERR_IO, "Is a directory", rein_sha256_file(hex, *state));
}

static void test_xxh3(void **state) {
    (void)state;
    char hex[REIN_XXH_HEX], again[REIN_XXH_HEX];
    /* xxhsum -H2 of an empty file */
    rein_xxh3_hex(hex, NULL, 0);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
    rein_xxh3_hex(hex, bytes, sizeof bytes);
    for (size_t piece = 1; piece <= sizeof bytes; piece += 111) {
        rein_xxh *h;
        assert_ok(rein_xxh_create(&h));
        rein_xxh_update(h, NULL, 0);
        for (size_t at = 0; at < sizeof bytes; at += piece)
            rein_xxh_update(h, bytes + at, piece < sizeof bytes - at ? piece : sizeof bytes - at);
        rein_xxh_hex(h, again);
        rein_xxh_destroy(h);
        assert_string_equal(again, hex);
    }
    rein_xxh_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sha256), cmocka_unit_test(test_xxh3)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
