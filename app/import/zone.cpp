#include "app/import/zone.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <utility>

namespace gantry::import {
namespace {

constexpr std::int64_t day_s = 86'400;

bool digits(std::string_view text, std::size_t at, std::size_t n, int& out) {
    out = 0;
    for (std::size_t i = at; i < at + n; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        out = out * 10 + (text[i] - '0');
    }
    return true;
}

unsigned days_in_month(int year, unsigned month) {
    constexpr unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool const leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::int64_t offset_s(std::int64_t moment_s) {
    std::time_t t = moment_s;
    std::tm tm{};
    return ::localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

bool zone_exists(std::string const& name) {
    if (name == "UTC") return true;
    if (name.empty() || name.front() == '/' || name.find("..") != name.npos) return false;
    char const* folder = std::getenv("TZDIR");
    struct stat st;
    return ::stat(fmt::format("{}/{}", folder ? folder : "/usr/share/zoneinfo", name).c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

}  // namespace

std::optional<LocalTime> parse_local_time(std::string_view s) {
    if (s.size() < 19 || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':') return {};
    int year, month, day, hour, minute, second;
    if (!digits(s, 0, 4, year) || !digits(s, 5, 2, month) || !digits(s, 8, 2, day) || !digits(s, 11, 2, hour) ||
        !digits(s, 14, 2, minute) || !digits(s, 17, 2, second))
        return {};
    if (year < 1 || month < 1 || month > 12 || day < 1 || unsigned(day) > days_in_month(year, unsigned(month))) return {};
    if (hour > 23 || minute > 59 || second > 60) return {};
    return LocalTime{year, unsigned(month), unsigned(day), hour, minute, second};
}

Result<Zone> Zone::open(std::string_view name) {
    Zone zone;
    if (!name.empty()) {
        std::string const wanted(name);
        if (!zone_exists(wanted)) return fail(400, "zone_unknown", fmt::format("no time zone '{}' in the zone database (tzdata)", name));
        if (char const* before = std::getenv("TZ")) zone.tz_before_ = before;
        zone.changed_ = true;
        ::setenv("TZ", wanted == "UTC" ? "UTC0" : wanted.c_str(), 1);
    }
    ::tzset();
    return zone;
}

Zone::Zone(Zone&& o) noexcept
    : tz_before_(std::move(o.tz_before_)), changed_(std::exchange(o.changed_, false)), minute_(o.minute_), twice_(o.twice_) {
    minutes_[0] = o.minutes_[0], minutes_[1] = o.minutes_[1];
}

Zone::~Zone() {
    if (!changed_) return;
    if (tz_before_)
        ::setenv("TZ", tz_before_->c_str(), 1);
    else
        ::unsetenv("TZ");
    ::tzset();
}

Time Zone::resolve(LocalTime const& local, Time previous) {
    LocalTime minute = local;
    minute.second = 0;
    if (minute != minute_) {
        minute_ = minute;
        std::int64_t const naive = seconds_from_civil(local.year, local.month, local.day, local.hour, local.minute, 0);
        std::int64_t const before = offset_s(naive - day_s), after = offset_s(naive + day_s);
        std::int64_t const a = naive - before, b = naive - after;
        bool const a_holds = offset_s(a) == before, b_holds = offset_s(b) == after;
        twice_ = a_holds && b_holds && a < b;
        minutes_[0] = Time{(a_holds || !b_holds ? a : b) * 1'000'000};
        minutes_[1] = Time{b * 1'000'000};
    }
    Duration const second = Duration::seconds(local.second);
    Time const first = minutes_[0] + second;
    return twice_ && first < previous ? minutes_[1] + second : first;
}

}  // namespace gantry::import
