#include "kernel/runtime/binding.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"
#include "kernel/runtime/kernel_query.h"

namespace gantry::runtime {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_field(std::string_view segment) { return segment.starts_with('{'); }
std::string_view field_of(std::string_view segment) { return segment.substr(1, segment.size() - 2); }

codec::Field const* field_named(codec::Type const& type, std::string_view name) {
    for (auto const& field : type.fields)
        if (field.name == name) return &field;
    return nullptr;
}

std::unexpected<Problem> invalid(std::string pointer, std::string detail) {
    Problem problem{400, "request_invalid", "the request has a fault: see errors"};
    problem.faults.push_back({std::move(pointer), std::move(detail)});
    return std::unexpected(std::move(problem));
}

constexpr std::string_view broken_escape = "'%' must be followed by two hexadecimal digits";

Result<void> set_field(codec::Field const& field, void* out, std::string_view shown, std::string_view encoded, Plus plus) {
    std::string decoded;
    bool const plain = !encoded.contains('%') && (plus == Plus::itself || !encoded.contains('+'));
    if (!plain && !percent_decode(encoded, plus, decoded)) return invalid(std::string(shown), std::string(broken_escape));
    auto set = codec::decode_scalar(field.type(), static_cast<char*>(out) + field.offset, plain ? encoded : decoded);
    if (set) return {};
    auto const& faults = set.error().faults;
    return invalid(std::string(shown), faults.empty() ? set.error().detail : faults.front().detail);
}

Result<void> all_given(Target const& target, codec::Type const& type, std::uint64_t given) {
    if (type.has_defaults) return {};
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
        auto const& field = type.fields[i];
        if ((given | target.bound) >> i & 1 || !codec::must_be_present(field.type())) continue;
        return invalid(fmt::format("?{}", field.name), "this parameter must be given");
    }
    return {};
}

Result<void> bind_query(Target const& target, codec::Type const& type, void* out, std::string_view query) {
    std::string name;
    std::uint64_t given = 0;  // RECORD takes at most 52 members
    while (!query.empty()) {
        auto end = std::min(query.find('&'), query.size());
        auto part = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (part.empty()) continue;
        auto equals = std::min(part.find('='), part.size());
        name.clear();
        if (!percent_decode(part.substr(0, equals), Plus::blank, name)) return invalid("?", std::string(broken_escape));
        auto const* field = field_named(type, name);
        auto const is_bound = [&](codec::Field const& f) { return target.bound >> (&f - type.fields.data()) & 1; };
        if (!field || is_bound(*field)) {
            std::vector<std::string_view> known;
            for (auto const& f : type.fields)
                if (!is_bound(f)) known.push_back(f.name);
            known.insert(known.end(), std::begin(kernel_parameters), std::end(kernel_parameters));
            auto near = codec::nearest(name, known);
            return invalid("?" + name, near.empty() ? "there is no such parameter"
                                                    : fmt::format("there is no such parameter; did you mean '{}'?", near));
        }
        auto const bit = std::uint64_t(1) << (field - type.fields.data());
        if (given & bit) return invalid("?" + name, "this parameter is given twice");
        given |= bit;
        TRY_VOID(set_field(*field, out, "?" + name, part.substr(std::min(equals + 1, part.size())), Plus::blank));
    }
    return all_given(target, type, given);
}

// The order in which paths are tried: a fixed segment goes before a field.
bool goes_before(Target const& a, Target const& b) {
    auto fields = [](Target const& t) {
        std::string out;
        for (auto segment : t.segments) out += is_field(segment) ? '1' : '0';
        return out;
    };
    return std::tuple(fields(a), std::string_view(a.path), a.route->verb) < std::tuple(fields(b), std::string_view(b.path), b.route->verb);
}

// "/notes/v1/…"
bool is_versioned(std::string_view path) {
    auto const slash = path.find('/', 1);
    return slash != path.npos && slash + 2 < path.size() && path[slash + 1] == 'v' && path[slash + 2] >= '0' && path[slash + 2] <= '9';
}

// From the end, where those of a service differ.
bool same_place(Target const& a, Segments const& path) {
    if (a.segments.size() != path.count) return false;
    for (std::size_t i = path.count; i-- > 0;)
        if (!is_field(a.segments[i]) && a.segments[i] != path.at[i]) return false;
    return true;
}

}  // namespace

Segments segments_of(std::string_view path) {
    Segments out;
    while (!path.empty() && path.front() == '/') {
        path.remove_prefix(1);
        if (path.empty()) break;
        auto end = std::min(path.find('/'), path.size());
        if (out.count == path_segments_max) return out.too_many = true, out;
        out.at[out.count++] = path.substr(0, end);
        path.remove_prefix(end);
    }
    return out;
}

bool percent_decode(std::string_view text, Plus plus, std::string& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return false;
            out += char(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += plus == Plus::blank && text[i] == '+' ? ' ' : text[i];
        }
    }
    return true;
}

