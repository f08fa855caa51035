#include "enclave/field_api.h"

#include "enclave/bulk_api.h"
#include "enclave/field_access.h"
#include "enclave/measures.h"
#include "fields/rewrite.h"

/* Bytes of work in one turn of the loop: some 100 us. */
enum { STEP_BUDGET = 65536 };

/* One request's work. It stands in the request's arena, which is wiped when the request ends. */
typedef struct field_work {
    tg_tick tick;
    tg_site *site;
    tg_http_request *request;
    tg_serving *serving;
    tg_pii_root root;
    const tg_schema *schema;
    tg_rewrite *rewrite;
    tg_bulk *bulk; /* a stream of lines, instead */
    bool is_planned;
    size_t budgeted; /* bytes of output counted into the budget of bodies in flight, until the answer is out */
} field_work;

static const tg_slice no_pointer = {NULL, 0};

/* Ends the work before the request is given back. */
static void end_work(field_work *work)
{
    tg_tick_cancel(&work->tick);
    tg_serving_unref(TG_TAKE(work->serving));
}

static bool check_media_type(tg_http_request *request, bool *out_is_bulk)
{
    tg_slice type;
    bool is_there = tg_is_ok(tg_http_request_header(request, TG_LIT("Content-Type"), &type));
    *out_is_bulk = is_there && tg_bulk_is_asked(type);
    if (!is_there || (!*out_is_bulk && !tg_http_is_json(type))) {
        tg_site_refuse(request, 415, "unsupported_media_type",
                       "the Content-Type must be application/json, application/x-ndjson or end in +json, in UTF-8",
                       no_pointer);
        return false;
    }
    tg_slice coding;
    if (tg_http_headers_find(request->headers, request->num_headers, TG_LIT("Content-Encoding"), &coding)) {
        tg_site_refuse(request, 415, "unsupported_media_type", "the body must come without a Content-Encoding",
                       no_pointer);
        return false;
    }
    return true;
}

static bool check_client(tg_site *site, tg_http_request *request)
{
    if (tg_field_access_is_allowed(site, request)) {
        return true;
    }
    tg_site_refuse(request, 403, "forbidden", "no client certificate that is allowed to do this", no_pointer);
    return false;
}

/* Finds the schema that the header names. */
static bool find_schema(tg_site *site, tg_http_request *request, field_work *work)
{
    tg_slice name;
    const tg_snapshot *snapshot = tg_serving_snapshot(work->serving);
    tg_result found = tg_http_request_header(request, tg_slice_str(site->settings->schema_header_name), &name);
    if (!tg_is_ok(found)) {
        tg_site_refuse(request, 400, "bad_request",
                       found.code == TG_ERR_EXISTS ? "the header that names the schema stands there twice"
                                                   : "the header that names the schema is missing",
                       no_pointer);
        return false;
    }
    if (tg_snapshot_num_schemas(snapshot) == 0) {
        tg_site_refuse(request, 503, "service_unavailable", "no schema has been loaded yet", no_pointer);
        return false;
    }
    found = tg_schema_set_find(tg_snapshot_schemas(snapshot), name, &work->root, &work->schema);
    tg_measures_schema_lookup(tg_is_ok(found));
    if (!tg_is_ok(found)) {
        tg_site_refuse(request, 400, "bad_request", "the schema that the header names is not known", no_pointer);
        return false;
    }
    return true;
}

static bool check_keys(tg_http_request *request, const field_work *work)
{
    if (tg_serving_keys(work->serving) != NULL) {
        return true;
    }
    tg_site_refuse(request, 503, "service_unavailable", "there is no data key yet", no_pointer);
    return false;
}

static bool begin_bulk(tg_site *site, tg_http_request *request, field_work *work);

