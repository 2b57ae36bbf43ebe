# SPDX-License-Identifier: MIT
# pypac_add_kernels(TARGET FILE...) compiles sources that use dsp/lanes.hpp twice: as they are, into
# namespace pypac::narrow, and for processors with AVX2, into namespace pypac::wide. No FMA in either:
# both give the same bits.
set(PYPAC_WITH_WIDE_LANES OFF)
if(
  CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$"
  AND NOT (MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT PYPAC_UNALIGNED_VECTOR_MOVES)
)
  set(PYPAC_WITH_WIDE_LANES ON)
endif()

function(pypac_add_kernels target)
  target_sources(${target} PRIVATE ${ARGN})
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