RouteTable::RouteTable(std::span<Host* const> hosts) {
    for (Host* host : hosts)
        for (auto const& route : host->decl().routes)
            targets_.push_back({host, &route, nullptr, path_of(host->decl().name, route), {}, false, {}, 0});
    for (auto& target : targets_) {
        auto parts = segments_of(target.path);
        has_foreign_ |= target.route->foreign.has_value();
        GANTRY_ASSERT(!target.route->foreign || !is_versioned(target.path), "/v<n> is of our own routes");
        GANTRY_ASSERT(!parts.too_many, "a route's path has at most 12 segments");
        std::size_t fields = 0;
        for (std::size_t i = 0; i < parts.count; ++i) {
            target.segments.push_back(parts.at[i]);
            if (!is_field(parts.at[i])) continue;
            ++fields;
            if (target.route->foreign) continue;
            auto const* field = field_named(*target.route->input, field_of(parts.at[i]));
            GANTRY_ASSERT(field, "a {field} of a path is a field of the input");
            target.fields.push_back({i, field});
            target.bound |= std::uint64_t(1) << (field - target.route->input->fields.data());
        }
        for (auto name : kernel_parameters)
            GANTRY_ASSERT(target.route->command || target.route->foreign || !field_named(*target.route->input, name),
                          "a parameter has a name that the kernel keeps");
        target.takes_body = target.route->command && (target.route->foreign || target.route->input->fields.size() > fields);
    }
    std::ranges::sort(targets_, goes_before);
    for (auto& target : targets_)
        for (auto& other : targets_) {
            if (&other == &target || other.path != target.path) continue;
            GANTRY_ASSERT(other.route->verb != target.route->verb, "two routes with one verb and path");
            if (other.route->verb == "GET") target.read = &other;
        }
    // `segments` point into `path`, which a sort may have moved with its short characters inside.
    for (auto& target : targets_) {
        auto parts = segments_of(target.path);
        std::copy_n(parts.at.begin(), parts.count, target.segments.begin());
        by_count_[parts.count].push_back(&target);
    }
}

std::string path_of(std::string_view service, RouteDecl const& route) {
    auto const rest = route.path == "/" ? std::string_view() : route.path;
    return route.foreign ? fmt::format("/{}{}", service, rest) : fmt::format("/{}/v{}{}", service, int(route.version), rest);
}

bool RouteTable::may_be_foreign(std::string_view path) const { return has_foreign_ && !is_versioned(path); }

bool RouteTable::is_cross_origin(std::string_view verb, std::string_view path) const {
    auto const segments = segments_of(path);
    return !segments.too_many && std::ranges::any_of(targets_, [&](Target const& target) {
        bool const asks = verb == "OPTIONS" || target.route->verb == (verb == "HEAD" ? "GET" : verb);
        return target.route->foreign && target.route->foreign->options.cross_origin && asks && same_place(target, segments);
    });
}

Match RouteTable::match(std::string_view verb, std::string_view path) const {
    Match found{nullptr, segments_of(path), {}};
    if (found.segments.too_many) return found;
    auto const wanted = verb == "HEAD" ? "GET" : verb;
    auto const& targets = by_count_[found.segments.count];
    for (auto const* target : targets)
        if (target->route->verb == wanted && same_place(*target, found.segments)) return found.target = target, found;
    for (auto const* target : targets) {
        if (!same_place(*target, found.segments)) continue;
        found.allowed +=
            (found.allowed.empty() ? "" : ", ") + std::string(target->route->verb == "GET" ? "GET, HEAD" : target->route->verb);
    }
    return found;
}

Result<void> bind_path(Target const& target, Segments const& segments, void* out) {
    for (auto const& [segment, field] : target.fields)
        TRY_VOID(set_field(*field, out, target.segments[segment], segments.at[segment], Plus::itself));
    return {};
}

Result<void> bind_foreign(Match const& match, ForeignRequest request, void* out) {
    Target const& target = *match.target;
    std::array<std::pair<std::string_view, std::string_view>, path_segments_max> fields;
    std::size_t count = 0;
    for (std::size_t i = 0; i < match.segments.count; ++i)
        if (is_field(target.segments[i])) fields[count++] = {field_of(target.segments[i]), match.segments.at[i]};
    request.fields = {fields.data(), count};
    auto const& foreign = *target.route->foreign;
    return foreign.parse(foreign.function, request, out);
}

Result<void> bind_request(Match const& match, std::string_view query, std::string_view body, bool padded, codec::Type const& type,
                          void* out) {
    Target const& target = *match.target;
    if (target.takes_body) TRY_VOID(codec::decode_json(type, out, body.empty() ? "{}" : body, padded && !body.empty(), {}, target.bound));
    TRY_VOID(bind_path(target, match.segments, out));
    if (!target.route->command) return bind_query(target, type, out, query);
    if (query.empty()) return {};
    return invalid("?", "a command takes no query: its input is the path and the body");
}

}  // namespace gantry::runtime
