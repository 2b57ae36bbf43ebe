// SPDX-License-Identifier: MIT
// Nothing of its own: CMake wants a source beside the header that it compiles for the tests.
