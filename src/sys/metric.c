#include "sys/metric.h"

#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>

enum { CACHE_LINE = 64, MAX_COLLECTORS = 16 };

struct tg_metric {
    _Alignas(CACHE_LINE) _Atomic uint64_t number; /* children are changed by several threads: one line each */
    const uint64_t *bounds;
    size_t num_bounds;
    _Atomic(tg_metric *) behind;
    uint8_t value_lens[TG_MAX_METRIC_LABELS];
    uint8_t *values; /* label values, one behind the other */
    _Atomic uint64_t buckets[];
};

const uint64_t tg_latency_bounds[TG_NUM_LATENCY_BOUNDS] = {
    100000,    250000,    500000,    1000000,    2500000,    5000000,    10000000,    25000000,    50000000,
    100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000, 30000000000,
};

/* Making children and listing families is rare and locked; walking the lists and changing numbers is not: what is
 * linked in is complete and never goes away. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(tg_metric_family *) first_family;
static struct {
    tg_metric_collect_fn *collect;
    void *owner;
} collectors[MAX_COLLECTORS];
static _Atomic size_t num_collectors;

/* Stands in where no memory is left, so that callers need not check. Without bounds it has one bucket, which the
 * padding behind the last member holds. */
static tg_metric lost;
_Static_assert(sizeof(tg_metric) - offsetof(tg_metric, buckets) >= sizeof(uint64_t), "room for one bucket");

typedef struct label_values {
    uint8_t lens[TG_MAX_METRIC_LABELS];
    uint8_t bytes[TG_MAX_METRIC_LABELS * TG_MAX_METRIC_VALUE_BYTES];
    size_t len;
} label_values;

_Static_assert(TG_MAX_METRIC_VALUE_BYTES <= UINT8_MAX, "a label value's length is kept in one byte");

size_t tg_metric_num_labels(const tg_metric_family *family)
{
    size_t num_labels = 0;
    while (num_labels < TG_MAX_METRIC_LABELS && family->labels[num_labels] != NULL) {
        num_labels++;
    }
    return num_labels;
}

/* Appends a value as it is shown: UTF-8 without control characters, cut between characters. */
static void add_value(label_values *values, size_t index, tg_slice value)
{
    size_t plain = 0; /* as nearly all of them are to the end */
    while (plain < value.len && plain < TG_MAX_METRIC_VALUE_BYTES && value.ptr[plain] >= 0x20 &&
           value.ptr[plain] < 0x7f) {
        values->bytes[values->len++] = value.ptr[plain++];
    }
    values->lens[index] = (uint8_t)plain;
    value = tg_slice_from(value, plain);
    size_t room = TG_MAX_METRIC_VALUE_BYTES - plain;
    while (value.len > 0 && room > 0) {
        size_t len = tg_utf8_valid_prefix(tg_slice_first(value, 4)); /* holds the first character, where it is one */
        size_t end = 1;
        while (end < len && (value.ptr[end] & 0xc0) == 0x80) {
            end++;
        }
        bool is_shown = len > 0 && value.ptr[0] >= 0x20 && value.ptr[0] != 0x7f;
        if (end > room) {
            return;
        }
        if (is_shown) {
            memcpy(values->bytes + values->len, value.ptr, end);
        } else {
            values->bytes[values->len] = '?';
        }
        values->len += end;
        values->lens[index] = (uint8_t)(values->lens[index] + end);
        room -= end;
        value = tg_slice_from(value, end);
    }
}

static tg_metric *find_child(const tg_metric_family *family, const label_values *values)
{
    tg_metric *child = atomic_load_explicit(&family->children, memory_order_acquire);
    for (; child != NULL; child = atomic_load_explicit(&child->behind, memory_order_acquire)) {
        if (memcmp(child->value_lens, values->lens, sizeof values->lens) == 0 &&
            (values->len == 0 || memcmp(child->values, values->bytes, values->len) == 0)) {
            return child;
        }
    }
    return NULL;
}

static void list_family(tg_metric_family *family)
{
    if (family->is_listed) {
        return;
    }
    _Atomic(tg_metric_family *) *at = &first_family;
    tg_metric_family *next = atomic_load(at);
    while (next != NULL && strcmp(next->name, family->name) < 0) {
        at = &next->behind;
        next = atomic_load(at);
    }
    atomic_store(&family->behind, next);
    atomic_store(at, family);
    family->is_listed = true;
}

