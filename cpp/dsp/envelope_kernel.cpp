// SPDX-License-Identifier: MIT
#include "dsp/envelope_kernel.hpp"

#include <cstring>

#include "dsp/log_lanes.hpp"

namespace pypac::PYPAC_LANES_NAMESPACE {
namespace {

constexpr std::size_t kCount = Lanes::kCount;
constexpr float kLoudest = 1024;  // 60 dBFS

alignas(32) constexpr float kPlaces[8] = {0, 1, 2, 3, 4, 5, 6, 7};

Lanes load_some(const float* from, std::size_t count) noexcept {
  float some[kCount] = {};
  for (std::size_t i = 0; i < count; ++i) some[i] = from[i];
  return Lanes::load(some);
}

void store_some(Lanes lanes, float* to, std::size_t count) noexcept {
  float some[kCount];
  lanes.store(some);
  for (std::size_t i = 0; i < count; ++i) to[i] = some[i];
}

/// `make(load, i)` gives the lanes from frame i on, of all that it loads with load(pointer).
template <typename Make>
void along(float* to, std::size_t frames, Make make) noexcept {
  std::size_t i = 0;
  for (; i + kCount <= frames; i += kCount)
    make([i](const float* from) { return Lanes::load(from + i); }, i).store(to + i);
  if (const std::size_t rest = frames - i; rest > 0)
    store_some(make([i, rest](const float* from) { return load_some(from + i, rest); }, i), to + i,
               rest);
}

void loudest(float* level, const float* const* channels, std::size_t count, bool add,
             std::size_t frames) noexcept {
  along(level, frames, [=](auto load, std::size_t) {
    Lanes most = add ? load(level) : Lanes(0.0F);
    for (std::size_t c = 0; c < count; ++c) most = max(abs(load(channels[c])), most);
    return min(most, Lanes(kLoudest));
  });
}

void copy_sane(float* to, const float* from, std::size_t frames) noexcept {
  along(to, frames, [=](auto load, std::size_t) {
    const Lanes samples = load(from);
    return samples & (abs(samples) <= Lanes(kLoudest));
  });
}

/// Takes one series through `step`, the same in all lanes: that needs no transposition.
template <typename Step>
void alone(float* values, std::size_t frames, Step& step) noexcept {
  constexpr std::size_t kSome = 64;
  float made[kSome * kCount];
  Step run = step;
  for (std::size_t i = 0; i < frames; i += kSome) {
    const std::size_t some = frames - i < kSome ? frames - i : kSome;
    for (std::size_t n = 0; n < some; ++n) run(Lanes(values[i + n])).store(made + n * kCount);
    for (std::size_t n = 0; n < some; ++n) values[i + n] = made[n * kCount];
  }
  step = run;
}

/// Takes up to a lane's count of series through `step`, frame by frame.
template <typename Entry, typename Step>
void side_by_side(Entry* const* entries, std::size_t count, std::size_t frames,
                  Step& step) noexcept {
  if (count == 1) return alone(entries[0]->values, frames, step);
  Lanes rows[kCount];
  for (std::size_t i = 0; i < frames; i += kCount) {
    const std::size_t some = frames - i < kCount ? frames - i : kCount;
    for (std::size_t t = 0; t < kCount; ++t) {
      if (t >= count)
        rows[t] = Lanes(0.0F);
      else
        rows[t] = some == kCount ? Lanes::load(entries[t]->values + i)
                                 : load_some(entries[t]->values + i, some);
    }
    transpose(rows);
    if (some == kCount) {
      for (std::size_t n = 0; n < kCount; ++n) rows[n] = step(rows[n]);
    } else {
      for (std::size_t n = 0; n < some; ++n) rows[n] = step(rows[n]);
    }
    transpose(rows);
    for (std::size_t t = 0; t < count; ++t) {
      if (some == kCount)
        rows[t].store(entries[t]->values + i);
      else
        store_some(rows[t], entries[t]->values + i, some);
    }
  }
}

template <typename Entry>
Lanes gather(Entry* const* entries, std::size_t count, float Entry::*member) noexcept {
  float all[kCount];
  for (std::size_t t = 0; t < kCount; ++t) all[t] = entries[t < count ? t : 0]->*member;
  return Lanes::load(all);
}

template <typename Entry>
void scatter(Lanes lanes, Entry* const* entries, std::size_t count, float Entry::*member) noexcept {
  float all[kCount];
  lanes.store(all);
  for (std::size_t t = 0; t < count; ++t) entries[t]->*member = all[t];
}

/// The quicker of both ways is the higher one where rising is quicker, else the lower one: no
/// comparison stands in the way of the next frame.
template <bool AllRiseQuicker>
struct FollowStep {
  Lanes rise;
  Lanes fall;
  Lanes rise_rest;
  Lanes fall_rest;
  Mask rises_quicker;
  Lanes value;

