#include "kernel/base/time.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>

namespace gantry {
namespace {
class SystemClock final : public Clock {
   public:
    Time wall() const override {
        return {std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
    }
    std::int64_t steady_ns() const override { return std::chrono::steady_clock::now().time_since_epoch().count(); }
};

void two_digits(char* out, unsigned v) { out[0] = char('0' + v / 10), out[1] = char('0' + v % 10); }

bool digits(std::string_view s, std::size_t from, std::size_t n, int& out) {
    if (s.size() < from + n) return false;
    out = 0;
    for (std::size_t i = from; i < from + n; ++i) {
        if (s[i] < '0' || s[i] > '9') return false;
        out = out * 10 + (s[i] - '0');
    }
    return true;
}
constexpr std::int64_t unit_us(std::string_view unit) {
    if (unit == "us") return 1;
    if (unit == "ms") return 1000;
    if (unit == "s") return 1'000'000;
    if (unit == "m") return 60'000'000;
    if (unit == "h") return 3'600'000'000;
    if (unit == "d") return 86'400'000'000;
    if (unit == "w") return 7 * 86'400'000'000;
    return 0;
}
}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

std::size_t format_time(Time t, char* out) {
    using namespace std::chrono;
    sys_time<microseconds> at{microseconds(t.us)};
    auto day = floor<days>(at);
    year_month_day ymd{day};
    auto us = (at - day).count();
    int year = int(ymd.year());
    if (year < 0) year = 0;
    two_digits(out, unsigned(year) / 100 % 100), two_digits(out + 2, unsigned(year) % 100);
    out[4] = '-', two_digits(out + 5, unsigned(ymd.month()));
    out[7] = '-', two_digits(out + 8, unsigned(ymd.day()));
    auto second = us / 1'000'000;
    out[10] = 'T', two_digits(out + 11, unsigned(second / 3600));
    out[13] = ':', two_digits(out + 14, unsigned(second / 60 % 60));
    out[16] = ':', two_digits(out + 17, unsigned(second % 60));
    std::size_t n = 19;
    if (auto fraction = us % 1'000'000; fraction != 0) {
        int width = fraction % 1000 == 0 ? 3 : 6;
        if (width == 3) fraction /= 1000;
        out[n] = '.';
        for (int i = width; i > 0; --i, fraction /= 10) out[n + std::size_t(i)] = char('0' + fraction % 10);
        n += 1 + std::size_t(width);
    }
    out[n++] = 'Z';
    return n;
}

std::string format_time(Time t) {
    char buffer[32];
    return std::string(buffer, format_time(t, buffer));
}

std::int64_t seconds_from_civil(int y, unsigned m, unsigned d, int hour, int minute, int second) {
    using namespace std::chrono;
    return sys_days{year{y} / month{m} / day{d}}.time_since_epoch().count() * 86400LL + hour * 3600 + minute * 60 + second;
}

Result<Time> parse_time(std::string_view s) {
    auto bad = [&](std::string_view why) {
        return fail(400, "time_invalid", fmt::format("'{}' is no RFC 3339 time: {} (right: 2026-01-31T12:00:00Z)", s.substr(0, 64), why));
    };
    int y, mo, d, h, mi, sec;
    if (!digits(s, 0, 4, y) || !digits(s, 5, 2, mo) || !digits(s, 8, 2, d) || s[4] != '-' || s[7] != '-')
        return bad("a date YYYY-MM-DD is expected");
    if (s.size() < 19 || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') || !digits(s, 11, 2, h) || !digits(s, 14, 2, mi) ||
        !digits(s, 17, 2, sec) || s[13] != ':' || s[16] != ':')
        return bad("a time THH:MM:SS is expected after the date");
    using namespace std::chrono;
    if (!(year{y} / month{unsigned(mo)} / day{unsigned(d)}).ok()) return bad("there is no such day");
    if (h > 23 || mi > 59 || sec > 60) return bad("there is no such time of day");
    std::size_t at = 19;
    std::int64_t us = 0;
    if (at < s.size() && s[at] == '.') {
        std::int64_t scale = 100'000;
        std::size_t from = ++at;
        for (; at < s.size() && s[at] >= '0' && s[at] <= '9'; ++at, scale /= 10) us += (s[at] - '0') * scale;
        if (at == from) return bad("digits are expected after the point");
    }
    if (at == s.size()) return bad("the zone is missing");
    std::int64_t offset_s = 0;
    if (s[at] == 'Z' || s[at] == 'z') {
        ++at;
    } else {
        int oh, om;
        if ((s[at] != '+' && s[at] != '-') || !digits(s, at + 1, 2, oh) || s.size() < at + 6 || s[at + 3] != ':' ||
            !digits(s, at + 4, 2, om) || oh > 23 || om > 59)
            return bad("the zone must be Z or +HH:MM");
        offset_s = (oh * 3600 + om * 60) * (s[at] == '-' ? -1 : 1);
        at += 6;
    }
    if (at != s.size()) return bad("there is something after the zone");
    return Time{(seconds_from_civil(y, unsigned(mo), unsigned(d), h, mi, sec) - offset_s) * 1'000'000 + us};
}

Result<Duration> parse_duration(std::string_view s) {
    auto bad = [&] {
        return fail(400, "duration_invalid", fmt::format("'{}' is no duration (right: 250ms, 30s, 1h30m, 90d)", s.substr(0, 64)));
    };
    if (s == "0") return Duration{};
    if (s.empty()) return bad();
    std::int64_t total = 0;
    for (std::size_t at = 0; at < s.size();) {
        std::int64_t n = 0;
        std::size_t from = at;
        for (; at < s.size() && s[at] >= '0' && s[at] <= '9'; ++at) {
            if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, s[at] - '0', &n)) return bad();
        }
        if (at == from) return bad();
        std::size_t unit_from = at;
        while (at < s.size() && s[at] >= 'a' && s[at] <= 'z') ++at;
        std::int64_t unit = unit_us(s.substr(unit_from, at - unit_from));
        if (unit == 0 || __builtin_mul_overflow(n, unit, &n) || __builtin_add_overflow(total, n, &total)) return bad();
    }
    return Duration{total};
}

std::string format_duration(Duration d) {
    if (d.us == 0) return "0s";
    std::string out;
    std::int64_t left = d.us;
    if (left < 0) out = "-", left = -left;
    for (std::string_view unit : {"d", "h", "m", "s", "ms", "us"})
        if (auto n = left / unit_us(unit); n != 0) out += fmt::format("{}{}", n, unit), left %= unit_us(unit);
    return out;
}

}  // namespace gantry
