#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/auth/address.h"

// Who is the client when proxies stand in front. What a header says counts only as far as trusted proxies wrote it: from the right, the
// first address that isn't a trusted proxy's is the client's, and nothing left of it is read.
namespace gantry::auth {

struct OriginSettings {
    std::vector<std::string> trusted_proxies;        // addresses and blocks
    std::string address_header = "X-Forwarded-For";  // or "Forwarded" (RFC 7239), or a header with one address ("X-Real-IP"); empty: none
    std::string caller_header;                       // by which a proxy says which caller it authenticated; empty: none
};

struct Origin {
    IpAddress client;
    // False when a trusted proxy said "unknown" or an obfuscated name (RFC 7239 §6.3): `client` is then that proxy, and no list of allowed
    // addresses may let it in.
    bool known = true;
    bool by_proxy = false;              // the peer is a trusted proxy
    std::string_view caller_name = {};  // as the proxy said it, in the caller's bytes; empty: it said none
};

class OriginRules {
   public:
    static constexpr std::size_t bytes_max = 4096;  // of all values of one header
    static constexpr std::size_t hops_max = 32;

    // Faults point at "/trusted_proxies/2", "/address_header", "/caller_header".
    static Result<OriginRules> make(OriginSettings const& settings);

    std::string const& address_header() const { return address_header_; }
    std::string const& caller_header() const { return caller_header_; }

    // `addresses` and `callers` are the values of the two headers in the order in which they stood. 400 "forwarding_invalid" for what a
    // trusted proxy garbled; 403 "proxy_untrusted" for such a header from anyone else: silently taking the proxy for the client would
    // open every list of allowed addresses, and count all its clients as one.
    Result<Origin> of(IpAddress const& peer, std::span<std::string_view const> addresses, std::span<std::string_view const> callers) const;

   private:
    enum class Form { list, forwarded, single };
    AddressList trusted_;
    std::string address_header_, caller_header_;
    Form form_ = Form::list;
};

}  // namespace gantry::auth
