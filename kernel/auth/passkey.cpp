#include "kernel/auth/passkey.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "kernel/auth/address.h"
#include "kernel/auth/base64url.h"
#include "kernel/auth/json_members.h"

namespace gantry::auth {
namespace {

constexpr std::size_t head_bytes = 37;  // of authenticator data: the rp id's hash, flags, counter
constexpr unsigned char user_present = 0x01, user_verified = 0x04;
constexpr int made_status = 422, shown_status = 401, cbor_depth_max = 8;

struct Freed {
    void operator()(fido_cred_t* made) const { fido_cred_free(&made); }
    void operator()(fido_assert_t* shown) const { fido_assert_free(&shown); }
    void operator()(es256_pk_t* key) const { es256_pk_free(&key); }
    void operator()(rs256_pk_t* key) const { rs256_pk_free(&key); }
    void operator()(eddsa_pk_t* key) const { eddsa_pk_free(&key); }
};
template <class T>
using Owned = std::unique_ptr<T, Freed>;

unsigned char const* bytes_of(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }
std::string text_of(unsigned char const* bytes, std::size_t size) { return bytes ? std::string(bytes, bytes + size) : std::string(); }

std::unexpected<Problem> malformed(std::string_view what) {
    return fail(401, "passkey_malformed", fmt::format("what the browser made of the passkey can't be read: {}", what));
}

int cose_of(PasskeyAlgorithm algorithm) {
    return algorithm == PasskeyAlgorithm::es256 ? COSE_ES256 : algorithm == PasskeyAlgorithm::rs256 ? COSE_RS256 : COSE_EDDSA;
}

// CBOR (RFC 8949) of definite lengths, which is all that CTAP2 knows. What can't be read is nothing.
class Cbor {
   public:
    explicit Cbor(std::string_view text) : rest_(text) {}
    bool at_end() const { return rest_.empty(); }
    std::optional<std::size_t> map() { return sized(5); }
    std::optional<std::string_view> text() { return string(3); }
    std::optional<std::string_view> bytes() { return string(2); }
    // The whole of the next item.
    std::optional<std::string_view> item() {
        auto const from = rest_;
        if (!skip(0)) return {};
        return from.substr(0, from.size() - rest_.size());
    }

