// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin/descriptor.hpp"
#include "plugin/sink.hpp"
#include "plugin/source.hpp"

namespace pypac {

/// A source, under the id by which tracks name it. The same object under the same id goes on.
struct SourceSpec {
  std::string id;
  std::shared_ptr<Source> source;
};

struct SendSpec {
  std::string source;
  double gain_db = 0;
};

struct FilterSpec {
  std::string id;  // unique in its track
  std::string kind;
  ParamValues params;
  bool bypassed = false;
};

struct TrackSpec {
  std::string id;
  std::uint32_t channels = 2;
  double gain_db = 0;
  bool muted = false;
  std::vector<SendSpec> sends;
  std::vector<FilterSpec> filters;
};

struct OutputSpec {
  std::string id;
  std::shared_ptr<Sink> sink;
  std::vector<std::string> tracks;  // in the sink's order
};

/// What shall run, by names alone. The order says nothing but in which order things are listed.
struct GraphSpec {
  std::vector<SourceSpec> sources;
  std::vector<TrackSpec> tracks;
  std::vector<OutputSpec> outputs;
};

}  // namespace pypac