static tg_metric *make_child(tg_metric_family *family, const label_values *values)
{
    size_t num_bounds = 0;
    if (family->kind == TG_METRIC_HISTOGRAM) {
        num_bounds = family->bounds != NULL ? family->num_bounds : TG_NUM_LATENCY_BOUNDS;
        num_bounds = num_bounds < TG_MAX_METRIC_BOUNDS ? num_bounds : TG_MAX_METRIC_BOUNDS;
    }
    size_t values_at = offsetof(tg_metric, buckets) + (num_bounds + 1) * sizeof(uint64_t);
    size_t len = values_at + values->len;
    len = (len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    tg_metric *child = aligned_alloc(CACHE_LINE, len);
    if (child == NULL) {
        return NULL;
    }
    memset(child, 0, len);
    child->bounds = family->bounds != NULL ? family->bounds : tg_latency_bounds;
    child->num_bounds = num_bounds;
    child->values = (uint8_t *)child + values_at;
    memcpy(child->value_lens, values->lens, sizeof values->lens);
    memcpy(child->values, values->bytes, values->len);
    _Atomic(tg_metric *) *at = &family->children;
    for (tg_metric *next = atomic_load(at); next != NULL; next = atomic_load(at)) {
        at = &next->behind;
    }
    atomic_store_explicit(at, child, memory_order_release);
    family->num_children++;
    return child;
}

tg_metric *tg_metric_child(tg_metric_family *family, const tg_slice *values, size_t num_values)
{
    size_t num_labels = tg_metric_num_labels(family);
    label_values wanted = {.len = 0};
    for (size_t i = 0; i < num_labels && i < num_values; i++) {
        add_value(&wanted, i, values[i]);
    }
    tg_metric *child = find_child(family, &wanted);
    if (child != NULL) {
        return child;
    }
    size_t max = family->max_children > 0 ? family->max_children : TG_DEFAULT_METRIC_CHILDREN;
    pthread_mutex_lock(&making);
    list_family(family);
    if (family->num_children >= max) {
        wanted = (label_values){.len = 0};
        for (size_t i = 0; i < num_labels; i++) {
            add_value(&wanted, i, TG_LIT("other"));
        }
    }
    child = find_child(family, &wanted);
    if (child == NULL) {
        child = make_child(family, &wanted);
    }
    pthread_mutex_unlock(&making);
    return child != NULL ? child : &lost;
}

tg_metric *tg_metric_only(tg_metric_family *family)
{
    return tg_metric_child(family, NULL, 0);
}

void tg_metric_add(tg_metric *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->number, amount, memory_order_relaxed);
}

void tg_metric_set(tg_metric *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->number, (uint64_t)value, memory_order_relaxed);
}

void tg_metric_move(tg_metric *gauge, int64_t change)
{
    atomic_fetch_add_explicit(&gauge->number, (uint64_t)change, memory_order_relaxed);
}

void tg_metric_observe(tg_metric *histogram, uint64_t value)
{
    size_t bucket = 0;
    while (bucket < histogram->num_bounds && value > histogram->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->number, value, memory_order_relaxed);
}

void tg_metric_read(const tg_metric *metric, tg_metric_reading *out_reading)
{
    tg_metric_reading reading = {.number = atomic_load_explicit(&metric->number, memory_order_relaxed)};
    for (size_t i = 0; i <= metric->num_bounds; i++) {
        reading.buckets[i] = atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        reading.count += reading.buckets[i];
    }
    *out_reading = reading;
}

uint64_t tg_metric_counter(const tg_metric *counter)
{
    return atomic_load_explicit(&counter->number, memory_order_relaxed);
}

int64_t tg_metric_gauge(const tg_metric *gauge)
{
    return (int64_t)atomic_load_explicit(&gauge->number, memory_order_relaxed);
}

tg_metric_family *tg_metric_next_family(const tg_metric_family *family)
{
    return atomic_load(family != NULL ? &family->behind : &first_family);
}

const tg_metric *tg_metric_next_child(const tg_metric_family *family, const tg_metric *child)
{
    return atomic_load_explicit(child != NULL ? &child->behind : &family->children, memory_order_acquire);
}

tg_slice tg_metric_label_value(const tg_metric *metric, size_t index)
{
    size_t start = 0;
    for (size_t i = 0; i < index && i < TG_MAX_METRIC_LABELS; i++) {
        start += metric->value_lens[i];
    }
    return index < TG_MAX_METRIC_LABELS ? tg_slice_of(metric->values + start, metric->value_lens[index])
                                        : (tg_slice){NULL, 0};
}

tg_result tg_metric_on_collect(tg_metric_collect_fn *collect, void *owner)
{
    tg_result result = tg_ok();
    pthread_mutex_lock(&making);
    size_t index = atomic_load(&num_collectors);
    if (index < MAX_COLLECTORS) {
        collectors[index].collect = collect;
        collectors[index].owner = owner;
        atomic_store(&num_collectors, index + 1);
    } else {
        result = tg_fail(TG_ERR_LIMIT);
    }
    pthread_mutex_unlock(&making);
    return result;
}

void tg_metric_collect(void)
{
    size_t num = atomic_load(&num_collectors);
    for (size_t i = 0; i < num; i++) {
        collectors[i].collect(collectors[i].owner);
    }
}
