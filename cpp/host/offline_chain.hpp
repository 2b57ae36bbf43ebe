// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/block_buffer.hpp"
#include "host/filter_slot.hpp"
#include "plugin/registry.hpp"

namespace pypac {

/// Filters in their order over audio that is there already: for files, tests and pictures. The same
/// slots run in it as in a session; what comes out is late by latency_frames().
class OfflineChain {
 public:
  struct Link {
    std::string kind;
    ParamValues values{};
    bool bypassed = false;
  };

  /// [control-thread] Throws Failure(invalid_argument).
  OfflineChain(const FilterRegistry& registry, const std::vector<Link>& links,
               const SlotOptions& options);
  OfflineChain(const OfflineChain&) = delete;
  OfflineChain& operator=(const OfflineChain&) = delete;

  /// [control-thread] In place. `frames` is what max_frames says at most; `keys` are of each filter
  /// that has keys, in the order of the chain.
  void process(const AudioBlock& block, std::span<const BlockView> keys);

  /// [control-thread] Throws Failure(invalid_argument).
  void set(std::size_t link, const std::string& param, const ParamValue& value);
  void set_bypassed(std::size_t link, bool bypassed);
  [[nodiscard]] float reduction_db(std::size_t link) const;

  /// [control-thread]
  [[nodiscard]] std::uint32_t latency_frames() const noexcept;
  [[nodiscard]] std::uint64_t faults() const noexcept;
  [[nodiscard]] std::size_t key_count() const noexcept;
  [[nodiscard]] const SlotOptions& options() const noexcept { return options_; }

 private:
  [[nodiscard]] FilterSlot& slot(std::size_t link) const;

  SlotOptions options_;
  std::vector<std::unique_ptr<FilterSlot>> slots_;
  std::vector<std::size_t> key_counts_;  // of each filter
  Frames position_ = 0;
};

}  // namespace pypac
