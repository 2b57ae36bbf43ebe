// SPDX-License-Identifier: MIT
#include "core/text_pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/folding.hpp"

namespace pypac {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Most names are ASCII, and are compared where they lie: this is done for each process at each
/// event of the audio system.
struct Ascii {
  std::string_view text;

  [[nodiscard]] std::size_t size() const { return text.size(); }
  [[nodiscard]] char32_t at(std::size_t i) const {
    const char c = text[i];
    if (c < ' ' || c == '\x7F') return U'\xFFFD';
    return static_cast<char32_t>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  [[nodiscard]] bool begins(std::size_t) const { return true; }
};

struct Folded {
  std::u32string text;

  [[nodiscard]] std::size_t size() const { return text.size(); }
  [[nodiscard]] char32_t at(std::size_t i) const { return text[i] & ~kCharacterBegins; }
  /// A wildcard stands for whole characters.
  [[nodiscard]] bool begins(std::size_t i) const { return (text[i] & kCharacterBegins) != 0; }
};

template <typename Text>
std::size_t next_character(const Text& text, std::size_t at) {
  do ++at;
  while (at < text.size() && !text.begins(at));
  return at;
}

/// Linear in the text but for the last `*`, to which it goes back: no pattern takes exponential
/// time.
template <typename Text>
bool matches(const Text& pattern, const Text& text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    const char32_t wanted = p < pattern.size() ? pattern.at(p) : 0;
    if (wanted == U'*' && text.begins(t)) {
      star = p++;
      resume = t;
    } else if (wanted == U'?' && text.begins(t)) {
      ++p;
      t = next_character(text, t);
    } else if (wanted != U'*' && p < pattern.size() && wanted == text.at(t)) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = resume = next_character(text, resume);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern.at(p) == U'*') ++p;
  return p == pattern.size();
}

/// Most pairs differ in their first letters. Those of ASCII fold to themselves, whatever follows.
bool begin_differently(std::string_view pattern, std::string_view text) {
  if (pattern.empty() || text.empty()) return false;
  if (!is_ascii(pattern.substr(0, 1)) || !is_ascii(text.substr(0, 1))) return false;
  const char32_t wanted = Ascii{pattern}.at(0);
  return wanted != U'*' && wanted != U'?' && wanted != Ascii{text}.at(0);
}

}  // namespace

bool text_matches(std::string_view pattern, std::string_view text) {
  if (begin_differently(pattern, text)) return false;
  if (is_ascii(pattern) && is_ascii(text)) return matches(Ascii{pattern}, Ascii{text});
  return matches(Folded{folded(pattern)}, Folded{folded(text)});
}

}  // namespace pypac
