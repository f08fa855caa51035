/* A whole proxy in a thread of the test: its clients, and the enclaves that it dials, are blocking sockets of the test
 * in the test's folder. Included by one test program at a time. */
#ifndef TG_TESTS_UNIT_PROXY_SERVED_H
#define TG_TESTS_UNIT_PROXY_SERVED_H

#include "proxy/proxy.h"
#include "support/case.h"
#include "support/folder.h"
#include "support/logged.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { SERVED_PATIENCE_S = 20 };

typedef struct served {
    tg_proxy_options options;
    tg_proxy *proxy;
    pthread_t thread;
    tg_result result;
    bool is_running;
} served;

static served host;

/* Writes the configuration; each `@` in it stands for the test's folder. */
static inline void served_write(const char *json)
{
    static char text[16384];
    size_t len = 0;
    for (const char *c = json; *c != 0; c++) {
        int added = *c == '@' ? snprintf(text + len, sizeof text - len, "%s", tg_test_folder())
                              : snprintf(text + len, sizeof text - len, "%c", *c);
        len += (size_t)added;
        assert_true(len < sizeof text);
    }
    tg_test_write_file("proxy.json", tg_slice_of(text, len));
}

static inline void *served_run(void *argument)
{
    (void)argument;
    host.result = tg_proxy_run(host.proxy);
    return NULL;
}

/* Makes the proxy of the file that was written; options beyond the path are set before. */
static inline tg_result served_make(tg_faults *faults)
{
    static char path[128];
    tg_proxy_config *config = NULL;
    snprintf(path, sizeof path, "%s", tg_test_path("proxy.json"));
    host.options.config_path = path;
    host.options.num_workers = host.options.num_workers > 0 ? host.options.num_workers : 1;
    TG_TRY(tg_proxy_config_read(path, host.options.environment, faults, &config));
    tg_result result = tg_proxy_new(&host.options, config, faults, &host.proxy);
    tg_proxy_config_unref(config);
    return result;
}

static inline void served_start(const char *json)
{
    tg_faults faults;
    tg_faults_init(&faults);
    served_write(json);
    tg_result result = served_make(&faults);
    if (!tg_is_ok(result)) {
        fail_msg("%s: %s", tg_code_name(result.code), faults.num_faults > 0 ? faults.faults[0].reason : "");
    }
    tg_faults_done(&faults);
    assert_int_equal(pthread_create(&host.thread, NULL, served_run, NULL), 0);
    host.is_running = true;
    assert_true(tg_test_log_says("\"event\":\"started\""));
}

static inline void served_join(void)
{
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    host.is_running = false;
    tg_proxy_free(host.proxy);
    host.proxy = NULL;
    assert_ok(host.result);
}

static inline void served_stop(void)
{
    if (host.is_running) {
        kill(getpid(), SIGTERM);
        served_join();
    }
}

/* Reads the file again, and waits until that is said to be done: `event` is reloaded, or reload failed. */
static inline void served_reload(const char *json, const char *event)
{
    char part[64];
    served_write(json);
    tg_test_log_forget();
    kill(getpid(), SIGHUP);
    snprintf(part, sizeof part, "\"event\":\"%s\"", event);
    if (!tg_test_log_says(part)) {
        fail_msg("no %s in: %s", part, tg_test_log());
    }
}

static inline void served_unix(const char *name, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s", tg_test_path(name));
}

static inline void served_set_patience(int fd)
{
    const struct timeval patience = {.tv_sec = SERVED_PATIENCE_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
}

/* A client at one of the proxy's sockets. */
static inline int served_connect(const char *name)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    served_unix(name, &address);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    served_set_patience(fd);
    return fd;
}

/* An enclave's socket, and a connection that the proxy made to it. */
static inline int served_listen(const char *name)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    served_unix(name, &address);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    served_set_patience(fd);
    return fd;
}

static inline int served_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    served_set_patience(fd);
    return fd;
}

static inline void served_send(int fd, tg_slice bytes)
{
    assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static inline void served_say(int fd, const char *text)
{
    served_send(fd, tg_slice_str(text));
}

/* The next bytes are these, exactly. */
static inline void assert_hears(int fd, const char *expected)
{
    char got[4096];
    size_t len = 0, wanted = strlen(expected);
    assert_true(wanted < sizeof got);
    while (len < wanted) {
        ssize_t one = recv(fd, got + len, wanted - len, 0);
        if (one <= 0) {
            fail_msg("%s instead of the rest of: %s", one == 0 ? "the end" : strerror(errno), expected + len);
        }
        len += (size_t)one;
    }
    got[len] = 0;
    assert_string_equal(got, expected);
}

/* Everything up to the end; the text holds until the next call. */
static inline const char *served_rest(int fd)
{
    static char text[65536];
    size_t len = 0;
    ssize_t one;
    while (len < sizeof text - 1 && (one = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0) {
        len += (size_t)one;
    }
    text[len] = 0;
    return text;
}

static inline void assert_ends(int fd)
{
    assert_string_equal(served_rest(fd), "");
}

#endif