  FollowStep(Follower* const* followers, std::size_t count) noexcept
      : rise(gather(followers, count, &Follower::rise)),
        fall(gather(followers, count, &Follower::fall)),
        rise_rest(Lanes(1.0F) - rise),
        fall_rest(Lanes(1.0F) - fall),
        rises_quicker(rise <= fall),
        value(gather(followers, count, &Follower::value)) {}

  Lanes operator()(Lanes x) noexcept {
    const Lanes up = rise_rest * x + rise * value;
    const Lanes down = fall_rest * x + fall * value;
    if constexpr (AllRiseQuicker)
      value = max(up, down);
    else
      value = select(rises_quicker, max(up, down), min(up, down));
    return value;
  }
};

/// What an addition cuts off is kept and comes with the next one.
struct ExactStep {
  Lanes rise_share;
  Lanes fall_share;
  Lanes value;
  Lanes rest;

  ExactStep(Follower* const* followers, std::size_t count) noexcept
      : rise_share(Lanes(1.0F) - gather(followers, count, &Follower::rise)),
        fall_share(Lanes(1.0F) - gather(followers, count, &Follower::fall)),
        value(gather(followers, count, &Follower::value)),
        rest(gather(followers, count, &Follower::rest)) {}

  Lanes operator()(Lanes x) noexcept {
    const Lanes way = x - value;
    const Lanes step = select(way > Lanes(0.0F), rise_share, fall_share) * way + rest;
    const Lanes next = value + step;
    rest = step - (next - value);
    value = next;
    return value;
  }
};

template <typename Follow>
struct RootMeanStep {
  Follow follow;
  RootMeanStep(Follower* const* followers, std::size_t count) noexcept : follow(followers, count) {}
  Lanes operator()(Lanes x) noexcept { return sqrt(follow(x * x)); }
};

template <typename Step>
Lanes value_of(const Step& step) noexcept {
  if constexpr (requires { step.follow; })
    return step.follow.value;
  else
    return step.value;
}

template <typename Step>
void run_followers(Follower* const* followers, std::size_t count, std::size_t frames) noexcept {
  Step step(followers, count);
  side_by_side(followers, count, frames, step);
  scatter(value_of(step), followers, count, &Follower::value);
}

/// Calls `run(first, count)` for as many as there are lanes, again and again.
template <typename Run>
void in_groups(std::size_t count, Run run) noexcept {
  for (std::size_t at = 0; at < count; at += kCount)
    run(at, count - at < kCount ? count - at : kCount);
}

void follow(Follower* const* followers, std::size_t count, std::size_t frames) noexcept {
  in_groups(count, [=](std::size_t at, std::size_t some) {
    if (any(gather(followers + at, some, &Follower::rise) >
            gather(followers + at, some, &Follower::fall)))
      run_followers<FollowStep<false>>(followers + at, some, frames);
    else
      run_followers<FollowStep<true>>(followers + at, some, frames);
  });
}

void follow_exactly(Follower* const* followers, std::size_t count, std::size_t frames) noexcept {
  in_groups(count, [=](std::size_t at, std::size_t some) {
    ExactStep step(followers + at, some);
    side_by_side(followers + at, some, frames, step);
    scatter(step.value, followers + at, some, &Follower::value);
    scatter(step.rest, followers + at, some, &Follower::rest);
  });
}

void root_mean(Follower* const* followers, std::size_t count, std::size_t frames) noexcept {
  in_groups(count, [=](std::size_t at, std::size_t some) {
    run_followers<RootMeanStep<FollowStep<true>>>(followers + at, some, frames);
  });
}

IntLanes gather_whole(GateRamp* const* ramps, std::size_t count,
                      std::int32_t GateRamp::*member) noexcept {
  float all[kCount];
  for (std::size_t t = 0; t < kCount; ++t)
    std::memcpy(&all[t], &(ramps[t < count ? t : 0]->*member), sizeof(float));
  return bits_of(Lanes::load(all));
}

struct RampStep {
  Lanes open_above;
  Lanes loudest;  // that counts: what is louder would keep it open while the level falls from there
  Lanes close_below;
  Lanes slack;
  Lanes hold;
  Lanes up;  // whole numbers, as all below but the level and the hold
  Lanes up_held;
  Lanes down;
  Lanes level;
  Lanes held;
  IntLanes share;
  Mask open;

