# SPDX-License-Identifier: Apache-2.0
# What find_package(Berth) reads where the client was installed: the target Berth::client.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(tl-expected)
find_library(Berth_NETTLE nettle REQUIRED)

if(NOT TARGET Berth::client)
  get_filename_component(berth_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  set(berth_libraries http asio base)
  list(TRANSFORM berth_libraries REPLACE "(.+)" "${berth_prefix}/lib/libberth_\\1.a")
  add_library(Berth::client STATIC IMPORTED)
  set_target_properties(Berth::client PROPERTIES
    IMPORTED_LOCATION "${berth_prefix}/lib/libberth_client.a"
    INTERFACE_INCLUDE_DIRECTORIES "${berth_prefix}/include"
    INTERFACE_COMPILE_FEATURES cxx_std_20
    INTERFACE_LINK_LIBRARIES "${berth_libraries};${Berth_NETTLE};tl::expected;Threads::Threads")
endif()
