// SPDX-License-Identifier: MIT
// A program to be found: it does nothing but be there.
#include <windows.h>

int main() {
  Sleep(INFINITE);
}
