#include "kernel/auth/origin.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/auth/names.h"
#include "kernel/codec/scalar.h"

namespace gantry::auth {
namespace {

std::unexpected<Problem> invalid(std::string detail) { return fail(400, "forwarding_invalid", detail); }

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// RFC 7239 §6: node = nodename [":" node-port]; the port is a number or obfuscated.
bool is_port(std::string_view s) {
    if (s.starts_with('_')) return is_obfuscated(s);
    return !s.empty() && s.size() <= 5 && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
}

struct Node {
    std::optional<IpAddress> address;  // none: unknown or obfuscated
};

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", "unknown", "_hidden".
std::optional<Node> parse_node(std::string_view text) {
    if (text.starts_with('[')) {
        auto const end = text.find(']');
        if (end == text.npos) return {};
        auto const inside = text.substr(1, end - 1), rest = text.substr(end + 1);
        if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return {};
        auto const address = parse_address(inside);
        if (!address || inside.find(':') == inside.npos) return {};
        return Node{address};
    }
    if (auto const whole = parse_address(text)) return Node{whole};
    auto const colon = text.find(':');
    auto const name = text.substr(0, colon);
    if (colon != text.npos && !is_port(text.substr(colon + 1))) return {};
    if (same_name(name, "unknown") || is_obfuscated(name)) return Node{};
    auto const address = parse_address(name);
    return address ? std::optional(Node{address}) : std::nullopt;
}

// The next of a header's values from the right, whichever way it is written.
class FromTheRight {
   public:
    explicit FromTheRight(std::span<std::string_view const> values) : values_(values) {}
    std::optional<std::string_view> next() {
        if (done_) {
            if (values_.empty()) return {};
            rest_ = values_.back(), values_ = values_.first(values_.size() - 1), done_ = false;
        }
        auto const comma = rest_.rfind(',');
        auto const out = trimmed(comma == rest_.npos ? rest_ : rest_.substr(comma + 1));
        done_ = comma == rest_.npos;
        if (!done_) rest_ = rest_.substr(0, comma);
        return out;
    }

   private:
    std::span<std::string_view const> values_;
    std::string_view rest_;
    bool done_ = true;
};

// One value of Forwarded (RFC 7239 §4), read from the left: quoted strings may hold commas.
class Elements {
   public:
    explicit Elements(std::string_view text) : text_(text) {}
    // The nodes of `for` of each element; nothing when it isn't the grammar.
    std::optional<std::vector<std::string>> read() {
        std::vector<std::string> nodes;
        for (;;) {
            std::optional<std::string> node;
            if (!element(node) || !node || nodes.size() == OriginRules::hops_max) return {};
            nodes.push_back(std::move(*node));
            skip_space();
            if (at_ == text_.size()) return nodes;
            if (text_[at_++] != ',') return {};
        }
    }

   private:
    bool element(std::optional<std::string>& node) {
        for (;;) {
            skip_space();
            auto const name = token();
            if (name.empty() || at_ == text_.size() || text_[at_++] != '=') return false;
            std::string value;
            if (!read_value(value)) return false;
            if (same_name(name, "for")) {
                if (node) return false;
                node = std::move(value);
            }
            skip_space();
            if (at_ == text_.size() || text_[at_] != ';') return true;
            ++at_;
        }
    }
    bool read_value(std::string& out) {
        if (at_ == text_.size() || text_[at_] != '"') return out = token(), !out.empty();
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') return ++at_, true;
            if (text_[at_] == '\\' && ++at_ == text_.size()) return false;
            out += text_[at_];
        }
        return false;
    }
    std::string_view token() {
        auto const from = at_;
        while (at_ < text_.size() && is_token_character(text_[at_])) ++at_;
        return text_.substr(from, at_ - from);
    }
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    }
    std::string_view text_;
    std::size_t at_ = 0;
};

// Goes from hop to hop until one isn't trusted. True: `origin` is final.
Result<bool> take(Origin& origin, std::string_view text, AddressList const& trusted, std::string const& header) {
    auto const node = parse_node(text);
    if (!node)
        return invalid(fmt::format("{} holds {}, which is no address: the proxy must write each as RFC 7239 §6 says", header,
                                   codec::detail::quoted(text)));
    if (!node->address) return origin.known = false, true;
    origin.client = *node->address;
    return !trusted.contains(origin.client);
}

