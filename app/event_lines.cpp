#include "app/event_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "app/terminal.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

std::string quoted(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);
    return out;
}

std::string_view kind_name(log::BatchKind kind) {
    constexpr std::array<std::string_view, 7> names = {"command", "epoch", "incarnation", "baseline", "checkpoint", "dropped", "agreed"};
    auto index = std::size_t(kind);
    return index < names.size() ? names[index] : "unknown";
}

}  // namespace

Result<LogPlace> parse_log_place(std::string_view text) {
    log::Position position = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
    if (error == std::errc() && end == text.data() + text.size()) return LogPlace{position, {}};
    if (auto time = parse_time(text)) return LogPlace{{}, *time};
    return fail(400, "log_place_malformed", fmt::format("'{}' is neither a position nor an RFC 3339 time", text));
}

bool EventLines::past_end(log::BatchView const& batch) const {
    if (filter_.to.position && batch.first > *filter_.to.position) return true;
    return filter_.to.time && batch.time > *filter_.to.time;  // times never go back within a log
}

bool EventLines::lets_through(log::BatchView const& batch, log::Position position) const {
    if (filter_.from.position && position < *filter_.from.position) return false;
    if (filter_.to.position && position > *filter_.to.position) return false;
    return !filter_.from.time || batch.time >= *filter_.from.time;
}

codec::EventPrinter const* EventLines::printer(log::BatchView const& batch) {
    auto [found, fresh] = printers_.try_emplace(batch.schemas_id);
    if (fresh)
        if (auto made = codec::EventPrinter::make(batch.schemas)) found->second = std::move(*made);
    return found->second ? &*found->second : nullptr;
}

std::string EventLines::event(log::BatchView const& batch, log::Position position, std::uint32_t number, std::string_view payload) {
    if (!lets_through(batch, position)) return {};
    auto* with = printer(batch);
    std::string type = with ? std::string(with->name(number)) : std::string();
    if (type.empty()) type = fmt::format("#{}", number);
    if (!filter_.types.empty() && std::ranges::find(filter_.types, type) == filter_.types.end()) return {};
    std::string data;
    bool const readable = with && with->append_json(number, payload, data);
    if (!readable) ++unreadable_, data = '"', codec::append_base64(data, payload), data += '"';
    auto time = format_time(batch.time);
    if (form_ == LineForm::people)
        return fmt::format("{:>10}  {:<27}  {:<16}  {}  {}\n", position, styled(Stream::out, Style::dim, time), batch.caller,
                           styled(Stream::out, readable ? Style::bold : Style::red, type), data);
    std::string out = fmt::format(R"({{"position":{},"time":"{}","caller":{})", position, time, quoted(batch.caller));
    if (!batch.request_id.empty()) out += fmt::format(R"(,"request_id":{})", quoted(batch.request_id));
    return out + fmt::format(",\"type\":{},\"{}\":{}}}\n", quoted(type), readable ? "data" : "payload", data);
}

std::string EventLines::without_events(log::BatchView const& batch) const {
    auto time = format_time(batch.time);
    if (form_ == LineForm::people)
        return fmt::format("{:>10}  {:<27}  {:<16}  {}  epoch {}, incarnation {}\n", "-", styled(Stream::out, Style::dim, time), "",
                           styled(Stream::out, Style::yellow, kind_name(batch.kind)), batch.epoch,
                           log::incarnation_text(batch.incarnation));
    return fmt::format("{{\"before\":{},\"time\":\"{}\",\"kind\":\"{}\",\"epoch\":{},\"incarnation\":\"{}\"}}\n", batch.first, time,
                       kind_name(batch.kind), batch.epoch, log::incarnation_text(batch.incarnation));
}

}  // namespace gantry::app
