// SPDX-License-Identifier: MIT
// Stands in for VirtualSources where PipeWire's headers were missing at build time.
#include "core/status.hpp"
#include "sinks/pipewire/virtual_sources.hpp"

namespace pypac {

class VirtualSources::Nodes {};

VirtualSources::VirtualSources(const VirtualSourcesOptions&, std::vector<std::string>,
                               std::shared_ptr<Playout>) {
  throw Failure(ErrorKind::unsupported, "this build has no virtual sources",
                "Install libpipewire-0.3-dev and build the package again.");
}
VirtualSources::~VirtualSources() = default;
std::vector<VirtualSources::Status> VirtualSources::status() {
  return {};
}
void VirtualSources::stop() noexcept {}

}  // namespace pypac
