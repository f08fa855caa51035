#include "base/num.h"
#include "sys/clock.h"
#include "tool/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* dev: teegate-enclave in local mode, as a child that gets the signals of its parent. */

enum { START_MS = 10000, POLL_MS = 50, DEFAULT_PORT = 8443, NOT_FOUND = 127 };

static volatile sig_atomic_t child_pid;

static void forward(int signal_number)
{
    int saved = errno;
    if (child_pid > 0) {
        kill(child_pid, signal_number);
    }
    errno = saved;
}

/* The folder that this program's own file stands in, with its slash. */
static bool own_folder(char *out, size_t cap)
{
    ssize_t len = readlink("/proc/self/exe", out, cap - 1);
    if (len <= 0) {
        return false;
    }
    out[len] = 0;
    char *slash = strrchr(out, '/');
    if (slash != NULL) {
        slash[1] = 0;
    }
    return slash != NULL;
}

/* The enclave's program beside this one; without one there, the name alone, for PATH. */
static void find_enclave(char *out, size_t cap)
{
    char folder[PATH_MAX];
    if (own_folder(folder, sizeof folder) && (size_t)snprintf(out, cap, "%steegate-enclave", folder) < cap &&
        access(out, X_OK) == 0) {
        return;
    }
    snprintf(out, cap, "teegate-enclave");
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* examples/schemas of the working folder, else of the source tree or the installation that this program stands in. */
static const char *find_schemas(char *out, size_t cap)
{
    static const char *const places[] = {"../../examples/schemas", "../share/teegate/examples/schemas"};
    if (is_folder("examples/schemas")) {
        return "examples/schemas";
    }
    char folder[PATH_MAX];
    for (size_t i = 0; i < TG_COUNT(places) && own_folder(folder, sizeof folder); i++) {
        if ((size_t)snprintf(out, cap, "%s%s", folder, places[i]) < cap && is_folder(out)) {
            return out;
        }
    }
    return NULL;
}

static bool is_answering(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_connected;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* Waits until the child serves, or ends. *out_status is its exit status where it ended. */
static bool wait_until_ready(pid_t pid, uint16_t port, int *out_status)
{
    const struct timespec pause = {0, POLL_MS * 1000000L};
    for (uint64_t until = tg_clock_monotonic_ms() + START_MS; tg_clock_monotonic_ms() < until;) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            *out_status = exit_status(status);
            return false;
        }
        if (is_answering(port)) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static int wait_for_end(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) != pid) {
        if (errno != EINTR) {
            return TG_EXIT_CANNOT;
        }
    }
    return exit_status(status);
}

static int show_way_in(uint16_t port, tg_console *console)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "teegate-enclave serves on https://127.0.0.1:%u (self-signed, so -k); try:\n\n"
                       "  curl -k https://127.0.0.1:%u/encrypt -H 'X-Schema-Name: payments' \\\n"
                       "    -H 'Content-Type: application/json' -d '{\"card\":{\"holder\":\"Ada Thorne\"}}'\n\n",
                       port, port);
    return tg_console_write(console, tg_slice_of(text, (size_t)len));
}

/* The environment of this process with `first` before it: of two the first counts. NULL without memory. */
static char **extend_environment(char *const *first, size_t num_first)
{
    size_t num_inherited = 0;
    while (environ[num_inherited] != NULL) {
        num_inherited++;
    }
    char **extended = calloc(num_first + num_inherited + 1, sizeof *extended);
    if (extended != NULL) {
        memcpy(extended, first, num_first * sizeof *extended);
        memcpy(extended + num_first, environ, num_inherited * sizeof *extended);
    }
    return extended;
}

/* What the child becomes, made ready before the fork. */
typedef struct launch {
    char program[PATH_MAX];
    char variables[3][PATH_MAX + 16]; /* LISTEN_ADDRESS, then what else the options say */
    char **environment;
} launch;

