#include "app/import/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::import {
namespace {

constexpr std::int64_t redraw_ns = 100'000'000, line_ns = 3'000'000'000;

std::string grouped(std::uint64_t n) {
    std::string s = fmt::format("{}", n);
    for (auto at = std::ptrdiff_t(s.size()) - 3; at > 0; at -= 3) s.insert(std::size_t(at), 1, ',');
    return s;
}

std::string seconds_left(std::int64_t us) {
    std::int64_t const s = (us + 999'999) / 1'000'000;
    return s < 60     ? fmt::format("{}s", s)
           : s < 3600 ? fmt::format("{}m{:02}s", s / 60, s % 60)
                      : fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

}  // namespace

std::string Progress::line(std::uint64_t done, std::uint64_t total, std::uint64_t reports, std::int64_t elapsed_us,
                           std::uint64_t done_at_start) {
    constexpr std::uint64_t width = 24;
    std::string text;
    done = std::min(done, total);
    if (total > 0) {
        auto const filled = std::size_t(done * width / total);
        text = fmt::format("[{}{}] {:3} %  ", std::string(filled, '#'), std::string(width - filled, '-'), done * 100 / total);
    }
    double const seconds = double(std::max<std::int64_t>(elapsed_us, 1)) / 1e6;
    text += fmt::format("{} reports  {}/s", grouped(reports), grouped(std::uint64_t(double(reports) / seconds)));
    if (done > done_at_start && done < total)
        text +=
            fmt::format("  {} left", seconds_left(std::int64_t(double(elapsed_us) * double(total - done) / double(done - done_at_start))));
    return text;
}

void Progress::update(std::uint64_t done, std::uint64_t total, std::uint64_t reports) {
    std::int64_t const now = clock_.steady_ns();
    if (start_ns_ < 0) start_ns_ = shown_ns_ = now, done_at_start_ = done;
    bool const finished = total > 0 && done >= total;
    bool const due = now - shown_ns_ >= (to_ == To::terminal ? redraw_ns : line_ns);
    if (to_ == To::nothing || (!due && !(to_ == To::terminal && finished))) return;
    if (to_ == To::file && reports == reports_shown_) return;  // following: silent while nothing happens
    shown_ns_ = now, reports_shown_ = reports;
    std::string const text = line(done, total, reports, now - start_ns_, done_at_start_);
    if (to_ == To::file) return fmt::print(out_, "{}\n", text), void(std::fflush(out_));
    fmt::print(out_, "\r{}\x1b[K", text);
    std::fflush(out_);
    drawn_ = true;
}

void Progress::clear_line() {
    if (drawn_) fmt::print(out_, "\r\x1b[K");
    drawn_ = false;
}

void Progress::say(std::string_view text) {
    clear_line();
    fmt::print(out_, "gantry import: {}\n", text);
    std::fflush(out_);
}

void Progress::finish() {
    if (drawn_) fmt::print(out_, "\n");
    drawn_ = false;
    std::fflush(out_);
}

}  // namespace gantry::import
