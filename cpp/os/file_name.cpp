// SPDX-License-Identifier: MIT
#include <cstddef>

#include "os/runtime_folder.hpp"

namespace pypac {
namespace {

constexpr std::size_t kLongestFileName = 255;  // NAME_MAX of Linux's file systems
constexpr std::string_view kDigits = "0123456789ABCDEF";

bool is_plain(char c, bool leading) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
         c == '_' || c == '-' || (c == '.' && !leading);
}

}  // namespace

std::optional<std::string> file_name_of(std::string_view name) {
  if (name.empty() || name.size() > kLongestFileName) return std::nullopt;
  std::string file_name;
  for (const char c : name) {
    if (is_plain(c, file_name.empty())) {
      file_name += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      file_name += '%';
      file_name += kDigits[byte >> 4U];
      file_name += kDigits[byte & 15U];
    }
  }
  if (file_name.size() > kLongestFileName) return std::nullopt;
  return file_name;
}

std::optional<std::string> name_of_file(std::string_view file_name) {
  std::string name;
  for (std::size_t i = 0; i < file_name.size(); ++i) {
    if (file_name[i] != '%') {
      name += file_name[i];
      continue;
    }
    if (file_name.size() - i < 3) return std::nullopt;
    const std::size_t high = kDigits.find(file_name[i + 1]);
    const std::size_t low = kDigits.find(file_name[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    name += static_cast<char>(high << 4U | low);
    i += 2;
  }
  // One spelling a name: what file_name_of() would not have written is none of ours.
  if (file_name_of(name) != file_name) return std::nullopt;
  return name;
}

}  // namespace pypac
