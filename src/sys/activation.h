/* Sockets that the service manager opened for us (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. Read
 * strictly: descriptors that are not what the variables say would be somebody else's. */
#ifndef TG_SYS_ACTIVATION_H
#define TG_SYS_ACTIVATION_H

#include "base/detail.h"

enum {
    TG_FIRST_ACTIVATED_FD = 3,
    TG_MAX_ACTIVATED = 64,
    TG_MAX_ACTIVATED_NAME_BYTES = 255 /* FileDescriptorName= of systemd.socket(5) */
};

typedef struct tg_activated {
    int fd;                                     /* -1: taken */
    char name[TG_MAX_ACTIVATED_NAME_BYTES + 1]; /* "unknown" where the manager gives no names */
} tg_activated;

typedef struct tg_activation {
    size_t num_sockets;
    tg_activated sockets[TG_MAX_ACTIVATED];
} tg_activation;

/* tg_activation_read takes the descriptors that are meant for this process: none without LISTEN_PID, or where it is
 * another's. Each is checked to be open and made FD_CLOEXEC; what kind of socket it is, tg_bound_adopt checks.
 * err   TG_ERR_SYNTAX, TG_ERR_RANGE, TG_ERR_LIMIT past TG_MAX_ACTIVATED or a name too long, TG_ERR_MISMATCH where names
 *       and sockets differ in number, TG_ERR_SYSTEM (a descriptor that is not open); detail names the variable
 * keep  the caller owns the descriptors: tg_activation_take, tg_activation_close; call it once, before others are
 * opened
 */
TG_MUST_USE tg_result tg_activation_read(const char *const *environment, tg_activation *out_activation,
                                         tg_detail *detail);

/* tg_activation_take gives the first descriptor of that name that was not taken, -1 where there is none. */
int tg_activation_take(tg_activation *activation, const char *name);

/* tg_activation_left is the name of a descriptor that nobody took, NULL where all are taken. */
const char *tg_activation_left(const tg_activation *activation);

/* tg_activation_close closes what nobody took. */
void tg_activation_close(tg_activation *activation);

#endif
