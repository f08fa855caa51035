#include "proxy/allowlist.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/log.h"

#include <stdio.h>
#include <yaml.h>

/* Where the events stand: document > mapping > `allowlist` > sequence > mapping > address, port. */
typedef enum place { AT_TOP, IN_TOP, AT_LIST, IN_LIST, IN_ENTRY, AT_ADDRESS, AT_PORT, AT_END } place;

typedef struct list_reader {
    const char *path;
    tg_arena *arena;
    tg_faults *faults;
    place place;
    bool has_list;
    tg_egress_rule *rules;
    size_t num_rules;
    unsigned entry_line;
    char address[256];
    char port[8];
} list_reader;

static tg_result fault(const list_reader *reader, size_t mark_line, const char *reason, const char *remedy)
{
    tg_detail *detail = tg_faults_add(reader->faults);
    tg_detail_set_place(detail, tg_slice_str(reader->path), (unsigned)mark_line, TG_LIT(""));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(TG_ERR_SYNTAX);
}

static const char form[] = "write allowlist: [{address: HOST, port: PORT}, ...]";

static tg_result take_text(const list_reader *reader, const yaml_event_t *event, char *out, size_t cap)
{
    size_t len = event->data.scalar.length;
    unsigned line = (unsigned)event->start_mark.line + 1;
    if (out[0] != 0) {
        return fault(reader, line, "a key stands here twice", form);
    }
    if (len == 0 || len >= cap || memchr(event->data.scalar.value, 0, len) != NULL) {
        return fault(reader, line, "the value is empty or too long", form);
    }
    memcpy(out, event->data.scalar.value, len);
    out[len] = 0;
    return tg_ok();
}

static tg_result end_entry(list_reader *reader)
{
    uint64_t port;
    if (reader->address[0] == 0 || reader->port[0] == 0) {
        return fault(reader, reader->entry_line, "an entry lacks its address or its port", form);
    }
    if (!tg_is_ok(tg_num_parse_u64(tg_slice_str(reader->port), UINT16_MAX, &port)) || port == 0) {
        return fault(reader, reader->entry_line, "the port is no number from 1 to 65535", form);
    }
    if (reader->num_rules == TG_MAX_ALLOWLIST_ENTRIES) {
        return fault(reader, reader->entry_line, "the list has more than 1024 entries", "shorten it");
    }
    char text[300];
    bool is_ipv6 = strchr(reader->address, ':') != NULL;
    snprintf(text, sizeof text, is_ipv6 ? "[%s]:%s" : "%s:%s", reader->address, reader->port);
    tg_detail found;
    tg_detail_clear(&found);
    tg_result parsed =
        tg_egress_rule_parse(tg_slice_str(text), reader->arena, &reader->rules[reader->num_rules], &found);
    if (parsed.code == TG_ERR_MEMORY || parsed.code == TG_ERR_LIMIT) {
        return parsed;
    }
    if (!tg_is_ok(parsed) || reader->rules[reader->num_rules].kind == TG_RULE_WILDCARD) {
        return fault(reader, reader->entry_line, "the address is neither a host name nor an IP address", form);
    }
    reader->num_rules++;
    return tg_ok();
}

static tg_result take_scalar(list_reader *reader, const yaml_event_t *event)
{
    tg_slice text = tg_slice_of(event->data.scalar.value, event->data.scalar.length);
    unsigned line = (unsigned)event->start_mark.line + 1;
    switch (reader->place) {
    case IN_TOP:
        if (!tg_slice_equal(text, TG_LIT("allowlist")) || reader->has_list) {
            return fault(reader, line, "only `allowlist`, once, may stand here", form);
        }
        reader->has_list = true;
        reader->place = AT_LIST;
        return tg_ok();
    case IN_ENTRY:
        reader->place = tg_slice_equal(text, TG_LIT("address")) ? AT_ADDRESS : AT_PORT;
        if (reader->place == AT_PORT && !tg_slice_equal(text, TG_LIT("port"))) {
            return fault(reader, line, "an entry has an address and a port, nothing else", form);
        }
        return tg_ok();
    case AT_ADDRESS:
        reader->place = IN_ENTRY;
        return take_text(reader, event, reader->address, sizeof reader->address);
    case AT_PORT:
        reader->place = IN_ENTRY;
        return take_text(reader, event, reader->port, sizeof reader->port);
    case AT_TOP:
    case AT_LIST:
    case IN_LIST:
    case AT_END:
        break;
    }
    return fault(reader, line, "this is no allowlist", form);
}

