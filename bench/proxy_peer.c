/* room: sys
 * Both ends of the benchmark of proxies: a server that does what the bytes behind a ClientHello tell it, and a client.
 *   proxy_peer serve PORT                    prints `ready`
 *   proxy_peer upload|download PORT MIB      one stream; prints the seconds that it took
 *   proxy_peer connect PORT COUNT            one short connection after another; prints seconds
 *   proxy_peer idle PORT COUNT               holds them until its input ends; prints `ready COUNT`
 * Each connection begins with the file of HELLO (environment), then a command: `U`, `P`, `I`, or `D` and 8 bytes of
 * length.
 */
#include "base/num.h"
#include "base/result.h"
#include "sys/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 262144, COMMAND_BYTES = 9, MAX_FDS = 65536, RECORD_HEAD = 5 };

static uint8_t chunk[CHUNK];
static uint8_t hello[16384 + COMMAND_BYTES];
static size_t hello_len;

typedef struct served {
    uint8_t head[COMMAND_BYTES];
    uint32_t num_seen; /* bytes of hello and command */
    uint32_t hello_len;
    uint64_t left; /* to be sent, or to come */
    char command;
} served;

static served *peers[MAX_FDS];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "proxy_peer: %s: error %d\n", what, errno);
    exit(1);
}

static uint64_t number(const char *text)
{
    uint64_t value;
    if (!tg_is_ok(tg_num_parse_u64(tg_slice_str(text), UINT32_MAX, &value))) {
        die(text);
    }
    return value;
}

static struct sockaddr_in at(const char *port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void end(int fd)
{
    free(peers[fd]);
    peers[fd] = NULL;
    close(fd);
}

static void send_more(int fd, served *peer)
{
    while (peer->left > 0) {
        ssize_t sent = write(fd, chunk, peer->left < CHUNK ? (size_t)peer->left : CHUNK);
        if (sent < 0) {
            if (errno != EAGAIN) {
                end(fd);
            }
            return;
        }
        peer->left -= (uint64_t)sent;
    }
    end(fd);
}

/* What a command asks for as soon as it is whole. */
static void begin(int fd, served *peer)
{
    peer->command = (char)peer->head[0];
    for (size_t i = 1; i < COMMAND_BYTES; i++) {
        peer->left = peer->left << 8 | peer->head[i];
    }
    if (peer->command == 'P') {
        (void)!write(fd, "p", 1);
        end(fd);
    } else if (peer->command == 'D') {
        send_more(fd, peer);
    }
}

static size_t take_head(served *peer, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    for (; at < len && peer->command == 0; at++, peer->num_seen++) {
        if (peer->num_seen < RECORD_HEAD) {
            peer->hello_len = peer->num_seen == 3   ? (uint32_t)bytes[at] << 8
                              : peer->num_seen == 4 ? (peer->hello_len | bytes[at]) + RECORD_HEAD
                                                    : UINT32_MAX;
        } else if (peer->num_seen >= peer->hello_len) {
            uint32_t index = peer->num_seen - peer->hello_len;
            peer->head[index] = bytes[at];
            if (index == COMMAND_BYTES - 1) {
                peer->command = '?';
            }
        }
    }
    return at;
}

static void receive(int fd, served *peer)
{
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            end(fd);
            return;
        }
        size_t at = take_head(peer, chunk, (size_t)got);
        if (peer->command == '?') {
            begin(fd, peer);
            if (peers[fd] == NULL || peer->command == 'D') {
                return;
            }
        }
        if (peer->command == 'U') { /* the answer does not wait for an end: not every proxy keeps a half-close */
            peer->left -= tg_size_min((size_t)peer->left, (size_t)got - at);
            if (peer->left == 0) {
                (void)!write(fd, "u", 1);
                end(fd);
                return;
            }
        }
    }
}

static _Noreturn void serve(const char *port)
{
    static const int on = 1;
    struct sockaddr_in address = at(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)(void *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) {
        die("listen");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int num = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < num; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                if (peers[fd] != NULL && (events[i].events & (EPOLLIN | EPOLLHUP)) != 0 && peers[fd]->command != 'D') {
                    receive(fd, peers[fd]);
                }
                if (peers[fd] != NULL && peers[fd]->command == 'D') {
                    send_more(fd, peers[fd]);
                }
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                peers[fd] = calloc(1, sizeof *peers[fd]);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}

static int dial(const char *port, char command, uint64_t length)
{
    static const int on = 1;
    struct sockaddr_in address = at(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&address, sizeof address) != 0) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    uint8_t *tail = hello + hello_len;
    tail[0] = (uint8_t)command;
    for (size_t i = 1; i < COMMAND_BYTES; i++) {
        tail[i] = (uint8_t)(length >> (8 * (COMMAND_BYTES - 1 - i)));
    }
    if (write(fd, hello, hello_len + COMMAND_BYTES) != (ssize_t)(hello_len + COMMAND_BYTES)) {
        die("hello");
    }
    return fd;
}

static uint64_t read_to_end(int fd)
{
    uint64_t total = 0;
    ssize_t got;
    while ((got = read(fd, chunk, CHUNK)) > 0) {
        total += (uint64_t)got;
    }
    return total;
}

static void carry(const char *port, bool is_upload, uint64_t length)
{
    int fd = dial(port, is_upload ? 'U' : 'D', length);
    for (uint64_t left = is_upload ? length : 0; left > 0;) {
        ssize_t sent = write(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);
        if (sent <= 0) {
            die("write");
        }
        left -= (uint64_t)sent;
    }
    if (read_to_end(fd) != (is_upload ? 1 : length)) {
        die("bytes are missing");
    }
    close(fd);
}

static void hold(const char *port, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)dial(port, 'I', 0);
    }
    printf("ready %llu\n", (unsigned long long)count);
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MAX_FDS ? files.rlim_max : MAX_FDS;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve(argv[2]);
    }
    const char *path = getenv("HELLO");
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;
    if (argc != 4 || file == NULL || (hello_len = fread(hello, 1, sizeof hello - COMMAND_BYTES, file)) == 0) {
        die("usage: serve PORT, or upload, download, connect, idle PORT NUMBER with HELLO in the environment");
    }
    uint64_t count = number(argv[3]), begin_ns = tg_clock_monotonic_ns();
    if (strcmp(argv[1], "idle") == 0) {
        hold(argv[2], count);
        return 0;
    }
    if (strcmp(argv[1], "connect") == 0) {
        for (uint64_t i = 0; i < count; i++) {
            int fd = dial(argv[2], 'P', 0);
            if (read_to_end(fd) != 1) {
                die("no answer");
            }
            close(fd);
        }
    } else {
        carry(argv[2], strcmp(argv[1], "upload") == 0, count << 20);
    }
    printf("%.3f\n", (double)(tg_clock_monotonic_ns() - begin_ns) / 1e9);
    return 0;
}
