# SPDX-License-Identifier: Apache-2.0
# Every library is a Debian 12 package; nothing is fetched.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)

# Asio: what is no template is compiled once. The flags keep every target in step (a mismatch would break the
# one-definition rule).
add_library(berth_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/asio.cpp)
target_link_libraries(berth_asio PRIVATE berth_flags PUBLIC Boost::headers Threads::Threads)
target_compile_definitions(berth_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_VISIBILITY BOOST_BEAST_USE_STD_STRING_VIEW)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(berth_asio PRIVATE -O2)
endif()

# A static berth-slotd links archives; sanitizer builds are dynamic and take the shared libraries.
if(BERTH_STATIC_SLOTD)
  find_library(BERTH_NETTLE libnettle.a REQUIRED)
  find_library(BERTH_SECCOMP libseccomp.a REQUIRED)
else()
  find_library(BERTH_NETTLE nettle REQUIRED)
  find_library(BERTH_SECCOMP seccomp REQUIRED)
endif()
find_library(BERTH_RE2 re2 REQUIRED)
find_library(BERTH_ARCHIVE libarchive.so REQUIRED)
