# One function per kind of target. Everything else is target properties.

option(NEARFAR_WERROR "Treat warnings as errors" OFF)

# GCC 12 sees uninitialised members in moved-from variants where there are none (maybe-uninitialized),
# and overlapping copies in `"text" + string` (restrict).
function(_nearfar_compile target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-missing-field-initializers -Wno-maybe-uninitialized -Wno-restrict
                         $<$<BOOL:${NEARFAR_WERROR}>:-Werror>)
endfunction()

# nearfar_module(NAME core SRCS a.cc DEPS other_module PRIVATE_LIBS lib [INTERNAL] [PURE])
#   DEPS          nearfar modules that this one's headers include
#   PRIVATE_LIBS  third-party targets that only its .cc files see
#   INTERNAL      not part of the installed library (adapters, cli)
#   PURE          a policy: compiled without floating-point contraction, so that its decisions are
#                 the same on every machine
function(nearfar_module)
  cmake_parse_arguments(M "INTERNAL;PURE" "NAME" "SRCS;DEPS;PRIVATE_LIBS" ${ARGN})
  add_library(nearfar_${M_NAME} STATIC ${M_SRCS})
  add_library(nearfar::${M_NAME} ALIAS nearfar_${M_NAME})
  _nearfar_compile(nearfar_${M_NAME})
  target_include_directories(nearfar_${M_NAME} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nearfar>)
  list(TRANSFORM M_DEPS PREPEND nearfar::)
  target_link_libraries(nearfar_${M_NAME} PUBLIC ${M_DEPS} PRIVATE ${M_PRIVATE_LIBS})
  if(M_PURE)
    target_compile_options(nearfar_${M_NAME} PRIVATE -ffp-contract=off)
  endif()
  set_target_properties(nearfar_${M_NAME} PROPERTIES EXPORT_NAME ${M_NAME} FOLDER modules)
  if(NOT M_INTERNAL)
    set_property(GLOBAL APPEND PROPERTY NEARFAR_LIBRARY_MODULES nearfar_${M_NAME})
  endif()
endfunction()

# nearfar_test(NAME foo_test DEPS core ... [LIBS third::party] [LABELS unit] [TIMEOUT 60])
# Builds NAME.cc of the current folder with GoogleTest and registers it as the ctest `NAME`.
function(nearfar_test)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "DEPS;LIBS;LABELS" ${ARGN})
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(${T_NAME} ${T_NAME}.cc)
  _nearfar_compile(${T_NAME})
  list(TRANSFORM T_DEPS PREPEND nearfar::)
  target_link_libraries(${T_NAME} PRIVATE ${T_DEPS} ${T_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${T_NAME} PRIVATE
    NEARFAR_SOURCE_DIR="${PROJECT_SOURCE_DIR}" NEARFAR_BINARY="${PROJECT_BINARY_DIR}/nearfar")
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} --gtest_brief=1 WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT}
                       SKIP_REGULAR_EXPRESSION "left out: no bundle")
endfunction()

# nearfar_bench(NAME judge_bench DEPS ...): a Google Benchmark program, built with the target `bench`.
function(nearfar_bench)
  cmake_parse_arguments(B "" "NAME" "DEPS;LIBS" ${ARGN})
  add_executable(${B_NAME} EXCLUDE_FROM_ALL ${B_NAME}.cc)
  _nearfar_compile(${B_NAME})
  list(TRANSFORM B_DEPS PREPEND nearfar::)
  target_link_libraries(${B_NAME} PRIVATE ${B_DEPS} ${B_LIBS} benchmark::benchmark_main)
  target_compile_definitions(${B_NAME} PRIVATE NEARFAR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_dependencies(bench ${B_NAME})
endfunction()
