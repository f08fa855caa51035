#include "aws/xml.h"

#include "base/buf.h"
#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

/* Writes `path=text;` for leaves and `path/;` for others. */
static tg_result note(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    tg_buf *buf = owner;
    TG_TRY(tg_buf_append(buf, path));
    TG_TRY(tg_buf_append_str(buf, is_leaf ? "=" : "/"));
    TG_TRY(tg_buf_append(buf, text));
    return tg_buf_append_byte(buf, ';');
}

static tg_result read(const char *xml, tg_buf *buf)
{
    tg_buf_clear(buf);
    return tg_aws_xml_read(tg_slice_str(xml), note, buf);
}

static void read_documents_gives_leaves_and_ends_in_order(void **state)
{
    (void)state;
    static const char *const documents[][2] = {
        {"<a/>", "a=;"},
        {"<a></a>", "a=;"},
        {"<a>x</a>", "a=x;"},
        {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns=\"http://x/\" b='1'>\n <b>1</b>\n <b/>\n</a >\n",
         "a/b=1;a/b=;a/;"},
        {"<a><b><c>1</c></b><c>2</c></a>", "a/b/c=1;a/b/;a/c=2;a/;"},
        {"<a>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#xe9;\xc3\xa9</a>", "a=&<>\"'AB\xc3\xa9\xc3\xa9;"},
        {"<a> x </a>", "a= x ;"},
        {"\xef\xbb\xbf<a/>", "a=;"},
    };
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    for (size_t i = 0; i < TG_COUNT(documents); i++) {
        assert_ok(read(documents[i][0], &buf));
        tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(documents[i][1]), __FILE__, __LINE__);
    }
    tg_buf_done(&buf);
}

static void read_malformed_documents_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "x",
        "<",
        "<a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a b></a>",
        "<a b=1/>",
        "<a b=\"></a>",
        "<a b=\"<\"/>",
        "<a b=\"1\"c=\"2\"/>",
        "<1/>",
        "<-a/>",
        "<a><b></a></b>",
        "<a>x<b/></a>",
        "<a><b/>x</a>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>&#0;</a>",
        "<a>&#x110000;</a>",
        "<a>&#xd800;</a>",
        "<a>&#-1;</a>",
        "<a>&#;</a>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<a>&#xfffe;</a>",
        "<?xml version=\"1.0\"><a/>",
        "<a /b>",
        "< a/>",
        "<a>&#99999999999;</a>",
    };
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    for (size_t i = 0; i < TG_COUNT(documents); i++) {
        tg_result result = read(documents[i], &buf);
        if (result.code != TG_ERR_SYNTAX) {
            fail_msg("%s: %s", documents[i], tg_code_name(result.code));
        }
    }
    assert_code(tg_aws_xml_read(TG_LIT("<a>\0</a>"), note, &buf), TG_ERR_SYNTAX);
    tg_buf_done(&buf);
}

static void read_document_types_entities_and_comments_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<a>&b;</a>",
        "<a><!-- x --></a>",
        "<a><![CDATA[x]]></a>",
        "<a><?php x?></a>",
        "<!-- x --><a/>",
    };
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    for (size_t i = 0; i < TG_COUNT(documents); i++) {
        assert_code(read(documents[i], &buf), TG_ERR_UNSUPPORTED);
    }
    tg_buf_done(&buf);
}

static void read_every_prefix_is_refused(void **state)
{
    (void)state;
    static const char document[] = "<?xml version=\"1.0\"?><a x=\"y\"><b>t&amp;&#65;</b><c/></a>";
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    for (size_t len = 0; len < sizeof document - 1; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, document, len);
        assert_false(tg_is_ok(tg_aws_xml_read(tg_slice_of(exact, len), note, &buf)));
        free(exact);
    }
    assert_ok(read(document, &buf));
    tg_buf_done(&buf);
}

static void append_times(tg_buf *buf, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        assert_ok(tg_buf_append_str(buf, text));
    }
}

static void read_at_the_bounds_succeeds_and_one_over_is_refused(void **state)
{
    (void)state;
    tg_buf xml, notes;
    tg_buf_init(&xml, 1 << 16);
    tg_buf_init(&notes, 1 << 16);
    for (size_t over = 0; over < 2; over++) {
        tg_code expected = over > 0 ? TG_ERR_LIMIT : TG_OK;
        tg_buf_clear(&xml);
        append_times(&xml, "<a>", TG_AWS_XML_MAX_DEPTH + over);
        append_times(&xml, "</a>", TG_AWS_XML_MAX_DEPTH + over);
        assert_code(tg_aws_xml_read(tg_buf_slice(&xml), note, &notes), expected);
        tg_buf_clear(&xml);
        append_times(&xml, "<", 1);
        append_times(&xml, "a", TG_AWS_XML_MAX_PATH_BYTES + over);
        append_times(&xml, "/>", 1);
        assert_code(tg_aws_xml_read(tg_buf_slice(&xml), note, &notes), expected);
        tg_buf_clear(&xml);
        append_times(&xml, "<a>", 1);
        append_times(&xml, "x", TG_AWS_XML_MAX_TEXT_BYTES - 1 + over);
        append_times(&xml, "&lt;</a>", 1);
        assert_code(tg_aws_xml_read(tg_buf_slice(&xml), note, &notes), expected);
    }
    tg_buf_done(&xml);
    tg_buf_done(&notes);
}

static tg_result refuse(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    (void)path, (void)is_leaf, (void)text, (void)owner;
    return tg_fail(TG_ERR_MISMATCH);
}

static void read_ends_with_what_its_owner_says(void **state)
{
    (void)state;
    assert_code(tg_aws_xml_read(TG_LIT("<a><b/></a>"), refuse, NULL), TG_ERR_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_documents_gives_leaves_and_ends_in_order),
        cmocka_unit_test(read_malformed_documents_is_refused),
        cmocka_unit_test(read_document_types_entities_and_comments_is_refused),
        cmocka_unit_test(read_every_prefix_is_refused),
        cmocka_unit_test(read_at_the_bounds_succeeds_and_one_over_is_refused),
        cmocka_unit_test(read_ends_with_what_its_owner_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