Result<void> walk_list(Origin& origin, std::span<std::string_view const> values, AddressList const& trusted, std::string const& header) {
    FromTheRight entries(values);
    for (std::size_t hops = 0; auto entry = entries.next();) {
        if (++hops > OriginRules::hops_max) return invalid(fmt::format("{} names more than {} proxies", header, OriginRules::hops_max));
        TRY_ASSIGN(bool last, take(origin, *entry, trusted, header));
        if (last) return {};
    }
    return {};
}

Result<void> walk_forwarded(Origin& origin, std::span<std::string_view const> values, AddressList const& trusted,
                            std::string const& header) {
    std::size_t hops = 0;
    for (std::size_t i = values.size(); i-- > 0;) {
        auto const nodes = Elements(values[i]).read();
        if (!nodes) return invalid(fmt::format("{} is not as RFC 7239 §4 says, with one `for` in each element", header));
        for (std::size_t k = nodes->size(); k-- > 0;) {
            if (++hops > OriginRules::hops_max) return invalid(fmt::format("{} names more than {} proxies", header, OriginRules::hops_max));
            TRY_ASSIGN(bool last, take(origin, (*nodes)[k], trusted, header));
            if (last) return {};
        }
    }
    return {};
}

Result<void> check_size(std::span<std::string_view const> values, std::string const& header) {
    std::size_t bytes = 0;
    for (auto value : values) bytes += value.size();
    if (bytes > OriginRules::bytes_max)
        return invalid(fmt::format("{} has {} bytes; {} are allowed", header, bytes, OriginRules::bytes_max));
    return {};
}

bool is_header_name(std::string_view name) { return name.size() <= 100 && !name.empty() && std::ranges::all_of(name, is_token_character); }

}  // namespace

Result<OriginRules> OriginRules::make(OriginSettings const& settings) {
    OriginRules out;
    std::vector<Fault> faults;
    auto trusted = AddressList::parse(settings.trusted_proxies);
    if (trusted)
        out.trusted_ = std::move(*trusted);
    else
        for (auto const& f : trusted.error().faults) faults.push_back({"/trusted_proxies" + f.pointer, f.detail});
    out.address_header_ = settings.address_header, out.caller_header_ = settings.caller_header;
    auto check = [&](std::string const& name, std::string const& pointer) {
        if (!name.empty() && !is_header_name(name))
            faults.push_back({pointer, fmt::format("expected the name of a header, found {}", codec::detail::quoted(name))});
    };
    check(settings.address_header, "/address_header"), check(settings.caller_header, "/caller_header");
    if (!settings.caller_header.empty() && same_name(settings.caller_header, settings.address_header))
        faults.push_back({"/caller_header", "is the same header as address_header"});
    if (!faults.empty()) return fail(Problem{400, "origin_settings_invalid", faults.front().detail, faults});
    out.form_ = same_name(out.address_header_, "Forwarded")         ? Form::forwarded
                : same_name(out.address_header_, "X-Forwarded-For") ? Form::list
                                                                    : Form::single;
    return out;
}

Result<Origin> OriginRules::of(IpAddress const& peer, std::span<std::string_view const> addresses,
                               std::span<std::string_view const> callers) const {
    Origin origin{.client = peer};
    if (!trusted_.contains(peer)) {
        if (addresses.empty() && callers.empty()) return origin;
        return fail(403, "proxy_untrusted",
                    fmt::format("{} came from {}, which is no trusted proxy: add it to the list of trusted proxies, or take the header out",
                                addresses.empty() ? caller_header_ : address_header_, format_address(peer)));
    }
    origin.by_proxy = true;
    TRY_VOID(check_size(addresses, address_header_));
    if (!callers.empty()) {
        if (callers.size() > 1) return invalid(fmt::format("{} stands there {} times", caller_header_, callers.size()));
        origin.caller_name = trimmed(callers[0]);
        if (!is_caller_name(origin.caller_name))
            return invalid(fmt::format("{} must be a caller's name: {}", caller_header_, caller_name_rule));
    }
    if (form_ == Form::single) {
        if (addresses.size() > 1) return invalid(fmt::format("{} stands there {} times", address_header_, addresses.size()));
        if (!addresses.empty()) TRY_VOID(take(origin, trimmed(addresses[0]), trusted_, address_header_));
        return origin;
    }
    TRY_VOID(form_ == Form::forwarded ? walk_forwarded(origin, addresses, trusted_, address_header_)
                                      : walk_list(origin, addresses, trusted_, address_header_));
    return origin;
}

}  // namespace gantry::auth