static int prepare(const tg_invocation *invocation, uint16_t port, launch *out, tg_console *console)
{
    static char found[PATH_MAX];
    const char *schema_dir = tg_invocation_value(invocation, "schema-dir");
    const char *dek_file = tg_invocation_value(invocation, "dek-file");
    if (schema_dir == NULL && getenv("SCHEMA_DIR") == NULL) {
        schema_dir = find_schemas(found, sizeof found);
    }
    char *first[3] = {out->variables[0]};
    size_t num_first = 1;
    snprintf(out->variables[0], sizeof out->variables[0], "LISTEN_ADDRESS=tcp:127.0.0.1:%u", port);
    if (schema_dir != NULL) {
        first[num_first] = out->variables[num_first];
        snprintf(out->variables[num_first++], sizeof out->variables[0], "SCHEMA_DIR=%s", schema_dir);
    }
    if (dek_file != NULL) {
        first[num_first] = out->variables[num_first];
        snprintf(out->variables[num_first++], sizeof out->variables[0], "DEK_FILE=%s", dek_file);
    }
    find_enclave(out->program, sizeof out->program);
    out->environment = extend_environment(first, num_first);
    return out->environment != NULL ? TG_EXIT_OK
                                    : tg_console_fail_result(console, "the enclave", tg_fail(TG_ERR_MEMORY));
}

/* A terminal's Ctrl-C reaches the whole group: the child hears it twice then, which it takes as one. */
static void forward_signals(void)
{
    static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = forward};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < TG_COUNT(forwarded); i++) {
        sigaction(forwarded[i], &action, NULL);
    }
}

static void become_enclave(const launch *it, pid_t parent)
{
    static char name[] = "teegate-enclave", mode[] = "--local-mode";
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) {
        execvpe(it->program, (char *const[]){name, mode, NULL}, it->environment);
    }
    _exit(NOT_FOUND);
}

/* No signal is lost between the fork and the handlers: they wait meanwhile. */
static pid_t start_enclave(const launch *it)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        become_enclave(it, parent);
    }
    if (pid > 0) {
        child_pid = pid;
        forward_signals();
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static int run_enclave(const launch *it, uint16_t port, tg_console *console)
{
    pid_t pid = start_enclave(it);
    if (pid < 0) {
        return tg_console_fail_result(console, "the enclave cannot be started", tg_fail_os(errno));
    }
    int status = 0;
    if (!wait_until_ready(pid, port, &status)) {
        return status == NOT_FOUND
                   ? tg_console_fail_text(console, "teegate-enclave stands neither beside this program nor in PATH")
                   : tg_console_fail_text(console, "teegate-enclave ended at once, with status %d", status);
    }
    status = show_way_in(port, console);
    int ended = wait_for_end(pid);
    return status != TG_EXIT_OK ? status : ended;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    const char *text = tg_invocation_value(invocation, "port");
    uint64_t port = DEFAULT_PORT;
    if (text != NULL && (!tg_is_ok(tg_num_parse_u64(tg_slice_str(text), 65535, &port)) || port == 0)) {
        return tg_console_fail_text(console, "--port takes 1 to 65535, not \"%.32s\"", text);
    }
    if (is_answering((uint16_t)port)) {
        return tg_console_fail_text(console, "something serves on 127.0.0.1:%u already: name another --port",
                                    (unsigned)port);
    }
    launch it = {.environment = NULL};
    int status = prepare(invocation, (uint16_t)port, &it, console);
    if (status == TG_EXIT_OK) {
        status = run_enclave(&it, (uint16_t)port, console);
    }
    free(it.environment);
    return status;
}

static const tg_option options[] = {
    {.name = "port", .letter = 'p', .argument = "PORT", .help = "of 127.0.0.1 [8443]"},
    {.name = "schema-dir",
     .argument = "FOLDER",
     .completes = TG_COMPLETES_FOLDERS,
     .help = "OpenAPI files [examples/schemas]"},
    {.name = "dek-file",
     .letter = 'k',
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "the data key [a random one, gone at the end]"},
};

const tg_command tg_dev_command = {
    .name = "dev",
    .summary = "Run an enclave in local mode and say how to reach it.",
    .description =
        "Starts the teegate-enclave that stands beside this program (or in PATH), prints a curl line that works,\n"
        "and hands signals on: Ctrl-C drains it. Other settings pass by the environment. Its status is this\n"
        "command's.",
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  teegate dev --port 9443 --dek-file dev.dek",
    .run = run,
};