  RampStep(GateRamp* const* ramps, std::size_t count) noexcept
      : open_above(gather(ramps, count, &GateRamp::open_above)),
        loudest(open_above + open_above),
        close_below(gather(ramps, count, &GateRamp::close_below)),
        slack(gather(ramps, count, &GateRamp::slack)),
        hold(gather(ramps, count, &GateRamp::hold)),
        up(from_bits(gather_whole(ramps, count, &GateRamp::up))),
        up_held(from_bits(gather_whole(ramps, count, &GateRamp::up_held))),
        down(from_bits(splat(0) - gather_whole(ramps, count, &GateRamp::down))),
        level(gather(ramps, count, &GateRamp::level)),
        held(gather(ramps, count, &GateRamp::held)),
        share(gather_whole(ramps, count, &GateRamp::share)),
        open(gather(ramps, count, &GateRamp::is_open) > Lanes(0.0F)) {}

  Lanes operator()(Lanes x) noexcept {
    level = max(level - slack, min(x, loudest));
    open = (x > open_above) | (open & (level >= close_below));
    held = and_not(open, held + Lanes(1.0F));
    const IntLanes way = bits_of(select(open, up, select(held > hold, down, up_held)));
    const IntLanes next = share + way;
    const IntLanes room = splat(GateRamp::kOpen) - next;
    const IntLanes at_most = next + (room & shift_right<31>(room));
    share = at_most - (at_most & shift_right<31>(at_most));
    return to_float(share) * Lanes(1.0F / GateRamp::kOpen);
  }

  void keep(GateRamp* const* ramps, std::size_t count) const noexcept {
    scatter(level, ramps, count, &GateRamp::level);
    scatter(held, ramps, count, &GateRamp::held);
    scatter(open & Lanes(1.0F), ramps, count, &GateRamp::is_open);
    float shares[kCount];
    from_bits(share).store(shares);
    for (std::size_t t = 0; t < count; ++t)
      std::memcpy(&ramps[t]->share, &shares[t], sizeof(float));
  }
};

void ramp(GateRamp* const* ramps, std::size_t count, std::size_t frames) noexcept {
  in_groups(count, [=](std::size_t at, std::size_t some) {
    RampStep step(ramps + at, some);
    side_by_side(ramps + at, some, frames, step);
    step.keep(ramps + at, some);
  });
}

template <typename T>
Lanes share_at(const Way<T>& way, std::size_t frame) noexcept {
  return (Lanes(way.first + static_cast<float>(frame)) + Lanes::load(kPlaces)) * Lanes(way.step);
}

Lanes between(Lanes from, Lanes to, Lanes share) noexcept {
  return from + share * (to - from);
}

struct CurveLanes {
  Lanes sign;
  Lanes threshold;
  Lanes bottom;
  Lanes half_knee;
  Lanes knee;
  Lanes knee_share;
  Lanes slope;
  Lanes low;
  Lanes high;

  explicit CurveLanes(const LevelCurve& curve) noexcept
      : sign(curve.sign),
        threshold(curve.threshold),
        bottom(curve.bottom),
        half_knee(curve.half_knee),
        knee(2 * curve.half_knee),
        knee_share(curve.knee_share),
        slope(curve.slope),
        low(curve.low),
        high(curve.high) {}

