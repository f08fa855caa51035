/* Metrics: counters, gauges and histograms of the whole process, grown by whoever serves and read by an exporter.
 *
 * A family is a static variable; a child (one set of label values) is asked for once, kept as a pointer and then
 * changed without a lock:
 *
 *   static tg_metric_family requests = {.name = "teegate_http_requests_total", .help = "Requests answered.",
 *                                       .kind = TG_METRIC_COUNTER, .labels = {"route", "status"}};
 *   tg_metric *ok = tg_metric_of(&requests, TG_LIT("/encrypt"), TG_LIT("200"));
 *   tg_metric_add(ok, 1);
 *
 * Names begin with teegate_, counters end in _total, units stand in the name (_seconds, _bytes). Label values come from
 * a small set that we choose (route, status, code, schema), never from a value, key or token. A family holds at most
 * max_children; whoever asks for one more gets the child whose label values are all `other`. Children live as long as
 * the process. Every function may be called from any thread.
 */
#ifndef TG_SYS_METRIC_H
#define TG_SYS_METRIC_H

#include "base/result.h"
#include "base/slice.h"

#include <stdatomic.h>

enum {
    TG_MAX_METRIC_LABELS = 4,
    TG_MAX_METRIC_VALUE_BYTES = 128, /* a label value is cut at this, before the character that crosses it */
    TG_MAX_METRIC_BOUNDS = 24,
    TG_DEFAULT_METRIC_CHILDREN = 64
};

typedef enum tg_metric_kind { TG_METRIC_COUNTER, TG_METRIC_GAUGE, TG_METRIC_HISTOGRAM } tg_metric_kind;

/* What the numbers of a family count. Times are given in nanoseconds and exported in seconds. */
typedef enum tg_metric_unit { TG_METRIC_PLAIN, TG_METRIC_IN_BYTES, TG_METRIC_IN_NANOSECONDS } tg_metric_unit;

typedef struct tg_metric tg_metric;

typedef struct tg_metric_family {
    const char *name;
    const char *help; /* one sentence */
    tg_metric_kind kind;
    tg_metric_unit unit;
    const char *labels[TG_MAX_METRIC_LABELS];  /* names; NULL behind the last */
    const uint64_t *bounds;                    /* histogram: upper bounds, rising; NULL takes tg_latency_bounds */
    size_t num_bounds;                         /* at most TG_MAX_METRIC_BOUNDS */
    size_t max_children;                       /* 0 takes TG_DEFAULT_METRIC_CHILDREN; `other` comes on top */
    _Atomic(tg_metric *) children;             /* the registry's own from here on */
    _Atomic(struct tg_metric_family *) behind; /* in the list of all families, by name */
    size_t num_children;
    bool is_listed;
} tg_metric_family;

/* 100 us to 30 s, for request latencies. */
enum { TG_NUM_LATENCY_BOUNDS = 17 };
extern const uint64_t tg_latency_bounds[TG_NUM_LATENCY_BOUNDS];

/* tg_metric_child finds or makes the child with these label values.
 * values  one for each label name, in order (fewer: the missing ones are empty). Foreign text is fine: it is cut at
 *         TG_MAX_METRIC_VALUE_BYTES and what is not UTF-8 or is a control character becomes `?`
 * keep    never NULL, never freed: without memory it is a child that no exporter shows
 */
tg_metric *tg_metric_child(tg_metric_family *family, const tg_slice *values, size_t num_values);

/* tg_metric_of is tg_metric_child with the values as arguments (at least one). */
#define tg_metric_of(family, ...)                                                                                      \
    tg_metric_child((family), (const tg_slice[]){__VA_ARGS__}, TG_COUNT(((const tg_slice[]){__VA_ARGS__})))

/* tg_metric_only is the one child of a family without labels. */
tg_metric *tg_metric_only(tg_metric_family *family);

/* tg_metric_add raises a counter. tg_metric_set and tg_metric_move change a gauge. tg_metric_observe counts a value
 * into a histogram. Called on a child of another kind they change only what that kind exports as its number.
 */
void tg_metric_add(tg_metric *counter, uint64_t amount);
void tg_metric_set(tg_metric *gauge, int64_t value);
void tg_metric_move(tg_metric *gauge, int64_t change);
void tg_metric_observe(tg_metric *histogram, uint64_t value);

/* What one child holds. Numbers that are written meanwhile may be some increments apart; in a histogram, count is
 * always the sum of the buckets. */
typedef struct tg_metric_reading {
    uint64_t number; /* a counter's value or a histogram's sum; a gauge's is int64_t, read by tg_metric_gauge */
    uint64_t count;
    uint64_t buckets[TG_MAX_METRIC_BOUNDS + 1]; /* not cumulative; the last is what exceeds every bound */
} tg_metric_reading;

/* tg_metric_read copies what a child holds now. */
void tg_metric_read(const tg_metric *metric, tg_metric_reading *out_reading);
uint64_t tg_metric_counter(const tg_metric *counter);
int64_t tg_metric_gauge(const tg_metric *gauge);

/* Walks for exporters: all families in order of name, all children of one in order of making. NULL begins and ends:
 *   for (tg_metric_family *f = tg_metric_next_family(NULL); f != NULL; f = tg_metric_next_family(f))
 */
tg_metric_family *tg_metric_next_family(const tg_metric_family *family);
const tg_metric *tg_metric_next_child(const tg_metric_family *family, const tg_metric *child);
size_t tg_metric_num_labels(const tg_metric_family *family);
tg_slice tg_metric_label_value(const tg_metric *metric, size_t index);

/* tg_metric_on_collect has `collect` called before every export, to set gauges that are computed (an age, a size).
 * err   TG_ERR_LIMIT past 16 of them
 * keep  owner must live as long as the process; thread: collect runs on the exporter's thread
 */
typedef void tg_metric_collect_fn(void *owner);
TG_MUST_USE tg_result tg_metric_on_collect(tg_metric_collect_fn *collect, void *owner);
/* tg_metric_collect is what an exporter calls first. */
void tg_metric_collect(void);

#endif