void tg_field_api_head(tg_site *site, tg_http_request *request)
{
    bool is_bulk;
    if (!check_client(site, request) || !check_media_type(request, &is_bulk)) {
        return;
    }
    field_work *work = tg_arena_zalloc(request->arena, 1, sizeof *work);
    if (work == NULL) {
        tg_site_refuse(request, 503, NULL, "there is no memory for this request", no_pointer);
        return;
    }
    *work = (field_work){.site = site, .request = request, .serving = site->serving};
    if (!find_schema(site, request, work) || !check_keys(request, work)) {
        return;
    }
    if (!is_bulk) {
        tg_serving_ref(work->serving);
        request->user = work;
    } else if (begin_bulk(site, request, work)) {
        work->serving = NULL; /* the stream's own matter */
        request->user = work;
    }
}

/* query = *( name [ "=" value ] "&" ): `lenient` or `lenient=1` says yes, `lenient=0` no; others are left alone. */
static bool read_lenient(tg_slice query, bool *out_is_lenient)
{
    bool is_lenient = false;
    while (query.ptr != NULL) {
        tg_slice value = tg_slice_split(&query, '&');
        tg_slice name = tg_slice_split(&value, '=');
        if (!tg_slice_equal(name, TG_LIT("lenient"))) {
            continue;
        }
        if (value.ptr != NULL && !tg_slice_equal(value, TG_LIT("0")) && !tg_slice_equal(value, TG_LIT("1"))) {
            return false;
        }
        is_lenient = value.ptr == NULL || tg_slice_equal(value, TG_LIT("1"));
    }
    *out_is_lenient = is_lenient;
    return true;
}

static void refuse_for_memory(tg_http_request *request)
{
    tg_site_refuse(request, 503, NULL, "the bodies in flight take all the memory that is set aside for them",
                   no_pointer);
}

static void refuse(field_work *work, const tg_fault *fault)
{
    tg_http_request *request = work->request;
    if (fault->kind == TG_FAULT_BAD_TOKEN) {
        tg_key_service_ask(work->site->keys); /* another replica may have rotated already */
    }
    tg_slice pointer = fault->has_pointer ? tg_slice_of(fault->pointer, strlen(fault->pointer)) : no_pointer;
    end_work(work);
    tg_site_refuse(request, tg_fault_status(fault->kind), tg_fault_name(fault->kind), fault->message, pointer);
}

/* What was counted for the answer was its bound; now its memory is known. */
static void settle_budget(field_work *work, size_t held)
{
    if (held < work->budgeted) {
        tg_http_budget_give(work->site->budget, work->budgeted - held);
        work->budgeted = held;
    }
}

static void answer(field_work *work, tg_buf *body)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/json"),
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    tg_http_request *request = work->request;
    tg_rewrite_counts counts = tg_rewrite_get_counts(work->rewrite);
    tg_measures_fields(tg_schema_name(work->schema), tg_field_access_is_encrypt(request), counts.num_fields,
                       counts.num_old_key);
    settle_budget(work, body->cap + request->arena->used);
    end_work(work);
    tg_http_respond(request, 200, headers, TG_COUNT(headers), body);
}

/* The output is a body in flight like the one that came: its bound is counted before it is written, and with it the
 * list of values that the plan has made. */
static bool take_budget(field_work *work)
{
    size_t len = tg_rewrite_output_max(work->rewrite) + work->request->arena->used;
    if (!tg_http_budget_take(work->site->budget, len, 0)) {
        return false;
    }
    work->budgeted = len;
    return true;
}

/* One turn's worth of work. */
static void step(field_work *work)
{
    tg_buf *body = tg_http_answer_buf(work->request);
    tg_result result = tg_ok();
    if (!work->is_planned) {
        result = tg_rewrite_plan(work->rewrite, STEP_BUDGET);
        work->is_planned = tg_is_ok(result);
        if (work->is_planned && !take_budget(work)) {
            tg_http_request *request = work->request;
            end_work(work);
            refuse_for_memory(request);
            return;
        }
    }
    if (work->is_planned) {
        result = tg_rewrite_apply(work->rewrite, tg_serving_keys(work->serving), STEP_BUDGET, body);
    }
    if (result.code == TG_ERR_AGAIN) {
        tg_loop_tick(work->site->loop, &work->tick);
    } else if (tg_is_ok(result)) {
        answer(work, body);
    } else {
        refuse(work, tg_rewrite_fault(work->rewrite));
    }
}