  [[nodiscard]] Lanes at(Lanes level) const noexcept {
    const Lanes over = min(sign * (level - threshold), level - bottom);
    const Lanes in_knee = clamp(over + half_knee, Lanes(0.0F), knee);
    const Lanes bent = in_knee * in_knee * knee_share + max(over - half_knee, Lanes(0.0F));
    return clamp(slope * bent, low, high);
  }
};

void curve(float* values, const Way<LevelCurve>& way, std::size_t frames) noexcept {
  const CurveLanes to(*way.to);
  if (!way.from)
    return along(values, frames, [&](auto load, std::size_t) { return to.at(log2(load(values))); });
  const CurveLanes from(*way.from);
  along(values, frames, [&](auto load, std::size_t i) {
    const Lanes level = log2(load(values));
    return between(from.at(level), to.at(level), share_at(way, i));
  });
}

/// A number of the stage at the frames from i on.
Lanes stage_at(const Way<GainStage>& way, float GainStage::*member, std::size_t i) noexcept {
  const Lanes to(way.to->*member);
  return way.from ? between(Lanes(way.from->*member), to, share_at(way, i)) : to;
}

float smallest_of(Lanes lanes, std::size_t count) noexcept {
  float all[kCount];
  lanes.store(all);
  float smallest = all[0];
  for (std::size_t i = 1; i < count; ++i) smallest = all[i] < smallest ? all[i] : smallest;
  return smallest;
}

/// make(v, i) gives the gain, and in its second argument what the smallest is wanted of.
template <typename Make>
float gains(float* values, std::size_t frames, Make make) noexcept {
  Lanes smallest(1e9F);
  Lanes measured;
  std::size_t i = 0;
  for (; i + kCount <= frames; i += kCount) {
    make(Lanes::load(values + i), i, measured).store(values + i);
    smallest = min(measured, smallest);
  }
  float least = smallest_of(smallest, kCount);
  if (const std::size_t rest = frames - i; rest > 0) {
    store_some(make(load_some(values + i, rest), i, measured), values + i, rest);
    const float last = smallest_of(measured, rest);
    least = last < least ? last : least;
  }
  return least;
}

float gain_of_log(float* values, const Way<GainStage>& way, std::size_t frames) noexcept {
  if (way.from)
    return gains(values, frames, [&](Lanes v, std::size_t i, Lanes& measured) {
      measured = v * stage_at(way, &GainStage::depth, i);
      return stage_at(way, &GainStage::dry, i) + stage_at(way, &GainStage::wet, i) * exp2(measured);
    });
  const Lanes dry(way.to->dry);
  const Lanes wet(way.to->wet);
  const Lanes depth(way.to->depth);
  return gains(values, frames, [=](Lanes v, std::size_t, Lanes& measured) {
    measured = v * depth;
    return dry + wet * exp2(measured);
  });
}

float gain_of_share(float* values, const Way<GainStage>& way, std::size_t frames) noexcept {
  return gains(values, frames, [&](Lanes v, std::size_t i, Lanes& measured) {
    measured = stage_at(way, &GainStage::dry, i) + stage_at(way, &GainStage::wet, i) * v;
    return measured;
  });
}

void scale(float* samples, const float* gain, std::size_t frames) noexcept {
  along(samples, frames, [=](auto load, std::size_t) { return load(samples) * load(gain); });
}

void scale_band(float* samples, const float* band, const float* gain, const Way<GainStage>& way,
                std::size_t frames) noexcept {
  along(samples, frames, [&](auto load, std::size_t i) {
    const Lanes x = load(samples);
    const Lanes part = between(x, load(band), stage_at(way, &GainStage::split, i));
    return x + (load(gain) - Lanes(1.0F)) * part;
  });
}

constexpr EnvelopeKernels kKernels{
    .loudest = loudest,
    .copy_sane = copy_sane,
    .follow = follow,
    .follow_exactly = follow_exactly,
    .root_mean = root_mean,
    .ramp = ramp,
    .curve = curve,
    .gain_of_log = gain_of_log,
    .gain_of_share = gain_of_share,
    .scale = scale,
    .scale_band = scale_band,
};

}  // namespace

const EnvelopeKernels& envelope_kernels() noexcept {
  return kKernels;
}

}  // namespace pypac::PYPAC_LANES_NAMESPACE
