# SPDX-License-Identifier: MIT
# pypac_add_kernels(TARGET FILE...) compiles sources that use dsp/lanes.hpp twice: as they are, into
# namespace pypac::narrow, and for processors with AVX2, into namespace pypac::wide. No FMA in either:
# both give the same bits.
option(PYPAC_PORTABLE_LANES "No vector intrinsics, as on other processors than x86-64" OFF)
set(PYPAC_WITH_WIDE_LANES OFF)
if(PYPAC_PORTABLE_LANES)
  add_compile_definitions(PYPAC_PORTABLE_LANES)
elseif(
  CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$"
  AND NOT (MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT PYPAC_UNALIGNED_VECTOR_MOVES)
)
  set(PYPAC_WITH_WIDE_LANES ON)
endif()

function(pypac_add_kernels target)
  target_sources(${target} PRIVATE ${ARGN})
  if(NOT MSVC)
    # No multiplication and addition in one, where a processor has that and the compiler likes it.
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
  endif()
  if(NOT PYPAC_WITH_WIDE_LANES)
    return()
  endif()
  add_library(${target}_wide OBJECT ${ARGN})
  target_include_directories(${target}_wide PRIVATE ${PROJECT_SOURCE_DIR}/cpp)
  target_compile_definitions(${target}_wide PRIVATE PYPAC_WIDE_LANES)
  if(MSVC)
    target_compile_options(${target}_wide PRIVATE /arch:AVX2)
  else()
    target_compile_options(${target}_wide PRIVATE -mavx2)
  endif()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_wide>)
endfunction()
