#include "attest/nsm.h"

#include "attest/nsm_message.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* The kernel's struct nsm_raw; Debian 12's headers do not have it yet, later ones do. */
typedef struct nsm_part {
    uint64_t address;
    uint64_t len;
} nsm_part;
typedef struct nsm_exchange {
    nsm_part request;
    nsm_part answer; /* len: in, what there is room for; out, what was written */
} nsm_exchange;
#define NSM_EXCHANGE _IOWR(0x0A, 0x0, nsm_exchange)
_Static_assert(sizeof(nsm_exchange) == 32 && offsetof(nsm_exchange, answer) == 16 && offsetof(nsm_part, len) == 8,
               "four numbers of 64 bits, as the kernel reads them");
_Static_assert(NSM_EXCHANGE == 0xC0200A00, "the number that the kernel's header gives");
#if __has_include(<linux/nsm.h>)
#include <linux/nsm.h>
_Static_assert(NSM_IOCTL_RAW == NSM_EXCHANGE && sizeof(struct nsm_raw) == sizeof(nsm_exchange) &&
                   offsetof(struct nsm_raw, response) == offsetof(nsm_exchange, answer) &&
                   offsetof(struct nsm_iovec, len) == offsetof(nsm_part, len) &&
                   NSM_REQUEST_MAX_SIZE == TG_MAX_NSM_REQUEST_BYTES && NSM_RESPONSE_MAX_SIZE == TG_MAX_NSM_ANSWER_BYTES,
               "the kernel's header and ours");
#endif

typedef struct nsm {
    tg_attest_device device; /* first */
    tg_ioctl_fn *call;
    int fd;
} nsm;

