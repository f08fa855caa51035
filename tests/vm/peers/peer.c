/* tg-vm-peer: both ends of a connection for the guest's shell scripts. Static, so that a guest needs nothing else.
 *
 *   tg-vm-peer listen ADDRESS [--count N] -- COMMAND...   runs COMMAND for each connection, which is its standard
 *        input and output; PEER_CID and PEER_PORT say who came. Says `tg-vm-peer: listening` on standard error once
 *        it does. Ends with status 0 after N connections have ended.
 *   tg-vm-peer dial ADDRESS [--from-port N]   sends standard input, then ends its side, and writes what comes to
 *        standard output until the other side ends. Status 0 when both ended in order.
 *   tg-vm-peer wait ADDRESS SECONDS           until something listens there
 *   tg-vm-peer shutdown                       ends the writing side of the connection on standard output
 *   tg-vm-peer generate BYTES SEED            bytes that no two seeds and no two places share
 *   tg-vm-peer cid                            the CID of this machine
 *
 * A failed call is a line `tg-vm-peer: WHAT: REASON` and status 1; wrong usage is status 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "address.h"

enum { CHUNK_BYTES = 65536, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NO_COMMAND = 127, RETRY_MS = 50 };

static int fail(const char *what)
{
    fprintf(stderr, "tg-vm-peer: %s: %s\n", what, strerror(errno));
    return STATUS_FAILED;
}

static int fail_usage(const char *what)
{
    fprintf(stderr, "tg-vm-peer: wrong usage: %s\n", what);
    return STATUS_USAGE;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        if (done > 0) {
            bytes += done;
            len -= (size_t)done;
        }
    }
    return true;
}

static _Noreturn void serve(int fd, char **command)
{
    struct sockaddr_vm peer = {0};
    socklen_t len = sizeof peer;
    char number[32];
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.svm_family == AF_VSOCK) {
        snprintf(number, sizeof number, "%u", peer.svm_cid);
        setenv("PEER_CID", number, 1);
        snprintf(number, sizeof number, "%u", peer.svm_port);
        setenv("PEER_PORT", number, 1);
    }
    if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0) {
        signal(SIGPIPE, SIG_DFL);
        execvp(command[0], command);
    }
    fail(command[0]);
    _exit(STATUS_NO_COMMAND);
}

static int run_listen(int argc, char **argv)
{
    struct peer_address address;
    long long count = -1;
    if (argc < 1 || peer_address_parse(argv[0], &address) != 0) {
        return fail_usage("listen ADDRESS [--count N] -- COMMAND...");
    }
    int at = 1;
    if (at + 1 < argc && strcmp(argv[at], "--count") == 0) {
        count = peer_number(argv[at + 1], INT32_MAX);
        at += 2;
    }
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        return fail_usage("listen: `-- COMMAND...` is missing");
    }
    int listener = peer_listen(&address);
    if (listener < 0) {
        return fail(argv[0]);
    }
    fprintf(stderr, "tg-vm-peer: listening\n");
    long long num_live = 0;
    for (long long num_taken = 0; count < 0 || num_taken < count; num_taken++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            return fail("accept");
        }
        pid_t child = fork();
        if (child < 0) {
            return fail("fork");
        }
        if (child == 0) {
            serve(fd, argv + at + 1);
        }
        close(fd);
        num_live++;
        while (num_live > 0 && waitpid(-1, NULL, WNOHANG) > 0) {
            num_live--;
        }
    }
    close(listener);
    while (num_live > 0 && waitpid(-1, NULL, 0) > 0) {
        num_live--;
    }
    return 0;
}

/* One direction of dial: a buffer that is empty before it is filled again. */
struct flow {
    int from;
    int to;
    bool is_open;
    size_t len;
    size_t sent;
    uint8_t bytes[CHUNK_BYTES];
};

