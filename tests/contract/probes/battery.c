// SPDX-License-Identifier: Apache-2.0
// Tries what a slot must not do, each attempt in a child of its own, and prints one line an attempt: NAME RESULT, where
// RESULT is ok, the errno's name, or SIGn. The test holds the table of what is expected.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef long (*Attempt)(void);
#define TRY(name, expression) \
  static long try_##name(void) { return (long)(expression); }

static struct timespec then = {1, 0};
static char stack[65536] __attribute__((aligned(16)));
static int nothing(void* unused) { (void)unused; return 0; }
static long namespace_clone(int flags) { return clone(nothing, stack + sizeof stack, flags | SIGCHLD, NULL); }

TRY(mount, mount("none", "/mnt", "tmpfs", 0, NULL))
TRY(umount, umount2("/tmp", MNT_DETACH))
TRY(pivot_root, syscall(SYS_pivot_root, ".", "."))
TRY(fsopen, syscall(430, "tmpfs", 0))
TRY(fsconfig, syscall(431, -1, 0, NULL, NULL, 0))
TRY(fsmount, syscall(432, -1, 0, 0))
TRY(fspick, syscall(433, -1, "/", 0))
TRY(open_tree, syscall(428, AT_FDCWD, "/", 1))
TRY(move_mount, syscall(429, -1, "", -1, "", 0))
TRY(mount_setattr, syscall(442, -1, "", 0, NULL, 0))
TRY(unshare_user, unshare(CLONE_NEWUSER))
TRY(unshare_mount, unshare(CLONE_NEWNS))
TRY(unshare_net, unshare(CLONE_NEWNET))
TRY(setns, setns(open("/proc/self/ns/mnt", O_RDONLY), 0))
TRY(clone_user, namespace_clone(CLONE_NEWUSER))
TRY(clone_user_mount, namespace_clone(CLONE_NEWUSER | CLONE_NEWNS))
TRY(clone_mount, namespace_clone(CLONE_NEWNS))
TRY(clone_pid, namespace_clone(CLONE_NEWPID))
TRY(clone_net, namespace_clone(CLONE_NEWNET))
TRY(clone_uts, namespace_clone(CLONE_NEWUTS))
TRY(clone3, syscall(435, NULL, 0))
TRY(chroot_escape, syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0))
TRY(bpf, syscall(SYS_bpf, 0, NULL, 0))
TRY(perf_event_open, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
TRY(userfaultfd, syscall(SYS_userfaultfd, 0))
TRY(io_uring_setup, syscall(425, 1, NULL))
TRY(io_uring_enter, syscall(426, -1, 0, 0, 0, NULL, 0))
TRY(io_uring_register, syscall(427, -1, 0, NULL, 0))
TRY(keyctl, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1))
TRY(add_key, syscall(SYS_add_key, "user", "k", "v", 1, KEY_SPEC_USER_KEYRING))
TRY(request_key, syscall(SYS_request_key, "user", "k", NULL, 0))
TRY(kexec_load, syscall(SYS_kexec_load, 0, 0, NULL, 0))
TRY(kexec_file_load, syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0))
TRY(init_module, syscall(SYS_init_module, NULL, 0, ""))
TRY(finit_module, syscall(SYS_finit_module, -1, "", 0))
TRY(delete_module, syscall(SYS_delete_module, "x", 0))
TRY(clock_settime, clock_settime(CLOCK_REALTIME, &then))
TRY(settimeofday, syscall(SYS_settimeofday, NULL, NULL))
TRY(quotactl, syscall(SYS_quotactl, 0, "/dev/x", 0, NULL))
TRY(swapon, syscall(SYS_swapon, "/dev/x", 0))
TRY(reboot, syscall(SYS_reboot, 0, 0, 0, NULL))
TRY(acct, syscall(SYS_acct, NULL))
TRY(syslog, syscall(SYS_syslog, 3, stack, sizeof stack))
TRY(fanotify_init, syscall(SYS_fanotify_init, 0, 0))
TRY(mbind, syscall(SYS_mbind, stack, 4096, 0, NULL, 0, 0))
TRY(iopl, syscall(SYS_iopl, 3))
TRY(ptrace_init, ptrace(PTRACE_ATTACH, 1, NULL, NULL))
TRY(socket_packet, socket(AF_PACKET, SOCK_RAW, 0))
TRY(socket_alg, socket(38, SOCK_SEQPACKET, 0))
TRY(socket_vsock, socket(40, SOCK_STREAM, 0))
TRY(socket_bluetooth, socket(31, SOCK_RAW, 0))
TRY(socket_can, socket(29, SOCK_RAW, 1))
TRY(socket_vsock_high_bits, syscall(SYS_socket, 0x100000000L + 40, SOCK_STREAM, 0))
TRY(socket_raw, socket(AF_INET, SOCK_RAW, 1))
TRY(socket_unix, socket(AF_UNIX, SOCK_STREAM, 0))
TRY(socket_inet, socket(AF_INET, SOCK_STREAM, 0))
TRY(socket_inet6, socket(AF_INET6, SOCK_STREAM, 0))
TRY(tiocsti, ioctl(0, TIOCSTI, "x"))
TRY(tiocsti_high_bits, syscall(SYS_ioctl, 0, 0xffffffff00000000L | TIOCSTI, "x"))
TRY(tioclinux, ioctl(0, TIOCLINUX, "x"))
TRY(mknod_char, mknod("/workspace/dev", S_IFCHR | 0666, makedev(1, 1)))
TRY(mknod_block, mknod("/workspace/blk", S_IFBLK | 0666, makedev(8, 0)))
TRY(mkfifo, mkfifo("/workspace/fifo-of-probe", 0600))
TRY(setuid_outside, setuid(4000000000U))
TRY(sethostname, sethostname("evil", 4))
TRY(chroot, chroot("/tmp"))
TRY(raise_nice, nice(-10) == -1 ? -1 : 0)

