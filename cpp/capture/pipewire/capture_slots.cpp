// SPDX-License-Identifier: MIT
#include "capture/pipewire/capture_slots.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include "core/host_clock.hpp"
#include "core/thread_role.hpp"
#include "os/thread_priority.hpp"

namespace pypac {
namespace {

/// Adds `in * weight` to `out`, or puts it there if `first`. A weight of 1 passes bit for bit.
void add_weighted(float* out, const float* in, float weight, std::uint32_t frames,
                  bool first) noexcept {
  if (first && weight == 1.0F) {
    std::memcpy(out, in, frames * sizeof(float));
  } else if (first) {
    for (std::uint32_t i = 0; i < frames; ++i) out[i] = in[i] * weight;
  } else {
    for (std::uint32_t i = 0; i < frames; ++i) out[i] += in[i] * weight;
  }
}

}  // namespace

void SourceSlot::stop_pushing() noexcept {
  pushing.store(false);
  // The capture thread raises `busy` before it looks at `pushing`; it is down again within a cycle.
  while (busy.load()) std::this_thread::yield();
}

CaptureSlots::CaptureSlots(const PipewireApi& api, std::shared_ptr<ClockDomain> domain)
    : api_(api), domain_(std::move(domain)) {}

std::size_t CaptureSlots::add(std::shared_ptr<SourceSlot> slot) {
  const std::size_t index = count();
  slots_[index] = std::move(slot);
  count_.store(index + 1, std::memory_order_release);
  return index;
}

void CaptureSlots::forget_ports() noexcept {
  for (std::size_t i = 0; i < count(); ++i) {
    const std::uint32_t ports = slots_[i]->port_count.load(std::memory_order_relaxed);
    for (std::uint32_t p = 0; p < ports; ++p) slots_[i]->ports[p].handle.store(nullptr);
  }
  for (MeterPort& meter : meters_) meter.handle.store(nullptr);
}

const float* CaptureSlots::take_frames(void* handle, std::uint32_t frames) noexcept {
  if (!handle) return nullptr;
  pw_buffer* const buffer = api_.filter_dequeue_buffer(handle);
  if (!buffer) return nullptr;
  const spa_data& data = buffer->buffer->datas[0];
  // A linked port whose programs gave nothing in this cycle (just killed, not started yet, paused)
  // gets zeros from PipeWire's mixer, marked as empty: silence of PipeWire's, not of the program's.
  const bool empty = (data.chunk->flags & SPA_CHUNK_FLAG_EMPTY) != 0;
  const bool whole = !empty && data.data && data.maxsize >= frames * sizeof(float);
  // Given back at once, as pw_filter_get_dsp_buffer() does: nobody writes there before the next
  // cycle.
  api_.filter_queue_buffer(handle, buffer);
  return whole ? static_cast<const float*>(data.data) : nullptr;
}

void CaptureSlots::push(SourceSlot& slot, const Stamp* stamp, const spa_io_clock& live_clock,
                        std::int64_t now_ns) noexcept {
  const std::uint32_t frames = newest_.frames;
  const bool in_step = slot.call_order.in_step(newest_);
  std::array<const float*, kMaxPortsOfSource> inputs;
  const std::uint32_t ports = slot.port_count.load(std::memory_order_acquire);
  bool any = false;
  for (std::uint32_t p = 0; p < ports; ++p) {
    inputs[p] = take_frames(slot.ports[p].handle.load(std::memory_order_acquire), frames);
    any = any || inputs[p];
  }
  if (!any) {
    slot.feed.skip_packet();
    return;
  }
  slot.last_delivery_ns.store(now_ns, std::memory_order_relaxed);
  if (!stamp) return;

  slot.busy.store(true);
  if (slot.pushing.load()) {
    if (float* const room = slot.feed.begin_packet(frames)) {
      for (std::uint32_t c = 0; c < slot.feed.channels(); ++c) {
        float* const out = room + std::size_t{c} * frames;
        bool first = true;
        for (std::uint32_t p = 0; p < ports; ++p) {
          const float weight = slot.ports[p].weights[c];
          if (!inputs[p] || weight == 0.0F) continue;
          add_weighted(out, inputs[p], weight, frames, first);
          first = false;
        }
        if (first) std::memset(out, 0, frames * sizeof(float));
      }
      // The programs write into these buffers again as soon as the driver starts the next cycle.
      std::atomic_thread_fence(std::memory_order_acquire);
      const std::uint64_t now_at =
          *static_cast<const volatile std::uint64_t*>(&live_clock.position);
      const bool overtaken = now_at != static_cast<std::uint64_t>(newest_.position);
      if (in_step && !overtaken) {
        slot.feed.commit_packet(*stamp);
        slot.packets.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }
  slot.busy.store(false);
}

void CaptureSlots::measure(std::uint32_t frames) noexcept {
  const std::size_t count = meter_count_.load(std::memory_order_acquire);
  for (std::size_t m = 0; m < count; ++m) {
    const float* const in = take_frames(meters_[m].handle.load(std::memory_order_acquire), frames);
    if (!in) continue;
    float peak = 0;
    for (std::uint32_t i = 0; i < frames; ++i) peak = std::max(peak, std::fabs(in[i]));
    // The control thread only ever sets it to 0: a peak that meets this is kept for the next look.
    if (peak > meters_[m].peak.load(std::memory_order_relaxed)) {
      meters_[m].peak.store(peak, std::memory_order_relaxed);
    }
    meters_[m].heard.store(true, std::memory_order_relaxed);
  }
}

const Stamp* CaptureSlots::stamp_cycle(const spa_io_clock& clock) noexcept {
  ClockReading reading;
  // PipeWire gives the id of a driver that has gone to the next one.
  reading.clock_id = (std::uint64_t{generation_.load(std::memory_order_relaxed)} << 32) | clock.id;
  reading.rate = clock.rate.denom;
  reading.position = static_cast<std::int64_t>(clock.position);
  reading.frames = static_cast<std::uint32_t>(clock.duration);
  reading.host_time = HostTime(static_cast<std::int64_t>(clock.nsec));

  const bool same_clock =
      newest_.frames > 0 && newest_.clock_id == reading.clock_id && newest_.rate == reading.rate;
  if (!same_clock || newest_.position != reading.position || newest_.frames != reading.frames) {
    const std::int64_t skipped = reading.position - newest_.position - newest_.frames;
    if (same_clock && skipped > 0 && skipped < std::int64_t{10} * reading.rate) {
      lost_cycles_.fetch_add(static_cast<std::uint64_t>(skipped) / reading.frames,
                             std::memory_order_relaxed);
    }
    stamped_ = domain_->stamp(reading, stamp_);
    newest_ = reading;
    clock_id_.store(clock.id, std::memory_order_relaxed);
    quantum_.store(reading.frames, std::memory_order_relaxed);
    rate_.store(reading.rate, std::memory_order_relaxed);
    cycles_.fetch_add(1, std::memory_order_relaxed);
  }
  return stamped_ ? &stamp_ : nullptr;
}

void CaptureSlots::process(const spa_io_position& position, SourceSlot* slot) noexcept {
  // First of all: the driver may write the next cycle's clock while this one is late.
  const spa_io_clock clock = position.clock;
  const ScopedThreadRole role(ThreadRole::capture);
  const auto frames = static_cast<std::uint32_t>(clock.duration);
  if (frames == 0 || clock.rate.denom == 0) return;

  const Stamp* const stamp = stamp_cycle(clock);
  const std::int64_t now_ns = SystemClock().now().count();
  if (thread_id_.load(std::memory_order_relaxed) == 0) thread_id_.store(current_thread_id());
  if (slot) {
    push(*slot, stamp, position.clock, now_ns);
    slot->last_cycle_ns.store(now_ns, std::memory_order_release);
  } else {
    measure(frames);
  }
  last_cycle_ns_.store(now_ns, std::memory_order_release);
}

}  // namespace pypac
