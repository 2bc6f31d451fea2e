# SPDX-License-Identifier: Apache-2.0
# For a build from nothing, where no ccache helps. Precompiled headers: two for the whole tree, shared, their twins for
# speed, and two for the tests (tests/CMakeLists.txt); and the files of a library are compiled eight at a time, since most of
# a file's time goes to the same templates.
if(NOT BERTH_PCH)
  return()
endif()

set(std_headers <algorithm> <chrono> <cstddef> <cstdint> <deque> <functional> <map> <memory> <optional> <set> <string>
  <string_view> <unordered_map> <utility> <variant> <vector> <tl/expected.hpp>)
set(asio_headers <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp>
  <boost/asio/detached.hpp> <boost/asio/generic/stream_protocol.hpp> <boost/asio/io_context.hpp> <boost/asio/post.hpp>
  <boost/asio/posix/stream_descriptor.hpp> <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>)

function(berth_declare_pch name)
  cmake_parse_arguments(arg "" "" "HEADERS;DEPS;OPTIONS" ${ARGN})
  add_library(${name} OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(${name} PRIVATE berth_flags berth_include nlohmann_json::nlohmann_json fmt::fmt-header-only ${arg_DEPS})
  target_compile_definitions(${name} PRIVATE SPDLOG_FMT_EXTERNAL)
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

function(berth_share_pch name)
  cmake_parse_arguments(arg "SPEED" "" "HEADERS;DEPS;OPTIONS;USERS" ${ARGN})
  berth_declare_pch(${name} HEADERS ${arg_HEADERS} DEPS ${arg_DEPS} OPTIONS ${arg_OPTIONS})
  if(arg_SPEED AND CMAKE_BUILD_TYPE STREQUAL "Release")
    berth_declare_pch(${name}_speed HEADERS ${arg_HEADERS} DEPS ${arg_DEPS} OPTIONS -O2)
  endif()
  foreach(user ${arg_USERS})
    berth_use_pch(${user} ${name})
    target_compile_options(${user} PRIVATE ${arg_OPTIONS})
  endforeach()
endfunction()

function(berth_use_pch user name)
  target_precompile_headers(${user} REUSE_FROM ${name})
  set_target_properties(${user} PROPERTIES UNITY_BUILD ON)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # it takes what a unity file includes for headers
    target_compile_options(${user} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

berth_share_pch(berth_pch_plain SPEED HEADERS ${std_headers} <nlohmann/json.hpp>
  USERS berth_base berth_isolation berth_jobs berth_pool berth_terminal berth_config berth_events)
berth_share_pch(berth_pch_asio SPEED HEADERS ${std_headers} <nlohmann/json.hpp> ${asio_headers} DEPS berth_asio
  USERS berth_http berth_client berth_proxy berth_slotd_core berth_drivers berth_driver_docker berth_driver_local
    berth_driver_registry berth_inputs berth_link berth_runtime berth_api
    berth_executor berth_daemon berth_cli)
