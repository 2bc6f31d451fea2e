// SPDX-License-Identifier: Apache-2.0
// Exchanges a directory and a link that leads out, as fast as the machine can, until it is ended: race DIR LINK.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

int main(int count, char** names) {
  if (count != 3) return 2;
  while (renameat2(AT_FDCWD, names[1], AT_FDCWD, names[2], RENAME_EXCHANGE) == 0) continue;
  perror("renameat2");
  return 1;
}
