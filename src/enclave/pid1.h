/* The first process of the machine. An enclave's image holds no init: teegate-enclave is started by the kernel
 * itself (deploy/rootfs) and does what an init must, then forks: the child serves, the first process stays small, holds
 * no secret, reaps orphans, passes signals on and ends the machine when the child ends.
 *
 * The kernel's command line is the host's word on many machines, and the kernel hands its words to the first process
 * as arguments and environment. Both are dropped: arguments are none, the environment is the image's own file.
 *
 *   int main(int argc, char **argv)
 *   {
 *       tg_pid1_setup(&argc, argv);
 */
#ifndef TG_ENCLAVE_PID1_H
#define TG_ENCLAVE_PID1_H

#define TG_PID1_ENVIRONMENT_PATH "/etc/teegate/environment"
#define TG_PID1_MODULES_PATH     "/etc/teegate/modules"

/* tg_pid1_setup does nothing unless the process is number 1 and /proc is not mounted: in a container the runtime has
 * mounted it, and arguments and environment are the image's. Otherwise, in this order: /dev mounted, standard output
 * and error on the console, /proc, /sys, /run, /tmp mounted, the environment read, modules loaded, `lo` up, the sign of
 * life sent where the machine is a Nitro enclave, random numbers waited for; then it forks and returns in the child,
 * with *argc 1. err   a step that fails is logged and ends the machine: half an init must not serve keep  call it first
 * in main, before any thread, descriptor or library is started
 */
void tg_pid1_setup(int *argc, char **argv);

#endif
