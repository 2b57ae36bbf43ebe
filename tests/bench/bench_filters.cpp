// SPDX-License-Identifier: MIT
// How many times faster than real time filter chains are, over a signal that is read from a file:
// raw float32 at 48 kHz, all of the left channel, then all of the right.
//   bench_filters chains|engine TRACKS SECONDS SIGNAL [KIND[:PARAM=VALUE]...]...
// "chains": the chains of that many stereo tracks and nothing else, eight tracks side by side.
// "engine": a whole session without outputs: sources, mixing, chains, delays, meters.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/flush_to_zero.hpp"
#include "core/host_clock.hpp"
#include "core/thread_role.hpp"
#include "engine/engine.hpp"
#include "filters/builtin_filters.hpp"
#include "timeline/clock_domain.hpp"

namespace {

using namespace pypac;

constexpr std::uint32_t kRate = 48000;
constexpr std::uint32_t kBlock = 480;

/// A whole number of blocks, again and again.
class LoopedSource final : public Source {
 public:
  explicit LoopedSource(std::vector<float>& planar)
      : frames_(static_cast<Frames>(planar.size() / 2)),
        left_(planar.data()),
        right_(planar.data() + frames_),
        clock_(kRate) {}
  void start(HostTime /*origin*/) override {}
  void stop() noexcept override {}
  [[nodiscard]] Taken read(const Wanted& wanted, GapSink& /*gaps*/) noexcept override {
    const Frames at = wanted.begin % frames_;
    shown_[0] = left_ + at;
    shown_[1] = right_ + at;
    return {wanted.frames, shown_};
  }
  [[nodiscard]] std::uint32_t channels() const noexcept override { return 2; }
  [[nodiscard]] const ClockDomain& clock() const noexcept override { return clock_; }
  [[nodiscard]] Cause absence() const noexcept override { return Cause::stalled; }

 private:
  Frames frames_;
  const float* left_;
  const float* right_;
  const float* shown_[2] = {};
  ClockDomain clock_;
};

std::vector<float> read_signal(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  const std::size_t frames = bytes.size() / sizeof(float) / 2;
  const std::size_t whole = frames / kBlock * kBlock;
  std::vector<float> planar(2 * whole);
  for (std::size_t c = 0; c < 2; ++c)
    std::copy_n(bytes.data() + c * frames * sizeof(float), whole * sizeof(float),
                reinterpret_cast<char*>(planar.data() + c * whole));
  return planar;
}

ParamValue value_of(const ParamInfo& param, const std::string& text) {
  if (param.type == ParamType::number || param.type == ParamType::integer)
    return std::atof(text.c_str());
  if (param.type == ParamType::boolean) return text == "true";
  return text;
}

/// KIND:PARAM=VALUE:...
FilterSpec parse(const std::string& text, int index) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  FilterSpec spec{std::to_string(index), words[0], {}};
  const PluginInfo& info = builtin_filters().info(spec.kind);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    const std::string id = words[i].substr(0, equals);
    spec.params[id] = value_of(info.params[param_index(info, id)], words[i].substr(equals + 1));
  }
  return spec;
}

/// The CPU time that the chains of `tracks` tracks take, in seconds.
double run_chains(int tracks, int seconds, std::vector<float>& planar,
                  const std::vector<FilterSpec>& filters) {
  const std::size_t frames = planar.size() / 2;
  std::vector<TrackChain> chains;
  std::vector<std::unique_ptr<BlockBuffer>> blocks;
  for (int i = 0; i < tracks; ++i) {
    TrackChain chain;
    for (const FilterSpec& filter : filters)
      chain.links.push_back(
          {std::make_shared<FilterSlot>(filter.id, builtin_filters().create(filter.kind),
                                        SlotOptions{kRate, 2, kBlock}, filter.params, false, true),
           {},
           false});
    chain.lines = std::make_shared<ChainLines>(2, kRate, kBlock, 0, 0, std::nullopt);
    chains.push_back(std::move(chain));
    blocks.push_back(std::make_unique<BlockBuffer>(2, kBlock));
  }
  std::vector<TrackChain::Run> runs;
  for (std::size_t i = 0; i < chains.size(); ++i)
    runs.push_back({&chains[i], blocks[i]->block(kBlock)});
  const std::clock_t begin = std::clock();
  {
    const ScopedThreadRole role(ThreadRole::pump);
    const ScopedFlushToZero flush_to_zero;
    for (Frames at = 0; at < Frames{seconds} * kRate; at += kBlock) {
      const std::size_t from = static_cast<std::size_t>(at) % frames;
      for (const TrackChain::Run& run : runs)
        for (std::size_t c = 0; c < 2; ++c)
          std::copy_n(planar.data() + c * frames + from, kBlock, run.block.channels[c]);
      for (std::size_t i = 0; i < runs.size(); i += FilterSlot::kMaxBank)
        TrackChain::filter_bank(
            std::span(runs).subspan(i, std::min(FilterSlot::kMaxBank, runs.size() - i)), at);
    }
  }
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

double run_engine(int tracks, int seconds, std::vector<float>& planar,
                  const std::vector<FilterSpec>& filters) {
  ManualClock clock;
  Engine engine({kRate, kBlock, 1920}, builtin_filters(), clock);
  std::vector<SourceSpec> sources;
  std::vector<TrackSpec> specs;
  for (int i = 0; i < tracks; ++i) {
    const std::string id = std::to_string(i);
    sources.push_back({id, std::make_shared<LoopedSource>(planar)});
    specs.push_back({.id = id, .sends = {{id}}, .filters = filters});
  }
  engine.apply(sources, specs);
  const std::clock_t begin = std::clock();
  for (int second = 0; second < seconds; ++second) engine.run_offline(kRate);
  const double cpu = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  engine.finish_offline();
  return cpu;
}

int run(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: bench_filters chains|engine TRACKS SECONDS SIGNAL [KIND...]\n");
    return 2;
  }
  const int tracks = std::atoi(argv[2]);
  const int seconds = std::atoi(argv[3]);
  std::vector<float> planar = read_signal(argv[4]);
  std::vector<FilterSpec> filters;
  for (int i = 5; i < argc; ++i) filters.push_back(parse(argv[i], i));
  const bool whole = std::string_view(argv[1]) == "engine";
  const double cpu = whole ? run_engine(tracks, seconds, planar, filters)
                           : run_chains(tracks, seconds, planar, filters);
  std::printf("{\"tracks\": %d, \"audio_s\": %d, \"cpu_s\": %.4f}\n", tracks, seconds, cpu);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench_filters: %s\n", failure.what());
    return 1;
  }
}
