// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "core/folding.hpp"
#include "core/text_pattern.hpp"

using pypac::folded;
using pypac::text_matches;

TEST_CASE("case plays no part in any script") {
  CHECK(text_matches("МУЗЫКА", "музыка"));
  CHECK(text_matches("ÜBER*", "übermut"));
  CHECK(text_matches("ΣΊΣΥΦΟΣ", "σίσυφος"));
  CHECK(text_matches("STRASSE", "Straße"));
  CHECK(text_matches("straße", "STRASSE"));
  CHECK(text_matches("ᏣᎳᎩ", "ꮳꮃꭹ"));
  CHECK(text_matches("𐐔𐐯𐑅", "𐐼𐐯𐑅"));
  CHECK_FALSE(text_matches("музыка", "музыки"));
}

TEST_CASE("normal forms are equal") {
  CHECK(text_matches("Caf\u00E9", "Cafe\u0301"));
  CHECK(text_matches("CAFE\u0301", "caf\u00E9"));
  CHECK(text_matches("\uAC01", "\u1100\u1161\u11A8"));  // Hangul
  CHECK(text_matches("\u30AC", "\u30AB\u3099"));        // Katakana
  CHECK(text_matches("\uFA19", "\u795E"));              // a compatibility ideograph
  CHECK(text_matches("a\u0301\u0323", "a\u0323\u0301"));
  CHECK_FALSE(text_matches("Cafe", "Caf\u00E9"));
}

TEST_CASE("texts that begin differently are different, and those that only look so are not") {
  CHECK_FALSE(text_matches("firefox", "game"));
  CHECK(text_matches("Game", "gAME"));
  CHECK(text_matches("*ame", "game"));
  CHECK(text_matches("?ame", "game"));
  CHECK(text_matches("\x01", "\x02"));       // both are shown as U+FFFD
  CHECK(text_matches("k", "\xE2\x84\xAA"));  // the sign of Kelvin folds to k
  CHECK_FALSE(text_matches("", "game"));
  CHECK_FALSE(text_matches("game", ""));
}

TEST_CASE("a question mark is one character") {
  CHECK(text_matches("?", "日"));
  CHECK(text_matches("??", "日本"));
  CHECK(text_matches("?ber", "\u00DCber"));
  CHECK(text_matches("?ber", "U\u0308ber"));
  CHECK(text_matches("Stra?e", "Straße"));
  CHECK(text_matches("?", "🎮"));
  CHECK(text_matches("?", "\u2764\uFE0F"));
  CHECK(text_matches("?", "\u1100\u1161\u11A8"));
  CHECK_FALSE(text_matches("?", "日本"));
  CHECK_FALSE(text_matches("??", "日"));
  CHECK_FALSE(text_matches("?", ""));
}

TEST_CASE("a name can be given back as lists show it") {
  CHECK(text_matches("a\uFFFD[31mb", "a\x1b[31mb"));
  CHECK(text_matches("Dis\uFFFDcord", "Dis\u200Bcord"));
  CHECK(text_matches("My Game", "My\u00A0Game"));
  CHECK(text_matches("ゲーム タイトル", "ゲーム\u3000タイトル"));
  CHECK(text_matches("a\x1b[", "a\x1b["));
  CHECK_FALSE(text_matches("a\uFFFDb", "acb"));
  CHECK_FALSE(text_matches("MyGame", "My\u00A0Game"));
}

TEST_CASE("a star takes whole characters") {
  CHECK(text_matches("*é", "Café"));
  CHECK(text_matches("*", "日本"));
  CHECK(text_matches("日*語", "日本語"));
  CHECK_FALSE(text_matches("Cafe*", "Cafe\u0301 bar"));
}

TEST_CASE("what is no UTF-8 is compared, and equal only to what is none") {
  CHECK(text_matches("a?b",
                     "a\xFF"
                     "b"));
  CHECK(text_matches("*", "\xE6\x97"));
  CHECK_FALSE(text_matches("\xC1\x81", "A"));  // an overlong form
  CHECK(folded("\xF0\x9F").size() == 2);
}
