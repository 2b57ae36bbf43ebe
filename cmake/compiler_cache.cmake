# SPDX-License-Identifier: MIT
# What one build has compiled, no other compiles again: another preset with the same flags, the
# wheel, a fresh clone. Where ccache is not installed, everything is compiled.
find_program(PYPAC_CCACHE ccache)
mark_as_advanced(PYPAC_CCACHE)
if(PYPAC_CCACHE AND NOT MSVC AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the project count relative to it, so clones share. The sloppiness is what ccache
  # needs for precompiled headers, see its manual.
  set(
    CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND}
    -E
    env
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
    CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros
    ${PYPAC_CCACHE}
  )
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