static void run_tick(tg_tick *tick)
{
    step((field_work *)((char *)tick - offsetof(field_work, tick)));
}

static void begin(tg_site *site, tg_http_request *request, tg_rewrite_mode mode, bool is_lenient)
{
    field_work *work = request->user;
    const tg_rewrite_options options = {.root = work->root,
                                        .mode = mode,
                                        .is_lenient = is_lenient,
                                        .max_fields = (size_t)site->settings->max_fields_per_request};
    work->tick.run = run_tick;
    if (!tg_is_ok(tg_rewrite_new(request->arena, &options, request->body, &work->rewrite))) {
        end_work(work);
        tg_site_refuse(request, 503, NULL, "there is no memory for this request", no_pointer);
        return;
    }
    step(work);
}

static bool begin_bulk(tg_site *site, tg_http_request *request, field_work *work)
{
    bool is_encrypt = tg_field_access_is_encrypt(request);
    bool is_lenient = false;
    if (!is_encrypt && request->has_query && !read_lenient(request->query, &is_lenient)) {
        tg_site_refuse(request, 400, "bad_request", "lenient is 0 or 1", no_pointer);
        return false;
    }
    const tg_rewrite_options options = {.root = work->root,
                                        .mode = is_encrypt ? TG_REWRITE_ENCRYPT : TG_REWRITE_DECRYPT,
                                        .is_lenient = is_lenient,
                                        .max_fields = (size_t)site->settings->max_fields_per_request};
    if (!tg_is_ok(tg_bulk_new(site, request, &options, work->schema, &work->bulk))) {
        refuse_for_memory(request);
        return false;
    }
    return true;
}

void tg_field_api_body(tg_http_request *request, tg_slice piece)
{
    const field_work *work = request->user;
    tg_bulk_take(work->bulk, piece);
}

void tg_field_api_writable(tg_http_request *request)
{
    const field_work *work = request->user;
    tg_bulk_write(work->bulk);
}

static bool is_bulk_ended(const field_work *work)
{
    if (work->bulk == NULL) {
        return false;
    }
    tg_bulk_end(work->bulk);
    return true;
}

void tg_field_api_encrypt(tg_site *site, tg_http_request *request)
{
    if (is_bulk_ended(request->user)) {
        return;
    }
    begin(site, request, TG_REWRITE_ENCRYPT, false);
}

void tg_field_api_decrypt(tg_site *site, tg_http_request *request)
{
    bool is_lenient = false;
    if (is_bulk_ended(request->user)) {
        return;
    }
    if (request->has_query && !read_lenient(request->query, &is_lenient)) {
        end_work(request->user);
        tg_site_refuse(request, 400, "bad_request", "lenient is 0 or 1", no_pointer);
        return;
    }
    begin(site, request, TG_REWRITE_DECRYPT, is_lenient);
}

void tg_field_api_cancel(tg_site *site, tg_http_request *request)
{
    (void)site;
    field_work *work = request->user;
    if (work != NULL && work->bulk != NULL) {
        tg_bulk_cancel(work->bulk);
    } else if (work != NULL) {
        end_work(work);
    }
}

void tg_field_api_end(const tg_http_request *request)
{
    field_work *work = request->user;
    if (work != NULL && work->bulk != NULL) {
        tg_bulk_settle(work->bulk);
    } else if (work != NULL && work->budgeted > 0) {
        tg_http_budget_give(work->site->budget, work->budgeted);
        work->budgeted = 0;
    }
}
