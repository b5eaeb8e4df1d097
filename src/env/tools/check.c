/* The beginning of a task's world, and the checks of its end; see task.h. */
#include <ctype.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "env/tools/chat.h"
#include "env/tools/code.h"
#include "env/tools/folder.h"
#include "env/tools/task.h"

/* ---- the beginning ---- */

static rein_status open_domain(int *out, int root, const char *name) {
    *out = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *out < 0 ? rein_fail(REIN_ERR_IO, "the slot has no folder '%s'", name) : REIN_OK;
}

static rein_status put_message(const rein_tools_setup *s, int root) {
    int dir;
    REIN_TRY(open_domain(&dir, root, "chat"));
    rein_status status = rein_chat_put(dir, s->where, "maria", s->text);
    close(dir);
    return status;
}

static rein_status put_file(const rein_tools_setup *s, int root) {
    const char *why;
    REIN_TRY(rein_folder_write(root, s->where, s->text, strlen(s->text), REIN_FOLDER_REPLACE, &why));
    return why ? rein_fail(REIN_ERR_IO, "cannot set up the file '%s': %s", s->where, why) : REIN_OK;
}

/* The path of a SQLite file of a slot that is a regular file: what a model made of it is not followed. */
static rein_status database_path(char path[4096], const rein_tools_slot *slot, const char *where, bool make) {
    const char *why;
    if (make)
        REIN_TRY(rein_folder_write(slot->root, where, "", 0, REIN_FOLDER_REPLACE, &why));
    else
        REIN_TRY(rein_folder_check(slot->root, where, &why));
    snprintf(path, 4096, "%s/%s", slot->folder, where);
    if (why) path[0] = '\0';
    return REIN_OK;
}

static rein_status put_database(const rein_tools_setup *s, const rein_tools_slot *slot) {
    char path[4096], *message = NULL;
    sqlite3 *db = NULL;
    REIN_TRY(database_path(path, slot, s->where, true));
    rein_status status = REIN_OK;
    if (!path[0] || sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, s->text, NULL, NULL, &message) != SQLITE_OK)
        status = rein_fail(REIN_ERR_FORMAT, "cannot set up the database '%s': %s", s->where,
                           message ? message : "no such file");
    sqlite3_free(message);
    sqlite3_close(db);
    return status;
}

rein_status rein_tools_set_up(const rein_tools_task *task, const rein_tools_slot *slot) {
    for (int i = 0; i < task->n_setup; i++) {
        const rein_tools_setup *s = &task->setup[i];
        if (s->kind == REIN_TOOLS_PUT_FILE) REIN_TRY(put_file(s, slot->root));
        if (s->kind == REIN_TOOLS_PUT_MESSAGE) REIN_TRY(put_message(s, slot->root));
        if (s->kind == REIN_TOOLS_PUT_DATABASE) REIN_TRY(put_database(s, slot));
    }
    return REIN_OK;
}

/* ---- texts ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Could the character before `wanted`, and the one before that, be a part of the same word or number? */
static bool joins_before(const char *text, size_t at, const char *wanted) {
    if (at == 0) return false;
    const char c = text[at - 1];
    if (is_word(c) && is_word(wanted[0])) return true;
    if (!is_digit(wanted[0])) return false;
    return c == '-' || ((c == '.' || c == ',') && at >= 2 && is_digit(text[at - 2]));
}

static bool joins_after(const char *text, size_t len, size_t end, char last) {
    if (end == len) return false;
    const char c = text[end];
    if (is_word(c) && is_word(last)) return true;
    return is_digit(last) && (c == '.' || c == ',') && end + 1 < len && is_digit(text[end + 1]);
}

bool rein_tools_holds(const char *text, size_t len, const char *wanted) {
    const size_t n = strlen(wanted);
    if (n == 0) return true;
    for (size_t at = 0; at + n <= len; at++)
        if (memcmp(text + at, wanted, n) == 0 && !joins_before(text, at, wanted) &&
            !joins_after(text, len, at + n, wanted[n - 1]))
            return true;
    return false;
}

static bool fits(const rein_tools_check *check, const char *text, size_t len) {
    return rein_tools_holds(text, len, check->text) &&
           !(check->without && rein_tools_holds(text, len, check->without));
}

/* ---- the end ---- */

typedef struct judge {
    const rein_tools_task *task;
    bool *met, *clean;
} judge;

static rein_status judge_message(void *user, const char *channel, const char *who, const char *text) {
    const judge *j = user;
    bool asked = !j->task->strict;
    if (strcmp(who, REIN_CHAT_AGENT) != 0) return REIN_OK;
    for (int i = 0; i < j->task->n_check; i++) {
        const rein_tools_check *check = &j->task->check[i];
        if (check->kind != REIN_TOOLS_MESSAGE || strcmp(check->where, channel) != 0) continue;
        asked = true;
        j->met[i] |= fits(check, text, strlen(text));
    }
    *j->clean &= asked;
    return REIN_OK;
}

static rein_status judge_messages(const judge *j, int root) {
    int dir = openat(root, "chat", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) return REIN_OK; /* a task without that server */
    rein_status status = rein_chat_each(dir, judge_message, (void *)j);
    close(dir);
    return status;
}

static rein_status judge_file(bool *met, const rein_tools_check *check, int root) {
    rein_str text = {0};
    const char *why;
    rein_status status = rein_folder_read(&text, root, check->where, &why);
    if (check->kind == REIN_TOOLS_ABSENT)
        *met = why != NULL;
    else
        *met = !why && fits(check, text.data ? text.data : "", text.len);
    rein_str_deinit(&text);
    return status;
}

static rein_status judge_key(bool *met, const rein_tools_check *check, int root) {
    rein_str value = {0};
    bool found = false;
    int dir = openat(root, "code", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) return REIN_OK; /* a task without that server */
    rein_status status = rein_code_stored(&value, &found, dir, check->where);
    *met = found && fits(check, value.data ? value.data : "", value.len);
    rein_str_deinit(&value);
    close(dir);
    return status;
}

/* A file that is no database, or a query that fails, does not hold. */
static rein_status judge_database(bool *met, const rein_tools_check *check, const rein_tools_slot *slot) {
    char path[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    *met = false;
    REIN_TRY(database_path(path, slot, check->where, false));
    if (path[0] && sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, check->query, -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(query, 0);
        *met = text && fits(check, text, strlen(text));
    }
    sqlite3_finalize(query);
    sqlite3_close(db);
    return REIN_OK;
}

rein_status rein_tools_judge(bool *met, bool *clean, const rein_tools_task *task, const rein_tools_slot *slot,
                             const char *answer, size_t len) {
    *clean = true;
    for (int i = 0; i < task->n_check; i++) {
        const rein_tools_check *check = &task->check[i];
        met[i] = false;
        if (check->kind == REIN_TOOLS_ANSWER) met[i] = fits(check, answer, len);
        if (check->kind == REIN_TOOLS_FILE || check->kind == REIN_TOOLS_ABSENT)
            REIN_TRY(judge_file(&met[i], check, slot->root));
        if (check->kind == REIN_TOOLS_KEY) REIN_TRY(judge_key(&met[i], check, slot->root));
        if (check->kind == REIN_TOOLS_DATABASE) REIN_TRY(judge_database(&met[i], check, slot));
    }
    return judge_messages(&(judge){task, met, clean}, slot->root);
}
