# SPDX-License-Identifier: MIT
# Windows aligns a stack to 16 bytes, and GCC for Windows may keep vectors of 32 bytes there as if it
# aligned it to 32 (GCC bugs 49001, 54412): such a move faults. The assembler makes moves of them
# that take any address, with the same result; where it cannot, no code has vectors as wide (kernels.cmake).
if(MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-Wa,-muse-unaligned-vector-move PYPAC_UNALIGNED_VECTOR_MOVES)
  if(PYPAC_UNALIGNED_VECTOR_MOVES)
    add_compile_options(-Wa,-muse-unaligned-vector-move)
  endif()
endif()
