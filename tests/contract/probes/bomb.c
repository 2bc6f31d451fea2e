// SPDX-License-Identifier: Apache-2.0
// bomb fork: forks without end. bomb spin: 64 threads' worth of processes that only burn.
#include <string.h>
#include <unistd.h>

int main(int count, char** words) {
  const int spin = count > 1 && strcmp(words[1], "spin") == 0;
  for (int i = 0; !spin || i < 63; ++i) {
    const pid_t child = fork();
    if (spin && child == 0) break;
  }
  for (;;) continue;
}
