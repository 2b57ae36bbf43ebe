// SPDX-License-Identifier: MIT
#include "capture/pipewire/capture_slots.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
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

CaptureSlots::CaptureSlots(const PipewireApi& api, std::shared_ptr<GraphClocks> clocks)
    : api_(api), clocks_(std::move(clocks)) {
  PYPAC_ASSERT_NOT_REALTIME();
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

void CaptureSlots::push(SourceSlot& slot, const GraphClocks::Cycle& cycle,
                        const spa_io_clock& live_clock, std::int64_t now_ns) noexcept {
  const std::uint32_t frames = cycle.reading.frames;
  const bool in_step = slot.call_order.in_step(cycle.reading);
  std::array<const float*, kMaxPortsOfSource> inputs;
  const std::uint32_t ports = slot.port_count.load(std::memory_order_acquire);
  bool any = false;
  for (std::uint32_t p = 0; p < ports; ++p) {
    inputs[p] = take_frames(slot.ports[p].handle.load(std::memory_order_acquire), frames);
    any = any || inputs[p];
  }
  if (!any) {
    slot.tap->skip();
    return;
  }
  slot.last_delivery_ns.store(now_ns, std::memory_order_relaxed);
  if (!cycle.stamp) return;

  float* const room = slot.tap->begin(frames);
  if (!room) return;
  for (std::uint32_t c = 0; c < slot.tap->channels(); ++c) {
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
  const std::uint64_t now_at = *static_cast<const volatile std::uint64_t*>(&live_clock.position);
  const bool overtaken = now_at != static_cast<std::uint64_t>(cycle.reading.position);
  slot.tap->end(in_step && !overtaken ? cycle.stamp : nullptr, *cycle.domain);
}

void CaptureSlots::measure(std::uint32_t node, std::uint32_t frames) noexcept {
  const std::size_t count = meter_count_.load(std::memory_order_acquire);
  for (std::size_t m = 0; m < count; ++m) {
    if (meters_[m].node.load(std::memory_order_relaxed) != node) continue;
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

void CaptureSlots::process(const spa_io_position& position, SourceSlot* slot,
                           std::uint32_t meter_node, std::uint32_t& node_clock) noexcept {
  // First of all: the driver may write the next cycle's clock while this one is late.
  const spa_io_clock clock = position.clock;
  const ScopedThreadRole role(ThreadRole::capture);
  if (clock.duration == 0 || clock.rate.denom == 0) return;

  const GraphClocks::Cycle cycle = clocks_->read(clock, node_clock);
  const std::int64_t now_ns = SystemClock().now().count();
  if (thread_id_.load(std::memory_order_relaxed) == 0) thread_id_.store(current_thread_id());
  if (slot) {
    push(*slot, cycle, position.clock, now_ns);
    slot->last_cycle_ns.store(now_ns, std::memory_order_release);
  } else {
    measure(meter_node, cycle.reading.frames);
  }
  last_cycle_ns_.store(now_ns, std::memory_order_release);
}

}  // namespace pypac
