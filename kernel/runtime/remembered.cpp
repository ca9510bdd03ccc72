#include "kernel/runtime/remembered.h"

#include <cstring>

namespace gantry::runtime {

std::uint64_t Remembered::hash_of(ShortHash const& key) {
    std::uint64_t hash;  // a keyed hash is as good as random
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
}

Remembered::Command const* Remembered::find(ShortHash const& key) const {
    auto row = index_.find(hash_of(key), [&](std::uint32_t n) { return commands_[n + 1].key == key; });
    return row == state::HashIndex::none ? nullptr : &commands_[row + 1];
}

void Remembered::add(ShortHash const& key, ShortHash const& body, log::Position position, Time time) {
    auto n = commands_.add({key, body, position, time, 0, 0});
    index_.insert(hash_of(key), n - 1);
    if (newest_ != 0) commands_.change(newest_).newer = n;
    newest_ = n;
    if (oldest_ == 0) oldest_ = n;
}

void Remembered::forget_before(Time time) {
    while (oldest_ != 0 && commands_[oldest_].time < time) {
        auto const n = oldest_;
        index_.erase(hash_of(commands_[n].key), n - 1);
        oldest_ = commands_[n].newer;
        if (oldest_ == 0) newest_ = 0;
        commands_.remove(n);
    }
}

std::optional<log::Position> Remembered::oldest() const {
    if (oldest_ == 0) return {};
    return commands_[oldest_].position;
}

void Remembered::save(state::Out& out) const {
    out.number(std::uint64_t(commands_.size()));
    for (auto n = oldest_; n != 0; n = commands_[n].newer) {
        auto const& c = commands_[n];
        out.write(c.key.data(), c.key.size()), out.write(c.body.data(), c.body.size());
        out.number(c.position), out.number(c.time.us);
    }
}

bool Remembered::load(state::In& in) {
    std::uint64_t count;
    if (!in.number(count) || count > commands_max) return false;
    for (; count > 0; --count) {
        Command c;
        if (!in.read(c.key.data(), c.key.size()) || !in.read(c.body.data(), c.body.size()) || !in.number(c.position) ||
            !in.number(c.time.us) || find(c.key))
            return false;
        add(c.key, c.body, c.position, c.time);
    }
    return true;
}

}  // namespace gantry::runtime
