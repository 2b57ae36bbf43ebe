// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <obs-module.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

/// As much of libobs as the module calls, with libobs's rules of ownership; the tests' threads are
/// OBS's. Sources are destroyed by whoever lets go of the last reference.
namespace pypac::test::fake_obs {

/// One call of obs_source_output_audio.
struct Output {
  std::uint64_t timestamp;
  std::uint32_t frames;
  std::uint32_t sample_rate;
  speaker_layout speakers;
  std::vector<std::vector<float>> channels;
};

/// The module, as OBS loads and unloads it.
class Module {
 public:
  Module();
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  [[nodiscard]] std::string text(const std::string& key) const;
};

/// A source of no kind, to try parts of the module with.
class Bare {
 public:
  Bare();
  ~Bare();
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  [[nodiscard]] obs_source_t* get() const { return source_; }
  /// OBS has gone on without it, up to here.
  void slip(std::uint64_t place);
  /// The same, while the module is about to hand more over.
  void slip_before_output(std::uint64_t place);
  [[nodiscard]] std::vector<Output> outputs() const;

 private:
  obs_source_t* source_;
};

/// A reference to a source of the module's kind.
class Source {
 public:
  /// Makes it as obs_source_create does, with these settings.
  explicit Source(const std::vector<std::pair<std::string, std::string>>& settings);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// As a client of OBS changes settings: those not named stay.
  void update(const std::vector<std::pair<std::string, std::string>>& settings);
  [[nodiscard]] std::string setting(const std::string& key) const;
  /// What it got so far.
  [[nodiscard]] std::vector<Output> outputs() const;

  struct Page {
    std::vector<std::pair<std::string, std::string>> choices;  // label and value
    std::string text;
  };
  /// The properties page, as OBS shows it.
  [[nodiscard]] Page page() const;

 private:
  obs_source_t* source_;
};

/// OBS has mixed a round that began here, at 48 kHz; 0: its audio is not set up.
void set_round(std::uint64_t begin);
/// All sources are monitored and not mixed.
void monitor_only(bool on);
/// Nobody listens to its mix.
[[nodiscard]] bool mix_is_free();

/// Sources, weak references, pages and texts that nobody has freed.
[[nodiscard]] long alive();
/// Calls with a source that was destroyed.
[[nodiscard]] long misuses();
/// What blog() got.
[[nodiscard]] std::string log();
/// Keys that obs_module_text() did not find.
[[nodiscard]] std::vector<std::string> missing_texts();

}  // namespace pypac::test::fake_obs
