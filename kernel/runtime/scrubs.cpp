#include "kernel/runtime/scrubs.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

constexpr std::int64_t turn_us_max = 1'000'000;  // what a turn makes up for at most

struct LastRound {
    Time ended{};
};
RECORD(LastRound, ended);

}  // namespace

Result<void> Scrubs::turn() {
    load_end();
    auto const now = parts_.clock.wall();
    auto const gone_us = std::clamp<std::int64_t>((now - turned_).us, 1000, turn_us_max);
    turned_ = now;
    {
        std::lock_guard lock(mutex_);
        bool const due = asked_ || (status_.next && now >= *status_.next);
        if (!scrubber_ && !due) return {};
    }
    if (!scrubber_) begin(now);
    auto found = scrubber_->step(std::max<std::uint64_t>(1, parts_.bytes_a_second * std::uint64_t(gone_us) / 1'000'000));
    if (!found) {
        std::lock_guard lock(mutex_);
        scrubber_.reset();
        status_.running = false, status_.next = now + Duration::hours(1);
        return std::unexpected(std::move(found.error()));
    }
    for (auto const& one : *found) tell(one);
    std::lock_guard lock(mutex_);
    status_.bytes_total += scrubber_->bytes() - status_.bytes;
    status_.segments = scrubber_->segments(), status_.bytes = scrubber_->bytes();
    if (!scrubber_->done()) return {};
    scrubber_.reset();
    status_.running = false, status_.ended = parts_.clock.wall(), status_.next.reset();
    ++status_.rounds_total;
    if (parts_.every.us > 0) status_.next = *status_.ended + parts_.every;
    observe::log_line(status_.damages.empty() ? observe::Level::info : observe::Level::error, "log", "scrubbed",
                      {{"segments", status_.segments}, {"bytes", status_.bytes}, {"damages", status_.damages.size()}});
    return remember_end();
}

void Scrubs::begin(Time now) {
    logs_ = parts_.logs();
    std::vector<std::string> directories;
    for (auto const& log : logs_) directories.push_back(log.directory);
    scrubber_.emplace(parts_.disk, std::move(directories));
    std::lock_guard lock(mutex_);
    asked_ = false;
    status_.running = true, status_.began = now, status_.segments = status_.bytes = 0;
    status_.damages.clear(), status_.next.reset();
}

void Scrubs::tell(log::Scrubber::Found const& found) {
    auto const& log = logs_[found.log];
    auto const& d = found.damage;
    {
        std::lock_guard lock(mutex_);
        ++status_.damages_total;
        status_.damages.push_back({log.site, log.service, d.file, d.offset, d.position, d.what});
    }
    Problem problem{500, "log_damaged",
                    "a scrub found damage in a sealed segment: restore the file from a backup, or see gantry log repair"};
    problem.cause = fmt::format("{} at offset {}, position {}: {}", d.file, d.offset, d.position, d.what);
    if (!parts_.reports) return;
    Failure const failure{.kind = "task", .service = log.service, .route = "scrub", .problem = &problem};
    parts_.reports->add(failure);
}

void Scrubs::ask() {
    std::lock_guard lock(mutex_);
    asked_ = true;
}

Scrubs::Status Scrubs::status() const {
    std::lock_guard lock(mutex_);
    return status_;
}

// A first start counts as the end of a round: there is nothing old yet.
void Scrubs::load_end() {
    if (std::exchange(loaded_, true)) return;
    auto const now = parts_.clock.wall();
    turned_ = now;
    std::optional<Time> ended;
    if (auto text = log::read_file(parts_.disk, parts_.file))
        if (auto last = codec::from_json<LastRound>(*text)) ended = last->ended;
    {
        std::lock_guard lock(mutex_);
        status_.ended = ended;
        if (parts_.every.us > 0) status_.next = std::min(ended.value_or(now), now) + parts_.every;
    }
    if (!ended) (void)log::write_file_durably(parts_.disk, parts_.file, codec::to_json(LastRound{now}) + "\n");
}

Result<void> Scrubs::remember_end() {
    return log::write_file_durably(parts_.disk, parts_.file, codec::to_json(LastRound{*status_.ended}) + "\n");
}

std::vector<Admin::Route> routes_of(Scrubs& scrubs) {
    using enum Admin::Where;
    auto show = [&](Admin::Asked const&) -> Result<std::string> { return codec::to_json(scrubs.status()); };
    return {{http::Method::Get, "scrub", at_once, show}, {http::Method::Post, "scrub", at_once, [&, show](Admin::Asked const& asked) {
                                                              scrubs.ask();
                                                              return show(asked);
                                                          }}};
}

}  // namespace gantry::runtime
