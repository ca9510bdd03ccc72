#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::auth {

// An address of IPv6, or of IPv4 in its mapped form (::ffff:0:0/96, RFC 4291 §2.5.5.2): the same host compares equal however it was
// written.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(IpAddress const&) const = default;
    bool is_v4() const;
    bool is_loopback() const;  // 127.0.0.0/8, ::1
};
// "10.0.0.1", "2001:db8::1"; no brackets, port, zone, or zeros in front of a decimal number.
std::optional<IpAddress> parse_address(std::string_view text);
std::string format_address(IpAddress const& address);
// The network of a subscriber: an IPv4 address itself, of IPv6 the /64.
IpAddress network_of(IpAddress const& address);

// A block of addresses. A prefix of IPv6 never holds an address of IPv4.
class Cidr {
   public:
    // "10.0.0.0/8", "2001:db8::/32", or one address. The Problem's detail says what was expected; where bits behind the prefix are set,
    // which prefix was meant.
    static Result<Cidr> parse(std::string_view text);
    bool contains(IpAddress const& address) const;
    std::string text() const;
    auto operator<=>(Cidr const&) const = default;

   private:
    IpAddress first_;
    std::uint8_t bits_ = 128;  // of 128
};

class AddressList {
   public:
    AddressList() = default;
    // Faults point at the index of each wrong text ("/3").
    static Result<AddressList> parse(std::span<std::string const> texts);
    bool contains(IpAddress const& address) const;
    bool empty() const { return blocks_.empty(); }
    std::vector<Cidr> const& blocks() const { return blocks_; }
    bool operator==(AddressList const&) const = default;

   private:
    std::vector<Cidr> blocks_;
};

}  // namespace gantry::auth