/* Every container has one place where it may stand, so that nothing nests deeper than three. */
static tg_result take_event(list_reader *reader, const yaml_event_t *event)
{
    unsigned line = (unsigned)event->start_mark.line + 1;
    place from = reader->place;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_MAPPING_START_EVENT:
        reader->entry_line = line;
        reader->address[0] = reader->port[0] = 0;
        reader->place = from == AT_TOP ? IN_TOP : IN_ENTRY;
        return from == AT_TOP || from == IN_LIST ? tg_ok() : fault(reader, line, "this is no allowlist", form);
    case YAML_MAPPING_END_EVENT:
        reader->place = from == IN_TOP ? AT_END : IN_LIST;
        return from == IN_TOP ? tg_ok() : end_entry(reader);
    case YAML_SEQUENCE_START_EVENT:
        reader->place = IN_LIST;
        return from == AT_LIST ? tg_ok() : fault(reader, line, "this is no allowlist", form);
    case YAML_SEQUENCE_END_EVENT:
        reader->place = IN_TOP;
        return tg_ok();
    case YAML_ALIAS_EVENT:
        return fault(reader, line, "aliases are not taken", form);
    case YAML_DOCUMENT_START_EVENT:
        return from == AT_TOP ? tg_ok() : fault(reader, line, "a second document begins", "keep one");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return tg_ok();
}

static unsigned line_of_problem(const yaml_parser_t *parser, tg_slice yaml)
{
    if (parser->problem_mark.line > 0 || parser->problem_offset == 0) {
        return (unsigned)parser->problem_mark.line + 1;
    }
    unsigned line = 1; /* a fault of the encoding has an offset only */
    for (size_t i = 0; i < yaml.len && i < parser->problem_offset; i++) {
        line += yaml.ptr[i] == '\n';
    }
    return line;
}

static tg_result read_events(list_reader *reader, tg_slice yaml)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    yaml_parser_set_input_string(&parser, yaml.ptr, yaml.len);
    tg_result result = tg_ok();
    for (bool is_end = false; !is_end && tg_is_ok(result);) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            result = parser.error == YAML_MEMORY_ERROR
                         ? tg_fail(TG_ERR_MEMORY)
                         : fault(reader, line_of_problem(&parser, yaml), "this is not YAML", form);
            break;
        }
        is_end = event.type == YAML_STREAM_END_EVENT;
        result = take_event(reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return result;
}

tg_result tg_allowlist_parse(const char *path, tg_slice yaml, tg_arena *arena, tg_faults *faults,
                             tg_egress_rules *out_rules)
{
    list_reader reader = {.path = path, .arena = arena, .faults = faults};
    reader.rules = tg_arena_zalloc(arena, TG_MAX_ALLOWLIST_ENTRIES, sizeof *reader.rules);
    if (reader.rules == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(read_events(&reader, yaml));
    if (!reader.has_list) {
        return fault(&reader, 1, "there is no `allowlist`", form);
    }
    *out_rules = (tg_egress_rules){reader.rules, reader.num_rules};
    return tg_ok();
}

tg_result tg_allowlist_read(const char *path, tg_arena *arena, tg_faults *faults, tg_egress_rules *out_rules)
{
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_ALLOWLIST_BYTES);
    tg_result result = tg_file_read(path, &bytes);
    if (tg_is_ok(result)) {
        result = tg_allowlist_parse(path, tg_buf_slice(&bytes), arena, faults, out_rules);
    } else if (result.code != TG_ERR_MEMORY) {
        tg_detail *detail = tg_faults_add(faults);
        tg_detail_set_place(detail, tg_slice_str(path), 0, TG_LIT(""));
        tg_detail_set_reason(detail, "the allowlist cannot be read: %s", tg_log_error_text(result));
        result = tg_fail(TG_ERR_SYNTAX);
    }
    tg_buf_done(&bytes);
    return result;
}
