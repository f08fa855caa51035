/* The Nitro Secure Module of a Nitro enclave: /dev/nsm, spoken to by one ioctl (the kernel's linux/nsm.h, 6.8). */
#ifndef TG_ATTEST_NSM_H
#define TG_ATTEST_NSM_H

#include "attest/device.h"

#define TG_NSM_PATH "/dev/nsm"

/* As ioctl(2): 0, or -1 with errno. Tests give one of their own, as Debian 12's kernel has no such driver. */
typedef int tg_ioctl_fn(int fd, unsigned long request, void *argument);

/* tg_nsm_open opens the device.
 * in    path: TG_NSM_PATH; call: NULL for the kernel's
 * err   TG_ERR_NOT_FOUND where there is none, TG_ERR_SYSTEM, TG_ERR_MEMORY; detail says what to do
 * keep  ended with tg_attest_device_close
 */
TG_MUST_USE tg_result tg_nsm_open(const char *path, tg_ioctl_fn *call, tg_attest_device **out_device,
                                  tg_detail *detail);

/* tg_entropy_credit gives `len` bytes of the device's generator (1 to TG_MAX_ENTROPY_BYTES) to the kernel's, and counts
 * them as entropy (RNDADDENTROPY, random(4)): an enclave that has just begun has hardly any of its own.
 * in    random_path: /dev/random; call: NULL for the kernel's
 * err   what the device says; TG_ERR_SYSTEM (EPERM: CAP_SYS_ADMIN is needed); TG_ERR_RANGE
 */
enum { TG_MAX_ENTROPY_BYTES = 512 };
TG_MUST_USE tg_result tg_entropy_credit(tg_attest_device *device, size_t len, const char *random_path,
                                        tg_ioctl_fn *call, tg_detail *detail);

#endif