static int call_kernel(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

/* One request and its answer: in buffers of the call's own, so that threads do not meet. */
typedef struct talk {
    tg_buf request;
    tg_buf answer; /* wiped: it may hold what the kernel's generator is fed with */
} talk;

static void talk_init(talk *self)
{
    tg_buf_init(&self->request, TG_MAX_NSM_REQUEST_BYTES);
    tg_buf_init_wiped(&self->answer, TG_MAX_NSM_ANSWER_BYTES);
}

static void talk_done(talk *self)
{
    tg_buf_done(&self->request);
    tg_buf_done(&self->answer);
}

static tg_result refuse_call(int error, tg_detail *detail)
{
    tg_detail_set_place(detail, TG_LIT(TG_NSM_PATH), 0, (tg_slice){NULL, 0});
    tg_detail_set_reason(detail, "the device refused the call: %s", tg_log_error_text(tg_fail_os(error)));
    if (error == EPERM || error == EACCES) {
        tg_detail_set_remedy(detail, "run it with CAP_SYS_ADMIN, which the kernel asks for");
    }
    return tg_fail_os(error);
}

static tg_result exchange(nsm *self, talk *with, tg_detail *detail)
{
    uint8_t *room = NULL;
    TG_TRY(tg_buf_reserve(&with->answer, TG_MAX_NSM_ANSWER_BYTES, &room));
    tg_slice request = tg_buf_slice(&with->request);
    nsm_exchange message = {.request = {(uintptr_t)request.ptr, request.len},
                            .answer = {(uintptr_t)room, TG_MAX_NSM_ANSWER_BYTES}};
    int status = -1;
    do {
        status = self->call(self->fd, NSM_EXCHANGE, &message);
    } while (status != 0 && errno == EINTR);
    if (status != 0) {
        return refuse_call(errno, detail);
    }
    if (message.answer.len > TG_MAX_NSM_ANSWER_BYTES) {
        return refuse_call(EMSGSIZE, detail);
    }
    tg_buf_commit(&with->answer, (size_t)message.answer.len);
    return tg_ok();
}

/* Sends what `put` wrote, and reads the answer to `name`, whose slices live until talk_done. */
static tg_result ask(nsm *self, talk *with, tg_result put, const char *name, tg_nsm_answer *out_answer,
                     tg_detail *detail)
{
    TG_TRY(put);
    TG_TRY(exchange(self, with, detail));
    return tg_nsm_answer_parse(tg_buf_slice(&with->answer), name, out_answer, detail);
}

static tg_result nsm_attest(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                            tg_detail *detail)
{
    talk with;
    tg_nsm_answer answer;
    talk_init(&with);
    tg_result done =
        ask((nsm *)device, &with, tg_nsm_put_attestation(&with.request, request), "Attestation", &answer, detail);
    if (tg_is_ok(done)) {
        done = tg_buf_append(out_document, answer.document);
    }
    talk_done(&with);
    return done;
}

/* The module gives up to 256 bytes at a time, and never none. */
static tg_result take_random(nsm *self, uint8_t *out, size_t len, size_t *out_taken, tg_detail *detail)
{
    talk with;
    tg_nsm_answer answer;
    talk_init(&with);
    tg_result done = ask(self, &with, tg_nsm_put_get_random(&with.request), "GetRandom", &answer, detail);
    if (tg_is_ok(done) && answer.random.len == 0) {
        tg_detail_set_reason(detail, "the security module gave no random bytes");
        done = tg_fail(TG_ERR_LIBRARY);
    }
    if (tg_is_ok(done)) {
        *out_taken = answer.random.len < len ? answer.random.len : len;
        memcpy(out, answer.random.ptr, *out_taken);
    }
    talk_done(&with);
    return done;
}

static tg_result nsm_random(tg_attest_device *device, uint8_t *out, size_t len, tg_detail *detail)
{
    for (size_t at = 0; at < len;) {
        size_t taken = 0;
        TG_TRY(take_random((nsm *)device, out + at, len - at, &taken, detail));
        at += taken;
    }
    return tg_ok();
}

static tg_result copy_value(tg_slice data, uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail)
{
    if (data.len != TG_ATTEST_PCR_BYTES) {
        tg_detail_set_reason(detail, "the security module's register is not of 48 bytes");
        return tg_fail(TG_ERR_RANGE);
    }
    memcpy(out_value, data.ptr, TG_ATTEST_PCR_BYTES);
    return tg_ok();
}

static tg_result nsm_describe_pcr(tg_attest_device *device, unsigned index, tg_attest_pcr *out_pcr, tg_detail *detail)
{
    talk with;
    tg_nsm_answer answer;
    talk_init(&with);
    tg_result done =
        ask((nsm *)device, &with, tg_nsm_put_pcr(&with.request, "DescribePCR", index), "DescribePCR", &answer, detail);
    if (tg_is_ok(done)) {
        done = copy_value(answer.data, out_pcr->value, detail);
        out_pcr->is_locked = answer.is_locked;
    }
    talk_done(&with);
    return done;
}

static tg_result nsm_extend_pcr(tg_attest_device *device, unsigned index, tg_slice bytes,
                                uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail)
{
    talk with;
    tg_nsm_answer answer;
    talk_init(&with);
    tg_result done =
        ask((nsm *)device, &with, tg_nsm_put_extend_pcr(&with.request, index, bytes), "ExtendPCR", &answer, detail);
    if (tg_is_ok(done)) {
        done = copy_value(answer.data, out_value, detail);
    }
    talk_done(&with);
    return done;
}

static tg_result nsm_lock_pcr(tg_attest_device *device, unsigned index, tg_detail *detail)
{
    talk with;
    tg_nsm_answer answer;
    talk_init(&with);
    tg_result done =
        ask((nsm *)device, &with, tg_nsm_put_pcr(&with.request, "LockPCR", index), "LockPCR", &answer, detail);
    talk_done(&with);
    return done;
}

static void nsm_close(tg_attest_device *device)
{
    nsm *self = (nsm *)device;
    tg_fd_close(&self->fd);
    free(self);
}

static const tg_attest_device_calls calls = {.name = "nsm",
                                             .attest = nsm_attest,
                                             .random = nsm_random,
                                             .describe_pcr = nsm_describe_pcr,
                                             .extend_pcr = nsm_extend_pcr,
                                             .lock_pcr = nsm_lock_pcr,
                                             .close = nsm_close};

tg_result tg_nsm_open(const char *path, tg_ioctl_fn *call, tg_attest_device **out_device, tg_detail *detail)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        tg_result why = errno == ENOENT ? tg_fail(TG_ERR_NOT_FOUND) : tg_fail_os(errno);
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "the security module cannot be opened: %s", tg_log_error_text(why));
        tg_detail_set_remedy(detail, "run it in a Nitro enclave whose kernel has the nsm driver");
        return why;
    }
    nsm *self = calloc(1, sizeof *self);
    if (self == NULL) {
        tg_fd_close(&fd);
        return tg_fail(TG_ERR_MEMORY);
    }
    *self = (nsm){.device = {&calls}, .call = call != NULL ? call : call_kernel, .fd = fd};
    *out_device = &self->device;
    return tg_ok();
}

/* struct rand_pool_info and its bytes, which the kernel wants behind it. */
typedef struct entropy {
    struct {
        int num_bits;
        int num_bytes;
    } head;
    uint8_t bytes[TG_MAX_ENTROPY_BYTES];
} entropy;
_Static_assert(offsetof(struct rand_pool_info, buf_size) == offsetof(entropy, head.num_bytes) &&
                   offsetof(struct rand_pool_info, buf) == offsetof(entropy, bytes),
               "as the kernel reads it");

tg_result tg_entropy_credit(tg_attest_device *device, size_t len, const char *random_path, tg_ioctl_fn *call,
                            tg_detail *detail)
{
    if (len == 0 || len > TG_MAX_ENTROPY_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    entropy pool = {.head = {(int)len * 8, (int)len}};
    TG_TRY(tg_attest_random(device, pool.bytes, len, detail));
    int fd TG_CLEANUP(tg_fd_close) = open(random_path, O_RDWR | O_CLOEXEC);
    int status = fd < 0 ? -1 : (call != NULL ? call : call_kernel)(fd, RNDADDENTROPY, &pool);
    int error = errno;
    tg_wipe(&pool, sizeof pool);
    if (status != 0) {
        tg_detail_set_place(detail, tg_slice_str(random_path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "the kernel did not take the device's random bytes as entropy: %s",
                             tg_log_error_text(tg_fail_os(error)));
        return tg_fail_os(error);
    }
    return tg_ok();
}