   private:
    struct Head {
        unsigned major = 0;
        std::uint64_t value = 0;
    };
    std::optional<Head> head() {
        if (rest_.empty()) return {};
        auto const first = static_cast<unsigned char>(rest_[0]);
        unsigned const info = first & 0x1f, more = info < 24 ? 0 : info < 28 ? 1u << (info - 24) : 9;
        if (more > 8 || rest_.size() < 1 + more) return {};
        Head out{unsigned(first >> 5), more == 0 ? info : 0};
        for (unsigned i = 1; i <= more; ++i) out.value = out.value << 8 | static_cast<unsigned char>(rest_[i]);
        rest_.remove_prefix(1 + more);
        return out;
    }
    std::optional<std::size_t> sized(unsigned major) {
        auto const h = head();
        if (!h || h->major != major || h->value > rest_.size()) return {};
        return std::size_t(h->value);
    }
    std::optional<std::string_view> string(unsigned major) {
        auto const size = sized(major);
        if (!size) return {};
        auto const out = rest_.substr(0, *size);
        rest_.remove_prefix(*size);
        return out;
    }
    bool skip(int depth) {
        auto const h = head();
        if (!h || depth > cbor_depth_max) return false;
        if (h->major == 2 || h->major == 3) return h->value <= rest_.size() && (rest_.remove_prefix(std::size_t(h->value)), true);
        std::uint64_t const inside = h->major == 4 ? h->value : h->major == 5 ? h->value * 2 : h->major == 6 ? 1 : 0;
        if (h->value > rest_.size() && (h->major == 4 || h->major == 5)) return false;
        for (std::uint64_t i = 0; i < inside; ++i)
            if (!skip(depth + 1)) return false;
        return true;
    }
    std::string_view rest_;
};

struct Attestation {
    std::string format;
    std::string_view statement, data;
};

std::optional<Attestation> read_attestation(std::string_view text) {
    Cbor in(text);
    Attestation out;
    auto const members = in.map();
    if (members != 3u) return {};
    for (int i = 0; i < 3; ++i) {
        auto const name = in.text();
        if (!name) return {};
        auto const value = *name == "fmt" ? in.text() : *name == "authData" ? in.bytes() : in.item();
        if (!value) return {};
        if (*name == "fmt") out.format = *value;
        if (*name == "authData") out.data = *value;
        if (*name == "attStmt") out.statement = *value;
    }
    if (!in.at_end() || out.format.empty() || out.data.empty() || out.statement.empty()) return {};
    return out;
}

bool origin_fits(std::string_view said, PasskeyExpected const& expected) {
    if (said == expected.origin) return true;
    if (expected.rp_id != "localhost") return false;
    for (std::string_view const own : {"http://localhost", "https://localhost"}) {
        if (said == own) return true;
        if (said.starts_with(own) && said.size() > own.size() + 1 && said[own.size()] == ':' &&
            said.find_first_not_of("0123456789", own.size() + 1) == said.npos)
            return true;
    }
    return false;
}

Result<void> check_client_data(std::string_view text, std::string_view type, PasskeyExpected const& expected) {
    TRY_ASSIGN(auto const challenge, passkey_challenge(text, shown_status));
    auto const members = json_members(text);
    if (text_member(*members, "type") != type) return fail(401, "passkey_ceremony_wrong", "the passkey was asked for something else");
    if (challenge != expected.challenge) return fail(401, "passkey_challenge_wrong", "the challenge is not the one that was given");
    auto const crossed = members->find("crossOrigin");
    bool const in_frame = crossed != members->end() && crossed->second.text != "false";
    if (!origin_fits(text_member(*members, "origin").value_or(""), expected) || in_frame)
        return fail(401, "passkey_origin_wrong", fmt::format("the page that asked is not of {}", expected.origin));
    return {};
}

Result<void> check_head(std::string_view data, PasskeyExpected const& expected) {
    if (data.size() < head_bytes || data.size() > passkey_data_bytes_max) return malformed("authenticator data");
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
    SHA256(bytes_of(expected.rp_id), expected.rp_id.size(), hash.data());
    if (!std::equal(hash.begin(), hash.end(), bytes_of(data)))
        return fail(401, "passkey_rp_wrong", fmt::format("the passkey is not for {}", expected.rp_id));
    auto const flags = static_cast<unsigned char>(data[hash.size()]);
    if (!(flags & user_present)) return fail(401, "passkey_user_absent", "nobody touched the authenticator");
    if (!(flags & user_verified))
        return fail(401, "passkey_user_unverified", "the authenticator didn't verify its user: it must ask for a PIN, a finger or a face");
    return {};
}

// libfido2 takes a public key of the one type that it was told.
Owned<fido_cred_t> read_credential(std::string_view data) {
    for (auto algorithm : {PasskeyAlgorithm::es256, PasskeyAlgorithm::rs256, PasskeyAlgorithm::eddsa}) {
        Owned<fido_cred_t> made(fido_cred_new());
        if (made && fido_cred_set_type(made.get(), cose_of(algorithm)) == FIDO_OK &&
            fido_cred_set_authdata_raw(made.get(), bytes_of(data), data.size()) == FIDO_OK)
            return made;
    }
    return {};
}

// libfido2 goes by the key's type, whatever the statement says.
bool says_algorithm(std::string_view statement, int type) {
    using std::string_view_literals::operator""sv;
    auto const expected = type == COSE_ES256 ? "\x26"sv : type == COSE_EDDSA ? "\x27"sv : "\x39\x01\x00"sv;
    Cbor in(statement);
    bool said = false;
    for (auto left = in.map().value_or(0); left > 0; --left) {
        auto const name = in.text(), value = name ? in.item() : std::nullopt;
        if (!value) return false;
        if (*name == "alg") said = *value == expected;
    }
    return said;
}

// "packed" by the passkey itself: what it signs is its own key.
Result<void> check_statement(fido_cred_t* made, Attestation const& told, PasskeyMade const& in, PasskeyExpected const& expected) {
    auto const set = [](int code) { return code == FIDO_OK; };
    bool const is_read = set(fido_cred_set_fmt(made, "packed")) && set(fido_cred_set_uv(made, FIDO_OPT_TRUE)) &&
                         set(fido_cred_set_rp(made, expected.rp_id.c_str(), nullptr)) &&
                         set(fido_cred_set_clientdata(made, bytes_of(in.client_data), in.client_data.size())) &&
                         set(fido_cred_set_attstmt(made, bytes_of(told.statement), told.statement.size()));
    if (!is_read) return malformed("its attestation");
    if (fido_cred_x5c_ptr(made))
        return fail(422, "passkey_attestation_unsupported", "attestation by a maker's certificate is not read: ask for \"none\"");
    if (!says_algorithm(told.statement, fido_cred_type(made)) || fido_cred_verify_self(made) != FIDO_OK)
        return fail(422, "passkey_attestation_wrong", "the passkey didn't sign what it attests");
    return {};
}

int verify(fido_assert_t* shown, Passkey const& known) {
    auto with = [&]<class Key>(Owned<Key> key, int (*from)(Key*, void const*, std::size_t)) {
        if (!key || from(key.get(), known.key.data(), known.key.size()) != FIDO_OK) return FIDO_ERR_INVALID_ARGUMENT;
        return fido_assert_verify(shown, 0, cose_of(known.algorithm), key.get());
    };
    switch (known.algorithm) {
        case PasskeyAlgorithm::es256: return with(Owned<es256_pk_t>(es256_pk_new()), &es256_pk_from_ptr);
        case PasskeyAlgorithm::rs256: return with(Owned<rs256_pk_t>(rs256_pk_new()), &rs256_pk_from_ptr);
        case PasskeyAlgorithm::eddsa: return with(Owned<eddsa_pk_t>(eddsa_pk_new()), &eddsa_pk_from_ptr);
    }
    return FIDO_ERR_INVALID_ARGUMENT;
}

// Whether OpenSSL takes it: a point that is on the curve.
bool is_usable(Passkey const& made) {
    auto is_key = [&]<class Key>(Owned<Key> key, int (*from)(Key*, void const*, std::size_t), EVP_PKEY* (*to)(Key const*)) {
        if (!key || from(key.get(), made.key.data(), made.key.size()) != FIDO_OK) return false;
        std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> const usable(to(key.get()), EVP_PKEY_free);
        return usable != nullptr;
    };
    switch (made.algorithm) {
        case PasskeyAlgorithm::es256: return is_key(Owned<es256_pk_t>(es256_pk_new()), &es256_pk_from_ptr, &es256_pk_to_EVP_PKEY);
        case PasskeyAlgorithm::rs256: return is_key(Owned<rs256_pk_t>(rs256_pk_new()), &rs256_pk_from_ptr, &rs256_pk_to_EVP_PKEY);
        case PasskeyAlgorithm::eddsa: return is_key(Owned<eddsa_pk_t>(eddsa_pk_new()), &eddsa_pk_from_ptr, &eddsa_pk_to_EVP_PKEY);
    }
    return false;
}

Passkey kept_of(fido_cred_t const* made) {
    Passkey out;
    auto const type = fido_cred_type(made);
    out.algorithm = type == COSE_RS256 ? PasskeyAlgorithm::rs256 : type == COSE_EDDSA ? PasskeyAlgorithm::eddsa : PasskeyAlgorithm::es256;
    out.credential = text_of(fido_cred_id_ptr(made), fido_cred_id_len(made));
    out.key = text_of(fido_cred_pubkey_ptr(made), fido_cred_pubkey_len(made));
    out.counter = fido_cred_sigcount(made);
    return out;
}

std::string small(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    return out;
}

void begin_library() { [[maybe_unused]] static bool const done = (fido_init(0), true); }

}  // namespace

Result<PasskeyExpected> passkeys_at(std::string_view given, std::string_view rp_id) {
    auto unavailable = [](std::string_view why) { return fail(422, "passkeys_unavailable", std::string(why)); };
    auto const url = small(given), rp = small(rp_id);
    auto const slashes = url.find("://");
    if (slashes == url.npos) return unavailable("passkeys are for a name, and [accounts] url has none");
    auto origin = url.substr(0, url.find('/', slashes + 3));
    std::string_view const usual = url.starts_with("https:") ? ":443" : ":80";
    if (origin.ends_with(usual)) origin.resize(origin.size() - usual.size());
    auto host = std::string_view(origin).substr(slashes + 3);
    host = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
    if (host == "127.0.0.1" || host == "[::1]") return PasskeyExpected{{}, "localhost", "http://localhost"};
    if (host.empty() || host.starts_with('[') || parse_address(host))
        return unavailable("passkeys are for a name, and [accounts] url is an address: give this server a name");
    if (!rp.empty() && host != rp && !host.ends_with("." + rp))
        return unavailable("[accounts] passkey_rp is neither the host of [accounts] url nor a domain above it");
    return PasskeyExpected{{}, rp.empty() ? std::string(host) : rp, origin};
}

std::optional<std::string_view> passkey_authorization(std::string_view value) {
    constexpr std::string_view scheme = "passkey ";
    if (small(value.substr(0, scheme.size())) != scheme) return {};
    return value.substr(scheme.size());
}

Result<std::string> passkey_challenge(std::string_view client_data, int status) {
    auto const members = client_data.size() <= passkey_data_bytes_max ? json_members(client_data) : std::nullopt;
    auto challenge = members ? decode_base64url(text_member(*members, "challenge").value_or("")) : std::nullopt;
    if (challenge && !challenge->empty()) return std::move(*challenge);
    auto refused = malformed("client data");
    refused.error().status = status;
    return refused;
}

namespace {

Result<Passkey> read_made(PasskeyMade const& made, PasskeyExpected const& expected) {
    begin_library();
    TRY_VOID(check_client_data(made.client_data, "webauthn.create", expected));
    auto const told = made.attestation.size() <= passkey_data_bytes_max ? read_attestation(made.attestation) : std::nullopt;
    if (!told) return malformed("its attestation");
    TRY_VOID(check_head(told->data, expected));
    if (told->format != "none" && told->format != "packed")
        return fail(422, "passkey_attestation_unsupported", "attestation is read as \"none\", or \"packed\" by the passkey itself");
    auto const credential = read_credential(told->data);
    if (!credential)
        return fail(422, "passkey_algorithm_unsupported", "the passkey's key can't be read, or is none of ES256, RS256 and EdDSA");
    if (told->format == "packed") TRY_VOID(check_statement(credential.get(), *told, made, expected));
    auto out = kept_of(credential.get());
    if (out.credential.empty() || out.credential.size() > passkey_credential_bytes_max || !is_usable(out)) return malformed("its key");
    return out;
}

}  // namespace

Result<Passkey> check_passkey_made(PasskeyMade const& made, PasskeyExpected const& expected) {
    auto out = read_made(made, expected);
    if (!out) out.error().status = made_status;
    return out;
}

Result<std::uint32_t> check_passkey_shown(PasskeyShown const& shown, Passkey const& known, PasskeyExpected const& expected) {
    begin_library();
    TRY_VOID(check_client_data(shown.client_data, "webauthn.get", expected));
    TRY_VOID(check_head(shown.authenticator_data, expected));
    Owned<fido_assert_t> const assertion(fido_assert_new());
    auto* const a = assertion.get();
    auto const set = [](int code) { return code == FIDO_OK; };
    auto const &data = shown.authenticator_data, &client = shown.client_data;
    bool const is_read = a && !shown.signature.empty() && set(fido_assert_set_rp(a, expected.rp_id.c_str())) &&
                         set(fido_assert_set_clientdata(a, bytes_of(client), client.size())) && set(fido_assert_set_count(a, 1)) &&
                         set(fido_assert_set_up(a, FIDO_OPT_TRUE)) && set(fido_assert_set_uv(a, FIDO_OPT_TRUE)) &&
                         set(fido_assert_set_authdata_raw(a, 0, bytes_of(data), data.size())) &&
                         set(fido_assert_set_sig(a, 0, bytes_of(shown.signature), shown.signature.size()));
    if (!is_read) return malformed("its answer");
    if (verify(a, known) != FIDO_OK) return fail(401, "passkey_signature_wrong", "the passkey's signature is wrong");
    auto const counter = fido_assert_sigcount(a, 0);
    TRY_VOID(check_passkey_counter(known.counter, counter));
    return counter;
}

Result<void> check_passkey_counter(std::uint32_t known, std::uint32_t shown) {
    if ((known == 0 && shown == 0) || shown > known) return {};
    return fail(401, "passkey_cloned", "the passkey's counter went back: there may be a copy of it; remove it, and add another one");
}

}  // namespace gantry::auth