// The 32-bit gate and the x32 numbers: another table of system calls past the same filter.
static long try_int80(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L), "b"(0L), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0 && result > -4096) {
    errno = (int)-result;
    return -1;
  }
  return result;
}
TRY(x32, syscall(0x40000000L + SYS_getpid))

struct Named {
  const char* name;
  Attempt attempt;
};
#define N(name) {#name, try_##name}
static const struct Named attempts[] = {
    N(mount), N(umount), N(pivot_root), N(fsopen), N(fsconfig), N(fsmount), N(fspick), N(open_tree), N(move_mount),
    N(mount_setattr), N(unshare_user), N(unshare_mount), N(unshare_net), N(setns), N(clone_user), N(clone_user_mount),
    N(clone_mount), N(clone_pid), N(clone_net), N(clone_uts), N(clone3), N(chroot_escape), N(bpf), N(perf_event_open),
    N(userfaultfd), N(io_uring_setup), N(io_uring_enter), N(io_uring_register), N(keyctl), N(add_key), N(request_key),
    N(kexec_load), N(kexec_file_load), N(init_module), N(finit_module), N(delete_module), N(clock_settime),
    N(settimeofday), N(quotactl), N(swapon), N(reboot), N(acct), N(syslog), N(fanotify_init), N(mbind), N(iopl),
    N(ptrace_init), N(socket_packet), N(socket_alg), N(socket_vsock), N(socket_bluetooth), N(socket_can),
    N(socket_vsock_high_bits), N(socket_raw), N(socket_unix), N(socket_inet), N(socket_inet6), N(tiocsti),
    N(tiocsti_high_bits), N(tioclinux), N(mknod_char), N(mknod_block), N(mkfifo), N(setuid_outside), N(sethostname),
    N(chroot), N(raise_nice), N(int80), N(x32)};

static void report(const struct Named* named) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    errno = 0;
    const long result = named->attempt();
    printf("%s %s\n", named->name, result >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("%s SIG%d\n", named->name, WTERMSIG(status));
}

int main(void) {
  for (unsigned i = 0; i < sizeof attempts / sizeof *attempts; ++i) report(&attempts[i]);
  return 0;
}
