// SPDX-License-Identifier: Apache-2.0
// Makes argv[1] orphans as fast as the process limit lets it: children whose parent ends before them.
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const long wanted = argc > 1 ? atol(argv[1]) : 0;
  for (long made = 0; made < wanted;) {
    const pid_t parent = fork();
    if (parent == 0) _exit(fork() < 0 ? 1 : 0);
    int status = 1;
    if (parent > 0) waitpid(parent, &status, 0);
    if (status == 0) {
      ++made;
    } else {
      sched_yield();  // at the limit: the first process has to reap first
    }
  }
  return 0;
}
