// SPDX-License-Identifier: Apache-2.0
// The static server looks up no names: glibc does that with shared libraries. Asio refers to it all the same, and the
// linker puts this in its place (--wrap in CMakeLists.txt).
#include <netdb.h>

// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's name
extern "C" int __wrap_getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/,
                                  addrinfo** /*found*/) {
  return EAI_FAIL;
}
