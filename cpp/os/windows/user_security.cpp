// SPDX-License-Identifier: MIT
#include "os/windows/user_security.hpp"

#include <array>
#include <cstddef>
#include <string>

#include "core/status.hpp"
#include "os/windows/handle.hpp"
#include "os/windows/wide_text.hpp"

namespace pypac {
namespace {

[[noreturn]] void refuse() {
  const DWORD error = GetLastError();
  throw Failure(ErrorKind::permission_denied,
                "nothing can be made that is this user's alone: " + error_text(error),
                "Run this program as the user who is logged in, and without a sandbox.",
                static_cast<long>(error));
}

}  // namespace

std::vector<std::byte> user_sid() {
  HANDLE opened = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened) == 0) return {};
  const Handle token(opened);
  alignas(TOKEN_USER) std::array<std::byte, sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE> user;
  DWORD bytes = 0;
  if (GetTokenInformation(token.get(), TokenUser, user.data(), static_cast<DWORD>(user.size()),
                          &bytes) == 0)
    return {};
  const PSID sid = reinterpret_cast<const TOKEN_USER*>(user.data())->User.Sid;
  std::vector<std::byte> copy(GetLengthSid(sid));
  if (CopySid(static_cast<DWORD>(copy.size()), copy.data(), sid) == 0) return {};
  return copy;
}

bool belongs_to(HANDLE object, const std::vector<std::byte>& sid) noexcept {
  alignas(SECURITY_DESCRIPTOR)
      std::array<std::byte, sizeof(SECURITY_DESCRIPTOR) + SECURITY_MAX_SID_SIZE>
          descriptor;
  DWORD bytes = 0;
  PSID owner = nullptr;
  BOOL by_default = FALSE;
  return !sid.empty() &&
         GetKernelObjectSecurity(object, OWNER_SECURITY_INFORMATION, descriptor.data(),
                                 static_cast<DWORD>(descriptor.size()), &bytes) != 0 &&
         GetSecurityDescriptorOwner(descriptor.data(), &owner, &by_default) != 0 && owner &&
         EqualSid(owner, const_cast<std::byte*>(sid.data())) != 0;
}

UserOnly::UserOnly() : sid_(user_sid()) {
  if (sid_.empty()) refuse();
  access_list_.resize(sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + sid_.size());
  const auto list = reinterpret_cast<ACL*>(access_list_.data());
  if (InitializeAcl(list, static_cast<DWORD>(access_list_.size()), ACL_REVISION) == 0 ||
      AddAccessAllowedAce(list, ACL_REVISION, GENERIC_ALL, sid_.data()) == 0 ||
      InitializeSecurityDescriptor(&descriptor_, SECURITY_DESCRIPTOR_REVISION) == 0 ||
      SetSecurityDescriptorOwner(&descriptor_, sid_.data(), FALSE) == 0 ||
      SetSecurityDescriptorDacl(&descriptor_, TRUE, list, FALSE) == 0 ||
      SetSecurityDescriptorControl(&descriptor_, SE_DACL_PROTECTED, SE_DACL_PROTECTED) == 0)
    refuse();
  attributes_ = {sizeof attributes_, &descriptor_, FALSE};
}

UserOnly::~UserOnly() = default;

}  // namespace pypac
