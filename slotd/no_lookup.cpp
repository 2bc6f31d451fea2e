// SPDX-License-Identifier: Apache-2.0
// The static server looks up no names and services through glibc, which does that with shared libraries: the proxy's
// names are c-ares's. Asio and c-ares refer to it all the same, and the linker puts these in its place (--wrap in
// CMakeLists.txt).
#include <netdb.h>

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names
extern "C" int __wrap_getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/,
                                  addrinfo** /*found*/) {
  return EAI_FAIL;
}

extern "C" void __wrap_freeaddrinfo(addrinfo* /*found*/) {}

extern "C" int __wrap_getnameinfo(const sockaddr* /*address*/, socklen_t /*size*/, char* /*host*/,
                                  socklen_t /*host_size*/, char* /*service*/, socklen_t /*service_size*/,
                                  int /*flags*/) {
  return EAI_FAIL;
}

extern "C" servent* __wrap_getservbyname(const char* /*name*/, const char* /*protocol*/) {
  return nullptr;
}

extern "C" int __wrap_getservbyport_r(int /*port*/, const char* /*protocol*/, servent* /*found*/, char* /*text*/,
                                      unsigned long /*size*/, servent** result) {
  *result = nullptr;
  return 1;
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
