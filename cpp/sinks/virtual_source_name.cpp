// SPDX-License-Identifier: MIT
#include "sinks/virtual_source_name.hpp"

#include <cstdint>

namespace pypac {
namespace {

constexpr std::size_t kLongest = 127;
constexpr std::size_t kNumberDigits = 16;
constexpr const char* kDigits = "0123456789ABCDEF";

std::string escaped(const std::string& text) {
  std::string name;
  for (const char each : text) {
    const bool plain = (each >= '0' && each <= '9') || (each >= 'A' && each <= 'Z') ||
                       (each >= 'a' && each <= 'z') || each == '-' || each == '_';
    if (plain) {
      name += each;
    } else {
      const auto byte = static_cast<unsigned char>(each);
      name += '.';
      name += kDigits[byte >> 4];
      name += kDigits[byte & 15];
    }
  }
  return name;
}

/// FNV-1a.
std::string number_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211U;
  std::string digits;
  for (std::size_t i = 0; i < kNumberDigits; ++i) digits += kDigits[(hash >> (4 * i)) & 15];
  return digits;
}

}  // namespace

std::string virtual_source_name(const std::string& session, const std::string& track) {
  std::string name = "pypac-obs." + escaped(session) + "." + escaped(track);
  if (name.size() <= kLongest) return name;
  return name.substr(0, kLongest - kNumberDigits) + number_of(name);
}

}  // namespace pypac
