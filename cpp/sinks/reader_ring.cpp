// SPDX-License-Identifier: MIT
#include "sinks/reader_ring.hpp"

#include <algorithm>

#include "core/thread_role.hpp"
#include "sinks/interleave.hpp"

namespace pypac {

ReaderRing::ReaderRing(const std::vector<std::uint32_t>& track_channels, std::uint32_t block_frames,
                       std::uint32_t capacity_frames)
    : block_frames_(block_frames),
      slots_(std::max<std::size_t>(2, (capacity_frames + block_frames - 1) / block_frames)) {
  PYPAC_ASSERT_NOT_REALTIME();
  tracks_.reserve(track_channels.size());
  for (const std::uint32_t channels : track_channels)
    tracks_.push_back({channels, std::vector<float>(slots_.size() * block_frames * channels)});
}

bool ReaderRing::begin_block(Frames start, std::uint32_t frames) noexcept {
  if (closed()) return false;
  const std::uint64_t written = written_slots_.load(std::memory_order_relaxed);
  if (written - released_slots_.load(std::memory_order_acquire) == slots_.size()) {
    lost_frames_.store(lost_frames_.load(std::memory_order_relaxed) + frames,
                       std::memory_order_relaxed);
    return false;
  }
  slots_[written % slots_.size()] = Slot{start, frames};
  return true;
}

void ReaderRing::write_track(std::size_t track, const float* const* channels) noexcept {
  const std::uint64_t slot = written_slots_.load(std::memory_order_relaxed) % slots_.size();
  const std::uint32_t frames = slots_[slot].frames;
  const std::uint32_t count = tracks_[track].channels;
  float* const out = tracks_[track].samples.data() + slot * block_frames_ * std::size_t{count};
  interleave(channels, count, 0, frames, out);
}

void ReaderRing::commit_block() noexcept {
  const std::uint64_t written = written_slots_.load(std::memory_order_relaxed);
  // Slots before frames, here and in release(): what available() counts is there to be read, and
  // what it no longer counts is free to be written.
  const std::uint32_t frames = slots_[written % slots_.size()].frames;
  written_slots_.store(written + 1, std::memory_order_release);
  written_frames_.store(written_frames_.load(std::memory_order_relaxed) + frames,
                        std::memory_order_seq_cst);
  wake_if_satisfied();
}

void ReaderRing::finish() noexcept {
  finished_.store(true, std::memory_order_seq_cst);
  wake_if_satisfied();
}

void ReaderRing::wake_if_satisfied() noexcept {
  // Sequentially consistent on both sides (here and in wait): either the pump sees what the reader
  // wants, or the reader sees what the pump has written. One of the two always acts.
  std::uint64_t wanted = wanted_frames_.load(std::memory_order_seq_cst);
  if (wanted == kNobodyWaits) return;
  if (!holds(wanted) && !finished_.load(std::memory_order_relaxed)) return;
  if (wanted_frames_.compare_exchange_strong(wanted, kNobodyWaits)) wake_.notify();
}

bool ReaderRing::wait(std::uint64_t frames, std::chrono::nanoseconds timeout) {
  // What never fits is never waited for.
  const std::uint64_t wanted = std::clamp<std::uint64_t>(frames, 1, capacity() - block_frames_);
  const auto satisfied = [&] { return holds(wanted) || finished_.load(std::memory_order_seq_cst); };
  if (satisfied()) return true;
  wake_.drain();
  wanted_frames_.store(wanted, std::memory_order_seq_cst);
  if (!satisfied()) wake_.wait_for(timeout);
  wanted_frames_.store(kNobodyWaits, std::memory_order_relaxed);
  return satisfied();
}

void ReaderRing::interrupt() noexcept {
  wake_.notify();
}

ReaderRing::Run ReaderRing::peek(std::uint32_t max_frames) const noexcept {
  // Slots appear before their frames count: show no more than available() told.
  max_frames = static_cast<std::uint32_t>(std::min<std::uint64_t>(max_frames, available()));
  const std::uint64_t written = written_slots_.load(std::memory_order_acquire);
  std::uint64_t slot = released_slots_.load(std::memory_order_relaxed);
  Run run;
  if (max_frames == 0) return run;
  const std::size_t first = slot % slots_.size();
  run.start = slots_[first].start + read_offset_;
  run.first_frame = first * block_frames_ + read_offset_;
  run.frames = slots_[first].frames - read_offset_;
  // A run ends where the ring wraps, where a block was dropped, and behind a short (last) block.
  for (++slot; run.frames < max_frames && slot < written && slot % slots_.size() != 0; ++slot) {
    const Slot& previous = slots_[(slot - 1) % slots_.size()];
    const Slot& next = slots_[slot % slots_.size()];
    if (previous.frames != block_frames_ || next.start != previous.start + previous.frames) break;
    run.frames += next.frames;
  }
  run.frames = std::min(run.frames, max_frames);
  return run;
}

void ReaderRing::release(std::uint32_t frames) noexcept {
  std::uint64_t slot = released_slots_.load(std::memory_order_relaxed);
  std::uint32_t rest = read_offset_ + frames;
  while (rest > 0 && rest >= slots_[slot % slots_.size()].frames) {
    rest -= slots_[slot % slots_.size()].frames;
    ++slot;
  }
  read_offset_ = rest;
  released_slots_.store(slot, std::memory_order_release);
  released_frames_.store(released_frames_.load(std::memory_order_relaxed) + frames,
                         std::memory_order_release);
}

void ReaderRing::close() noexcept {
  closed_.store(true, std::memory_order_release);
  interrupt();
}

bool ReaderRing::finished() const noexcept {
  return finished_.load(std::memory_order_acquire) && available() == 0;
}

std::uint64_t ReaderRing::available() const noexcept {
  const std::uint64_t released = released_frames_.load(std::memory_order_acquire);
  return written_frames_.load(std::memory_order_seq_cst) - released;
}

}  // namespace pypac
