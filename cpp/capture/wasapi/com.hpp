// SPDX-License-Identifier: MIT
#pragma once

#include <objbase.h>
#include <windows.h>

#include <utility>

namespace pypac {

/// Owns one reference to a COM object.
template <typename Interface>
class ComPtr {
 public:
  ComPtr() = default;
  ComPtr(std::nullptr_t) {}
  ~ComPtr() { reset(); }
  ComPtr(const ComPtr& other) : object_(other.object_) {
    if (object_) object_->AddRef();
  }
  ComPtr(ComPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  ComPtr& operator=(ComPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  void reset() noexcept {
    if (object_) std::exchange(object_, nullptr)->Release();
  }
  [[nodiscard]] Interface* get() const noexcept { return object_; }
  Interface* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  /// Where a function shall put a new reference.
  [[nodiscard]] Interface** put() noexcept {
    reset();
    return &object_;
  }
  [[nodiscard]] void** put_void() noexcept { return reinterpret_cast<void**>(put()); }

  /// Another interface of the same object; empty: it has none.
  template <typename Other>
  [[nodiscard]] ComPtr<Other> as() const noexcept {
    ComPtr<Other> other;
    if (object_) object_->QueryInterface(__uuidof(Other), other.put_void());
    return other;
  }

 private:
  Interface* object_ = nullptr;
};

/// Puts the calling thread into the multithreaded apartment for as long as this object lives.
class ScopedApartment {
 public:
  ScopedApartment() noexcept : result_(CoInitializeEx(nullptr, COINIT_MULTITHREADED)) {}
  ~ScopedApartment() {
    if (SUCCEEDED(result_)) CoUninitialize();
  }
  ScopedApartment(const ScopedApartment&) = delete;
  ScopedApartment& operator=(const ScopedApartment&) = delete;

  [[nodiscard]] HRESULT result() const noexcept { return result_; }

 private:
  HRESULT result_;
};

}  // namespace pypac
