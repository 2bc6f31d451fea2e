# SPDX-License-Identifier: Apache-2.0
# Compiler settings shared by every target, and the functions that declare targets and tests.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BERTH_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${BERTH_CCACHE})
  set(pch_default OFF)
else()
  set(pch_default ON)
endif()
# Off where ccache is found: there a build folder can use what another one compiled, which precompiled headers prevent,
# and a file that leans on a header it does not include is seen.
option(BERTH_PCH "share precompiled headers between the libraries" ${pch_default})

# For size: the server is sent into containers, and -O2 alone makes it 5.4 MB. What every call passes through is for
# speed: see berth_for_speed. Debug keeps asserts and is quick to compile.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG")

add_library(berth_flags INTERFACE)
target_compile_options(berth_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Werror -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
# g++ 12 reports these inside coroutine frames and std::variant where nothing is wrong (GCC bugs 105562, 99578, 107852).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(berth_flags INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-restrict -Wno-dangling-pointer -Wno-mismatched-new-delete)
endif()
target_link_options(berth_flags INTERFACE -Wl,--gc-sections)
target_include_directories(berth_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
if(BERTH_SANITIZE)
  target_compile_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-sanitize-recover=all)
  if(BERTH_SANITIZE MATCHES undefined)
    # Its check of an object opens a pipe, and so cries wolf in tests that use up every descriptor.
    target_compile_options(berth_flags INTERFACE -fno-sanitize=vptr)
  endif()
  if(BERTH_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's handlers end in fences, which it does not see; what they order, Asio's mutexes order as well.
    target_compile_options(berth_flags INTERFACE -Wno-tsan)
  endif()
  target_link_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE})
endif()

# berth_library(NAME [SOURCES ...] [DEPS ...] [PCH header...]): a static library of a folder's *.cpp, or of SOURCES.
function(berth_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PCH" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  if(NOT arg_SOURCES)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE berth_flags ${arg_DEPS})
    return()
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC berth_flags ${arg_DEPS})
  if(arg_PCH)
    target_precompile_headers(${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# berth_for_speed(PCH FILE...): files of this folder that every call passes through. A precompiled header holds for one set
# of options, so they have twins of the shared ones: PCH is plain or asio, as for the file's library in BerthPch.cmake.
function(berth_for_speed pch)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    return()
  endif()
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(TRANSFORM ARGN APPEND .cpp)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O2 SKIP_PRECOMPILE_HEADERS ON)
  if(BERTH_PCH)
    set(header ${CMAKE_BINARY_DIR}/CMakeFiles/berth_pch_${pch}_speed.dir/cmake_pch.hxx)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-O2;-Winvalid-pch;-include;${header}"
      OBJECT_DEPENDS ${header}.gch)
  endif()
endfunction()

# berth_program(NAME [SOURCES ...] [DEPS ...] [PCH header...])
function(berth_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PCH" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE berth_flags ${arg_DEPS})
  if(arg_PCH)
    target_precompile_headers(${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# berth_gtest(NAME LABEL label [SOURCES ...] [DEPS ...] [TIMEOUT s]): one GoogleTest program; each test is a ctest of its own.
function(berth_gtest name)
  cmake_parse_arguments(arg "SERIAL" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(BERTH_SANITIZE)
    math(EXPR arg_TIMEOUT "3 * ${arg_TIMEOUT}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE berth_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  if(BERTH_PCH)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
  endif()
  set(properties LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
  if(arg_SERIAL)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX "${name}." PROPERTIES ${properties})
endfunction()

# berth_pytest(NAME LABEL label FILES file... [TIMEOUT s] [SERIAL] [WORKERS n] [ENV K=V...]): one pytest run.
# WORKERS: that many of its tests at once, each worker with servers of its own; for tests that mostly wait for a limit.
# It leaves junit/NAME.xml in the build folder, from which ./test counts its tests (and skips) one by one. The tests find
# the programs in $BERTH_BIN_DIR and the checkout in $BERTH_SOURCE_DIR.
function(berth_pytest name)
  cmake_parse_arguments(arg "SERIAL" "LABEL;TIMEOUT;WORKERS" "FILES;ENV" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(BERTH_SANITIZE)
    math(EXPR arg_TIMEOUT "3 * ${arg_TIMEOUT}")
  endif()
  set(workers)
  if(arg_WORKERS)
    set(workers -n ${arg_WORKERS})
  endif()
  list(TRANSFORM arg_FILES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  add_test(NAME ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    COMMAND ${BERTH_PYTHON} -B -m pytest -q -ra -p no:cacheprovider ${workers} --rootdir ${CMAKE_SOURCE_DIR}
      --junitxml=${CMAKE_BINARY_DIR}/junit/${name}.xml ${arg_FILES})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "BERTH_SOURCE_DIR=${CMAKE_SOURCE_DIR};BERTH_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};${arg_ENV}")
  if(arg_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()