/* Moves what can be moved without waiting. False on an error. */
static bool flow_move(struct flow *flow, short from_events, short to_events)
{
    if (flow->len == 0 && flow->is_open && (from_events & (POLLIN | POLLHUP | POLLERR)) != 0) {
        ssize_t got = read(flow->from, flow->bytes, sizeof flow->bytes);
        if (got < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        flow->is_open = got > 0;
        flow->len = (size_t)got;
        flow->sent = 0;
        to_events = POLLOUT;
    }
    if (flow->sent < flow->len && (to_events & (POLLOUT | POLLHUP | POLLERR)) != 0) {
        ssize_t put = write(flow->to, flow->bytes + flow->sent, flow->len - flow->sent);
        if (put < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        flow->sent += (size_t)put;
    }
    if (flow->sent == flow->len) {
        flow->len = 0;
        flow->sent = 0;
    }
    return true;
}

static bool flow_is_done(const struct flow *flow)
{
    return !flow->is_open && flow->len == 0;
}

static int exchange(int fd)
{
    static struct flow out;
    static struct flow in;
    bool has_ended_side = false;
    out.from = STDIN_FILENO;
    out.to = fd;
    out.is_open = true;
    in.from = fd;
    in.to = STDOUT_FILENO;
    in.is_open = true;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail("fcntl");
    }
    while (!flow_is_done(&out) || !flow_is_done(&in)) {
        /* Standard output is left blocking: a script's pipe or file always drains. */
        short wanted = 0;
        wanted |= in.is_open && in.len == 0 ? POLLIN : 0;
        wanted |= out.len > 0 ? POLLOUT : 0;
        struct pollfd set[2] = {{wanted != 0 ? fd : -1, wanted, 0},
                                {out.is_open && out.len == 0 ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(set, 2, in.len > 0 ? 0 : -1) < 0 && errno != EINTR) {
            return fail("poll");
        }
        if (!flow_move(&out, set[1].revents, set[0].revents)) {
            return fail("send");
        }
        if (!flow_move(&in, set[0].revents, POLLOUT)) {
            return fail("receive");
        }
        if (flow_is_done(&out) && !has_ended_side) {
            has_ended_side = true;
            if (shutdown(fd, SHUT_WR) != 0) {
                return fail("shutdown");
            }
        }
    }
    return 0;
}

static int run_dial(int argc, char **argv)
{
    struct peer_address address;
    long long from_port = 0;
    if (argc == 3 && strcmp(argv[1], "--from-port") == 0) {
        from_port = peer_number(argv[2], UINT32_MAX - 1LL);
    }
    if ((argc != 1 && argc != 3) || from_port < 0 || peer_address_parse(argv[0], &address) != 0) {
        return fail_usage("dial ADDRESS [--from-port N]");
    }
    int fd = peer_dial(&address, (unsigned)from_port);
    return fd < 0 ? fail(argv[0]) : exchange(fd);
}

static int run_wait(int argc, char **argv)
{
    struct peer_address address;
    long long seconds = argc == 2 ? peer_number(argv[1], 3600) : -1;
    if (seconds < 0 || peer_address_parse(argv[0], &address) != 0) {
        return fail_usage("wait ADDRESS SECONDS");
    }
    for (long long left_ms = seconds * 1000;; left_ms -= RETRY_MS) {
        int fd = peer_dial(&address, 0);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (left_ms <= 0) {
            return fail(argv[0]);
        }
        nanosleep(&(struct timespec){0, RETRY_MS * 1000000L}, NULL);
    }
}

static int run_generate(int argc, char **argv)
{
    static uint64_t words[CHUNK_BYTES / sizeof(uint64_t)];
    long long left = argc == 2 ? peer_number(argv[0], INT64_MAX / 16) : -1;
    long long seed = argc == 2 ? peer_number(argv[1], INT32_MAX) : -1;
    if (left < 0 || seed < 0) {
        return fail_usage("generate BYTES SEED");
    }
    uint64_t state = (uint64_t)seed * 0x2545f4914f6cdd1du + 1; /* xorshift64: never zero */
    while (left > 0) {
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            words[i] = state;
        }
        size_t len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        if (!write_all(STDOUT_FILENO, (const uint8_t *)words, len)) {
            return fail("generate");
        }
        left -= (long long)len;
    }
    return 0;
}

static int run_cid(void)
{
    unsigned cid = 0;
    int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) != 0) {
        return fail("/dev/vsock");
    }
    printf("%u\n", cid);
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(command, "listen") == 0) {
        return run_listen(argc - 2, argv + 2);
    }
    if (strcmp(command, "dial") == 0) {
        return run_dial(argc - 2, argv + 2);
    }
    if (strcmp(command, "wait") == 0) {
        return run_wait(argc - 2, argv + 2);
    }
    if (strcmp(command, "generate") == 0) {
        return run_generate(argc - 2, argv + 2);
    }
    if (strcmp(command, "shutdown") == 0) {
        return shutdown(STDOUT_FILENO, SHUT_WR) == 0 ? 0 : fail("shutdown");
    }
    if (strcmp(command, "cid") == 0) {
        return run_cid();
    }
    return fail_usage("listen, dial, wait, shutdown, generate or cid");
}
