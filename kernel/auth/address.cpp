#include "kernel/auth/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "kernel/codec/scalar.h"

namespace gantry::auth {
namespace {

constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t text_bytes_max = INET6_ADDRSTRLEN;

// `address` with every bit behind the first `bits` cleared.
IpAddress masked(IpAddress address, unsigned bits) {
    for (unsigned i = 0; i < 16; ++i) {
        unsigned const kept = std::clamp(int(bits) - int(i * 8), 0, 8);
        address.bytes[i] &= std::uint8_t(0xff00u >> kept);
    }
    return address;
}

std::string text_of(IpAddress const& first, unsigned bits) {
    return fmt::format("{}/{}", format_address(first), first.is_v4() ? bits - 96 : bits);
}

std::unexpected<Problem> wrong(std::string detail) { return fail(400, "address_invalid", detail); }

}  // namespace

bool IpAddress::is_v4() const { return std::memcmp(bytes.data(), mapped.data(), mapped.size()) == 0; }

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes[12] == 127;
    return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.begin() + 15, [](auto b) { return b == 0; });
}

std::optional<IpAddress> parse_address(std::string_view text) {
    if (text.empty() || text.size() >= text_bytes_max || text.find('\0') != text.npos) return {};
    char buffer[text_bytes_max];
    std::memcpy(buffer, text.data(), text.size()), buffer[text.size()] = 0;
    IpAddress out;
    if (text.find(':') != text.npos) return inet_pton(AF_INET6, buffer, out.bytes.data()) == 1 ? std::optional(out) : std::nullopt;
    if (inet_pton(AF_INET, buffer, out.bytes.data() + 12) != 1) return {};
    std::memcpy(out.bytes.data(), mapped.data(), mapped.size());
    return out;
}

std::string format_address(IpAddress const& address) {
    char buffer[text_bytes_max];
    bool const v4 = address.is_v4();
    return inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? 12 : 0), buffer, sizeof buffer);
}

IpAddress network_of(IpAddress const& address) { return address.is_v4() ? address : masked(address, 64); }

Result<Cidr> Cidr::parse(std::string_view text) {
    auto const slash = text.find('/');
    auto const address = parse_address(text.substr(0, slash));
    if (!address)
        return wrong(fmt::format("expected an address or a block like 10.0.0.0/8 or 2001:db8::/32, found {}", codec::detail::quoted(text)));
    Cidr out;
    out.first_ = *address;
    if (slash == text.npos) return out;
    auto const digits = text.substr(slash + 1);
    unsigned bits = 0;
    auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    // A block of mapped addresses may be written in either way: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
    bool const dotted = text.substr(0, slash).find(':') == text.npos;
    unsigned const bits_max = dotted ? 32 : 128;
    bool const padded = digits.size() > 1 && digits[0] == '0';
    if (digits.empty() || padded || read.ec != std::errc() || read.ptr != digits.data() + digits.size() || bits > bits_max)
        return wrong(fmt::format("expected a prefix of 0 to {} bits behind the '/', found {}", bits_max, codec::detail::quoted(digits)));
    if (dotted) bits += 96;
    auto const first = masked(*address, bits);
    if (first != *address)
        return wrong(fmt::format("{} has bits set behind its prefix: write {} for the block, or {} for the one address", text,
                                 dotted || bits >= 96 ? text_of(first, bits) : fmt::format("{}/{}", format_address(first), bits),
                                 format_address(*address)));
    out.bits_ = std::uint8_t(bits);
    return out;
}

bool Cidr::contains(IpAddress const& address) const {
    if (bits_ < 96 && address.is_v4()) return false;
    unsigned const whole = bits_ / 8, rest = bits_ % 8;
    if (std::memcmp(first_.bytes.data(), address.bytes.data(), whole) != 0) return false;
    return rest == 0 || ((first_.bytes[whole] ^ address.bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

std::string Cidr::text() const {
    if (bits_ == 128) return format_address(first_);
    return bits_ >= 96 ? text_of(first_, bits_) : fmt::format("{}/{}", format_address(first_), bits_);
}

Result<AddressList> AddressList::parse(std::span<std::string const> texts) {
    AddressList out;
    std::vector<Fault> faults;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        auto block = Cidr::parse(texts[i]);
        if (block)
            out.blocks_.push_back(*block);
        else
            faults.push_back({fmt::format("/{}", i), block.error().detail});
    }
    if (!faults.empty()) return fail(Problem{400, "address_invalid", faults.front().detail, faults});
    return out;
}

bool AddressList::contains(IpAddress const& address) const {
    return std::ranges::any_of(blocks_, [&](Cidr const& block) { return block.contains(address); });
}

}  // namespace gantry::auth
