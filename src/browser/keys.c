/* Key presses as a keyboard makes them: key down, its character, key up, with modifiers. */
#include <stdio.h>
#include <string.h>

#include "browser/internal.h"

typedef struct key {
    const char *name;
    int code; /* Windows virtual key code, as DevTools wants it */
    const char *text;
} key;

static const key keys[] = {{"Enter", 13, "\r"},    {"Tab", 9, ""},        {"Backspace", 8, ""},  {"Delete", 46, ""},
                           {"Escape", 27, ""},     {"Space", 32, " "},    {"ArrowLeft", 37, ""}, {"ArrowUp", 38, ""},
                           {"ArrowRight", 39, ""}, {"ArrowDown", 40, ""}, {"Home", 36, ""},      {"End", 35, ""},
                           {"PageUp", 33, ""},     {"PageDown", 34, ""},  {"Insert", 45, ""},    {"F1", 112, ""},
                           {"F2", 113, ""},        {"F5", 116, ""},       {"F10", 121, ""}};

static const struct {
    const char *name;
    int bit;
} modifiers[] = {{"Alt", 1}, {"Control", 2}, {"ControlOrMeta", 2}, {"Meta", 4}, {"Shift", 8}};

enum { CONTROL = 2 };

typedef struct press {
    char name[16], text[8];
    int code, modifiers;
} press;

static int modifier_bit(const char *name, size_t len) {
    for (size_t i = 0; i < REIN_COUNT(modifiers); i++)
        if (strlen(modifiers[i].name) == len && memcmp(modifiers[i].name, name, len) == 0) return modifiers[i].bit;
    return 0;
}

static bool read_base(press *out, const char *name, size_t len) {
    if (len == 1 && name[0] > ' ' && name[0] < 127) {
        char c = name[0];
        snprintf(out->name, sizeof out->name, "%c", c);
        snprintf(out->text, sizeof out->text, "%c", c);
        out->code = c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
        return true;
    }
    for (size_t i = 0; i < REIN_COUNT(keys); i++) {
        if (strlen(keys[i].name) != len || memcmp(keys[i].name, name, len) != 0) continue;
        snprintf(out->name, sizeof out->name, "%s", strcmp(keys[i].name, "Space") == 0 ? " " : keys[i].name);
        snprintf(out->text, sizeof out->text, "%s", keys[i].text);
        out->code = keys[i].code;
        return true;
    }
    return false;
}

static bool read_key(press *out, const char *text, size_t len) {
    *out = (press){.code = 0};
    for (const char *plus; len > 1 && (plus = memchr(text + 1, '+', len - 1));) {
        size_t n = (size_t)(plus - text);
        int bit = modifier_bit(text, n);
        if (!bit || n + 1 >= len) return false;
        out->modifiers |= bit;
        text += n + 1;
        len -= n + 1;
    }
    if (!read_base(out, text, len)) return false;
    if (out->modifiers & ~8) out->text[0] = '\0'; /* Control+a types nothing */
    return true;
}

bool rein_key_known(const char *text, size_t len) {
    press p;
    return read_key(&p, text, len);
}

static int64_t send_one(rein_browser *b, const char *session, const press *p, const char *type) {
    rein_str *out = rein_command(b, session, "Input.dispatchKeyEvent");
    rein_str_printf(out, "\"type\":\"%s\",\"modifiers\":%d,\"windowsVirtualKeyCode\":%d,", type, p->modifiers, p->code);
    rein_cdp_put(out, "key", p->name, strlen(p->name));
    if (strcmp(type, "keyDown") == 0 && p->text[0]) {
        rein_str_putc(out, ',');
        rein_cdp_put(out, "text", p->text, strlen(p->text));
    }
    /* a headless browser has no desktop that maps shortcuts to what they do */
    if (strcmp(type, "rawKeyDown") == 0 && p->modifiers == CONTROL && p->code == 'A')
        rein_str_puts(out, ",\"commands\":[\"selectAll\"]");
    return rein_command_send(b);
}

bool rein_key_send(rein_browser *b, const char *session, const char *text, size_t len, int64_t *last) {
    press p;
    if (!read_key(&p, text, len)) return false;
    send_one(b, session, &p, p.text[0] ? "keyDown" : "rawKeyDown");
    *last = send_one(b, session, &p, "keyUp");
    return true;
}
