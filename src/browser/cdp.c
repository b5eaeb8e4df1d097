/* Messages of the DevTools protocol; see cdp.h. */
#include "browser/cdp.h"

#include <string.h>

#include "base/json.h"

const char *rein_cdp_text(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    if (!obj || !json_object_object_get_ex(obj, key, &value) || !json_object_is_type(value, json_type_string))
        return "";
    return json_object_get_string(value);
}

double rein_cdp_number(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    if (!obj || !json_object_object_get_ex(obj, key, &value)) return 0;
    bool number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    return number ? json_object_get_double(value) : 0;
}

struct json_object *rein_cdp_object(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    if (!obj || !json_object_object_get_ex(obj, key, &value)) return NULL;
    return json_object_is_type(value, json_type_object) ? value : NULL;
}

bool rein_cdp_read(rein_cdp *out, const char *text, size_t len) {
    *out = (rein_cdp){0};
    if (rein_json_parse(&out->doc, "browser", text, len) != REIN_OK) return false;
    struct json_object *doc = out->doc, *id;
    if (!json_object_is_type(doc, json_type_object)) {
        rein_cdp_deinit(out);
        return false;
    }
    if (json_object_object_get_ex(doc, "id", &id) && json_object_is_type(id, json_type_int))
        out->id = json_object_get_int64(id);
    out->method = rein_cdp_text(doc, "method");
    out->session = rein_cdp_text(doc, "sessionId");
    struct json_object *error = rein_cdp_object(doc, "error");
    if (error) out->error = rein_cdp_text(error, "message");
    out->body = rein_cdp_object(doc, out->id ? "result" : "params");
    if (!out->body) out->body = error ? error : doc;
    return true;
}

void rein_cdp_deinit(rein_cdp *m) {
    json_object_put(m->doc);
    m->doc = NULL;
}

void rein_cdp_begin(rein_str *out, int64_t id, const char *session, const char *method) {
    rein_str_printf(out, "{\"id\":%lld,\"method\":\"%s\",", (long long)id, method);
    if (session[0]) {
        rein_cdp_put(out, "sessionId", session, strlen(session));
        rein_str_putc(out, ',');
    }
    rein_str_puts(out, "\"params\":{");
}

void rein_cdp_end(rein_str *out) { rein_str_append(out, "}}", 3); /* with its zero byte */ }

void rein_cdp_put(rein_str *out, const char *key, const char *text, size_t len) {
    rein_str_printf(out, "\"%s\":", key);
    rein_json_put_string(out, text, len);
}
