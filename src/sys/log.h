/* Structured logs: one JSON object a line on stderr (or another descriptor), at most 4096 bytes, by one write.
 *
 *   tg_log(TG_LOG_INFO, "enclave", "listening", TG_F_STR("address", "vsock:any:443"), TG_F_INT("workers", 2));
 *
 * Field names are literals; values are text, slices (foreign bytes: escaped and cut at 256) and numbers. Secrets have
 * a type of their own (sys/secret.h) that no field takes. No body, header value, key, token or plaintext is logged.
 */
#ifndef TG_SYS_LOG_H
#define TG_SYS_LOG_H

#include "base/detail.h"
#include "base/result.h"
#include "base/slice.h"

typedef enum tg_log_level { TG_LOG_DEBUG, TG_LOG_INFO, TG_LOG_WARN, TG_LOG_ERROR, TG_LOG_OFF } tg_log_level;

typedef struct tg_log_field {
    enum { TG_FIELD_NONE, TG_FIELD_TEXT, TG_FIELD_INT, TG_FIELD_UINT, TG_FIELD_BOOL } kind;
    const char *name;
    tg_slice text;
    int64_t number;
} tg_log_field;

#define TG_F_STR(field, value)   ((tg_log_field){TG_FIELD_TEXT, field, tg_slice_str(value), 0})
#define TG_F_SLICE(field, value) ((tg_log_field){TG_FIELD_TEXT, field, value, 0})
#define TG_F_INT(field, value)   ((tg_log_field){TG_FIELD_INT, field, {NULL, 0}, (int64_t)(value)})
#define TG_F_UINT(field, value)  ((tg_log_field){TG_FIELD_UINT, field, {NULL, 0}, (int64_t)(value)})
#define TG_F_BOOL(field, value)  ((tg_log_field){TG_FIELD_BOOL, field, {NULL, 0}, (value) ? 1 : 0})
#define TG_F_ERR(result)         ((tg_log_field){TG_FIELD_TEXT, "error", tg_slice_str(tg_log_error_text(result)), 0})

#define tg_log(level, component, event, ...)                                                                           \
    do {                                                                                                               \
        if (tg_log_is_on(level)) {                                                                                     \
            const tg_log_field tg_log_fields[] = {{TG_FIELD_NONE, "", {NULL, 0}, 0}, ##__VA_ARGS__};                   \
            tg_log_write(level, component, event, tg_log_fields + 1, TG_COUNT(tg_log_fields) - 1);                     \
        }                                                                                                              \
    } while (0)

/* The level holds for the whole process; set it before threads start or at any time (atomic). Start: info. */
void tg_log_set_level(tg_log_level level);
bool tg_log_is_on(tg_log_level level);
/* tg_log_parse_level reads debug, info, warn (warning), error, off, in any case. err: TG_ERR_SYNTAX */
TG_MUST_USE tg_result tg_log_parse_level(tg_slice text, tg_log_level *out_level);
/* tg_log_set_fd changes where lines go (start: 2). A line that cannot be written within
 * 10 ms is counted and dropped, and the next ones do not wait until somebody reads again. */
void tg_log_set_fd(int fd);
uint64_t tg_log_num_dropped(void);

/* tg_log_write writes one line; any thread. Use the macro. */
void tg_log_write(tg_log_level level, const char *component, const char *event, const tg_log_field *fields,
                  size_t num_fields);
/* tg_log_fault logs a detail: file, line, field, reason, remedy, as fields. */
void tg_log_fault(tg_log_level level, const char *component, const char *event, const tg_detail *detail);

/* tg_log_error_text names a result's code, or the system's text for os_error. Thread-local, until the next call. */
const char *tg_log_error_text(tg_result result);

#endif
