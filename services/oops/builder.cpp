#include "services/oops/builder.h"

#include <algorithm>
#include <array>

namespace gantry::oops {
namespace {

constexpr std::string_view replacement = "\ufffd";

Fitted mended(std::string_view text, std::size_t chars_max, std::string& room) {
    std::string out;
    std::uint64_t chars = 0;
    for (std::size_t i = 0; i < text.size(); ++chars) {
        auto const bytes = codec::utf8_length_at(text, i);
        if (chars < chars_max) out.append(bytes == 0 || text[i] == 0 ? replacement : text.substr(i, bytes));
        i += std::max<std::size_t>(bytes, 1);
    }
    room = std::move(out);  // `text` may stand in it
    return {room, chars - std::min<std::uint64_t>(chars, chars_max)};
}

// Headers and variables that tell who was served: forwarded addresses, and the name that the front end took for theirs.
enum class Whose : std::uint8_t { nobody, address, name };
Whose tells_of_a_person(std::string_view name) {
    if (auto const dot = name.rfind('.'); dot != name.npos) name.remove_prefix(dot + 1);
    char lower[32];
    if (name.size() < 7 || name.size() >= sizeof lower) return Whose::nobody;
    for (std::size_t i = 0; i < name.size(); ++i)
        lower[i] = name[i] == '-' ? '_' : name[i] >= 'A' && name[i] <= 'Z' ? char(name[i] | 0x20) : name[i];
    std::string_view s(lower, name.size());
    if (s.starts_with("http_")) s.remove_prefix(5);
    constexpr std::array<std::string_view, 8> addresses = {"remote_addr", "x_forwarded_for", "x_real_ip",        "forwarded",
                                                           "client_ip",   "x_client_ip",     "cf_connecting_ip", "true_client_ip"};
    if (std::find(addresses.begin(), addresses.end(), s) != addresses.end()) return Whose::address;
    return s == "remote_user" || s == "x_remote_user" ? Whose::name : Whose::nobody;
}

}  // namespace

Fitted fit_text(std::string_view text, std::size_t chars_max, std::string& room) {
    auto const scan = codec::scan_utf8(text);
    if (scan.valid() && !scan.has_nul && scan.characters <= chars_max) [[likely]]
        return {text, 0};
    return mended(text, chars_max, room);
}

void Builder::cut(std::string_view at, std::uint64_t left_out, CutUnit unit) {
    if (left_out == 0) return;
    for (auto& known : report_.cut)
        if (known.at == Name(at) && known.unit == unit) return void(known.left_out += left_out);
    report_.cut.push_back({at, left_out, unit});
}

void Builder::add_named(std::vector<Named>& list, std::string_view name, std::string_view value, std::size_t items_max,
                        std::string_view at) {
    auto* const one = add(list, items_max, at);
    if (!one) return;
    text(one->name, name, at);
    named(one->value, name, value, at);
}

void Builder::add_tag(std::string_view key, std::string_view value) {
    auto* const tag = add(report_.tags, options_.limits.tags_max, "tags");
    if (!tag) return;
    text(tag->key, key, "tags");
    named(tag->value, key, value, "tags");
}

void Builder::add_variable(std::string_view name, std::string_view value) {
    auto const whose = tells_of_a_person(name);
    if (whose == Whose::nobody || value.empty())
        return add_named(report_.variables, name, value, options_.limits.variables_max, "variables");
    auto& known = whose == Whose::address ? user().ip : user().name;
    if (known.empty()) text(known, value, "user");
    add_named(report_.variables, name, "<user>", options_.limits.variables_max, "variables");
}

ReportUser& Builder::user() {
    if (!report_.user) report_.user.emplace();
    return report_.user->value;
}

void Builder::raw(std::optional<codec::RawJson>& out, codec::JsonValue value, std::string_view at) {
    std::string json;
    auto const count = write_without_secrets(value, json, options_.secrets);
    if (json.size() > options_.limits.raw_bytes_max) return cut(at, json.size(), CutUnit::bytes);
    report_.hidden += std::uint32_t(count);
    out.emplace().text = std::move(json);
}

void Builder::add_extra(std::string_view name, codec::JsonValue value) {
    if (names_a_secret(name, options_.secrets) && !value.is(codec::JsonKind::null) && !value.is(codec::JsonKind::boolean))
        return ++report_.hidden, add_extra(name, "\"<hidden>\"");
    std::string json;
    auto const count = write_without_secrets(value, json, options_.secrets);
    auto const before = report_.cut.size();
    add_extra(name, json);
    if (report_.cut.size() == before) report_.hidden += std::uint32_t(count);
}

void Builder::add_extra(std::string_view name, std::string_view json) {
    if (extra_.size() + name.size() + json.size() + 8 > options_.limits.raw_bytes_max) return cut("extra", 1, CutUnit::items);
    extra_ += extra_.empty() ? '{' : ',';
    codec::append_json_string(extra_, name);
    extra_.append(1, ':').append(json);
}

void Builder::finish() {
    if (!extra_.empty()) report_.extra.emplace().text = std::move(extra_) + '}';
}

std::string_view key_of(ReportUser const& user) {
    for (auto const* text : {&user.id, &user.email, &user.name, &user.ip})
        if (!text->empty()) return *text;
    return {};
}

}  // namespace gantry::oops
