// SPDX-License-Identifier: MIT
#include "core/folding.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace pypac {
namespace {

/// Characters at one distance from what they fold to.
struct Run {
  char32_t first;
  char32_t last;
  char32_t step;
  std::int32_t distance;
};

/// A character, and the two or three that it stands for.
struct Parts {
  char32_t letter;
  char32_t first;
  char32_t second;
  char32_t third;  // 0: none
};

/// Accents and the like, of one combining class.
struct Marks {
  char32_t first;
  char32_t last;
  std::uint8_t kind;
};

#include "core/folding_table.inc"

constexpr char32_t kIdeographs1 = 0xF900;
constexpr char32_t kIdeographs1End = 0xFADA;
constexpr char32_t kIdeographs2 = 0x2F800;
constexpr char32_t kIdeographs2End = 0x2FA1E;
static_assert(std::size(kIdeographs) ==
              kIdeographs1End - kIdeographs1 + kIdeographs2End - kIdeographs2);

// Hangul, by chapter 3.12 of the Unicode standard.
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTails = 0x11A7;  // of which the first is none
constexpr char32_t kTailCount = 28;

constexpr char32_t kInvalid = 0xFFFD;

/// The row whose range has the character, or nullptr.
template <typename Row>
const Row* row_of(std::span<const Row> rows, char32_t letter) {
  const auto after = std::ranges::upper_bound(rows, letter, {}, &Row::first);
  if (after == rows.begin()) return nullptr;
  const Row& row = *std::prev(after);
  return letter <= row.last ? &row : nullptr;
}

bool is_ideograph(char32_t letter) {
  return (letter >= kIdeographs1 && letter < kIdeographs1End) ||
         (letter >= kIdeographs2 && letter < kIdeographs2End);
}

std::uint8_t combining_class(char32_t letter) {
  if (letter < 0x300) return 0;
  const Marks* const marks = row_of<Marks>(kMarks, letter);
  return marks ? marks->kind : 0;
}

/// Selectors of how the character before them looks.
bool is_variation_selector(char32_t letter) {
  return letter >= 0xFE00 && letter <= 0xFE0F;
}

/// What lists show as U+FFFD, so that a name can be given back as it was shown: controls, and marks
/// that are not seen. Not those that join letters.
bool is_unseen(char32_t letter) {
  return letter < 0x20 || (letter >= 0x7F && letter < 0xA0) || letter == 0xAD || letter == 0x200B ||
         letter == 0x200E || letter == 0x200F || (letter >= 0x2028 && letter <= 0x202E) ||
         (letter >= 0x2060 && letter <= 0x206F) || letter == 0xFEFF;
}

/// Blanks of all widths look like one.
bool is_blank(char32_t letter) {
  return letter == 0xA0 || letter == 0x1680 || (letter >= 0x2000 && letter <= 0x200A) ||
         letter == 0x202F || letter == 0x205F || letter == 0x3000;
}

/// Puts a vowel or tail into the syllable before it; false: it is none, or there is no syllable.
bool joins_syllable(char32_t& before, char32_t letter) {
  const char32_t begins = before & kCharacterBegins;
  const char32_t plain = before & ~kCharacterBegins;
  if (plain >= kLeads && plain < kLeads + kLeadCount && letter >= kVowels &&
      letter < kVowels + kVowelCount) {
    const char32_t place = (plain - kLeads) * kVowelCount + (letter - kVowels);
    before = (kSyllables + place * kTailCount) | begins;
    return true;
  }
  const char32_t most = kSyllables + kLeadCount * kVowelCount * kTailCount;
  if (plain >= kSyllables && plain < most && (plain - kSyllables) % kTailCount == 0 &&
      letter > kTails && letter < kTails + kTailCount) {
    before = (plain + letter - kTails) | begins;
    return true;
  }
  return false;
}

void fold(std::u32string& text, char32_t letter, bool begins) {
  if (is_unseen(letter)) letter = kInvalid;
  if (is_blank(letter)) letter = U' ';
  if (letter >= U'A' && letter <= U'Z') letter += U'a' - U'A';
  if (letter >= 0x80) {
    const auto parts = std::ranges::lower_bound(kParts, letter, {}, &Parts::letter);
    if (parts != std::end(kParts) && parts->letter == letter) {
      fold(text, parts->first, begins);
      fold(text, parts->second, false);
      if (parts->third != 0) fold(text, parts->third, false);
      return;
    }
    const Run* const run = row_of<Run>(kRuns, letter);
    if (run && (letter - run->first) % run->step == 0) {
      fold(text, letter + static_cast<char32_t>(run->distance), begins);
      return;
    }
    if (is_ideograph(letter)) {
      const std::size_t place = letter < kIdeographs1End
                                    ? letter - kIdeographs1
                                    : letter - kIdeographs2 + kIdeographs1End - kIdeographs1;
      letter = kIdeographs[place];
    }
    if (!text.empty() && joins_syllable(text.back(), letter)) return;
  }
  const bool is_mark = combining_class(letter) != 0 || is_variation_selector(letter);
  text += begins && (!is_mark || text.empty()) ? letter | kCharacterBegins : letter;
}

/// Takes one character off the text: kInvalid for a byte that is none.
char32_t take(std::string_view& text) {
  constexpr std::array<char32_t, 5> kLowest{0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC0 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                                           : 4;
  char32_t letter = lead < 0x80 ? lead : lead & (0x7FU >> length);
  bool valid = length != 0 && length <= text.size();
  for (std::size_t at = 1; valid && at < length; ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    valid = (byte & 0xC0U) == 0x80U;
    letter = letter << 6U | (byte & 0x3FU);
  }
  valid = valid && letter >= kLowest[length] && letter <= 0x10FFFF;
  text.remove_prefix(valid ? length : 1);
  return valid ? letter : kInvalid;
}

/// Brings the marks behind each letter into the order of their classes.
void order_marks(std::u32string& text) {
  const auto kind = [](char32_t letter) { return combining_class(letter & ~kCharacterBegins); };
  for (auto begin = text.begin(); begin != text.end();) {
    const auto mark = std::find_if(begin, text.end(), [&](char32_t one) { return kind(one) != 0; });
    const auto end = std::find_if(mark, text.end(), [&](char32_t one) { return kind(one) == 0; });
    std::stable_sort(mark, end,
                     [&](char32_t one, char32_t other) { return kind(one) < kind(other); });
    begin = end;
  }
}

}  // namespace

std::u32string folded(std::string_view text) {
  std::u32string letters;
  letters.reserve(text.size());
  while (!text.empty()) fold(letters, take(text), true);
  order_marks(letters);
  return letters;
}

}  // namespace pypac
