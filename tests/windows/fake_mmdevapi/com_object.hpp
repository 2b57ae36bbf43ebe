// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "report.hpp"
#include "windows_headers.hpp"

namespace fake {

/// A COM object on the heap, with its references counted in the report. Made with one reference.
template <class First, class... More>
class ComObject : public First, public More... {
 public:
  explicit ComObject(const char* type) : id_(report().opened(type)) {}
  ComObject(const ComObject&) = delete;
  ComObject& operator=(const ComObject&) = delete;

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** out) override {
    if (!out) return E_POINTER;
    *out = nullptr;
    if (iid == __uuidof(IUnknown)) {
      *out = static_cast<First*>(this);
    } else if (!take<First>(iid, out) && !(take<More>(iid, out) || ...)) {
      *out = other_interface(iid);
    }
    if (!*out) return no_interface(iid);
    AddRef();
    return S_OK;
  }
  ULONG STDMETHODCALLTYPE AddRef() override {
    const ULONG count = ++references_;
    report().references(id_, count);
    return count;
  }
  ULONG STDMETHODCALLTYPE Release() override {
    const ULONG count = --references_;
    report().references(id_, count);
    if (count == 0) {
      released();
      report().closed(id_);
      delete this;
    }
    return count;
  }

 protected:
  virtual ~ComObject() = default;
  /// A base interface of one of the interfaces.
  virtual void* other_interface(REFIID) { return nullptr; }
  virtual HRESULT no_interface(REFIID) { return E_NOINTERFACE; }
  /// The last reference goes; before the destructor.
  virtual void released() {}

 private:
  template <class Interface>
  bool take(REFIID iid, void** out) {
    if (iid != __uuidof(Interface)) return false;
    *out = static_cast<Interface*>(this);
    return true;
  }

  const std::uint64_t id_;
  std::atomic<ULONG> references_{1};
};

/// Owns one reference.
template <class Interface>
class ComPointer {
 public:
  ComPointer() = default;
  explicit ComPointer(Interface* taken) : pointer_(taken) {}
  ComPointer(const ComPointer& other) : pointer_(other.pointer_) {
    if (pointer_) pointer_->AddRef();
  }
  ComPointer(ComPointer&& other) noexcept : pointer_(other.pointer_) { other.pointer_ = nullptr; }
  ComPointer& operator=(ComPointer other) noexcept {
    Interface* const old = pointer_;
    pointer_ = other.pointer_;
    other.pointer_ = old;
    return *this;
  }
  ~ComPointer() {
    if (pointer_) pointer_->Release();
  }
  [[nodiscard]] static ComPointer share(Interface* borrowed) {
    if (borrowed) borrowed->AddRef();
    return ComPointer(borrowed);
  }
  /// Gives the reference away.
  [[nodiscard]] Interface* detach() {
    Interface* const given = pointer_;
    pointer_ = nullptr;
    return given;
  }
  [[nodiscard]] Interface* get() const { return pointer_; }
  Interface* operator->() const { return pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }

 private:
  Interface* pointer_ = nullptr;
};

}  // namespace fake
