// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "os/valid_utf8.hpp"

using pypac::valid_utf8;

TEST_CASE("text that is UTF-8 stays as it is") {
  CHECK(valid_utf8("") == "");
  CHECK(valid_utf8("game") == "game");
  CHECK(valid_utf8("\u00e4\u20ac\U0001f3b5") == "\u00e4\u20ac\U0001f3b5");
  CHECK(valid_utf8("\ud7ff\uffff\U0010ffff") == "\ud7ff\uffff\U0010ffff");
}

TEST_CASE("each byte that is not UTF-8 becomes a replacement character") {
  CHECK(valid_utf8("caf\xe9") == "caf\ufffd");
  CHECK(valid_utf8("\xe9t\xe9") == "\ufffdt\ufffd");
  CHECK(valid_utf8("\x80"
                   "a") ==
        "\ufffd"
        "a");
  CHECK(valid_utf8("\xc0\xaf") == "\ufffd\ufffd");                      // overlong
  CHECK(valid_utf8("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");            // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == "\ufffd\ufffd\ufffd\ufffd");  // over U+10FFFF
  CHECK(valid_utf8("Tr\xc3") == "Tr\ufffd");                            // cut off
}

TEST_CASE("long text is cut between two characters") {
  CHECK(valid_utf8(std::string(1000, 'a')).size() == pypac::kLongestName);
  CHECK(valid_utf8("ab\u20ac", 4) == "ab");
  CHECK(valid_utf8("ab\u20ac", 5) == "ab\u20ac");
  CHECK(valid_utf8("ab\xff", 4) == "ab");
}
