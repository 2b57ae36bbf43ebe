// SPDX-License-Identifier: MIT
#include "allocation_counter.hpp"

#include <atomic>
#include <new>

#include "aligned_memory.hpp"
#include "core/thread_role.hpp"

namespace {

thread_local std::size_t count_of_this_thread = 0;
std::atomic<std::size_t> realtime_count{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++count_of_this_thread;
  if (pypac::on_realtime_thread()) realtime_count.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* memory = pypac::test::aligned_memory(alignment, rounded > 0 ? rounded : alignment)) {
    return memory;
  }
  throw std::bad_alloc();
}

}  // namespace

std::size_t pypac::test::allocations() noexcept {
  return count_of_this_thread;
}

std::size_t pypac::test::realtime_allocations() noexcept {
  return realtime_count.load(std::memory_order_relaxed);
}

void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete[](void* memory) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  pypac::test::free_aligned_memory(memory);
}
