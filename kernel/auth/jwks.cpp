#include "kernel/auth/jwks.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <map>

#include "kernel/auth/base64url.h"
#include "kernel/auth/json_members.h"
#include "kernel/codec/scalar.h"

namespace gantry::auth {
namespace {

template <auto Free>
struct Deleter {
    void operator()(auto* p) const { Free(p); }
};
using BigNumber = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;
using Key = std::shared_ptr<EVP_PKEY>;

constexpr std::size_t p256_bytes = 32, ed25519_bytes = 32, signature_bytes = 64;

unsigned char const* raw(std::string_view s) { return reinterpret_cast<unsigned char const*>(s.data()); }

BigNumber number(std::string_view bytes) { return BigNumber(BN_bin2bn(raw(bytes), int(bytes.size()), nullptr)); }

Key key_from(char const* type, OSSL_PARAM_BLD* builder) {
    Params params(OSSL_PARAM_BLD_to_param(builder));
    KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) <= 0)
        key = nullptr;
    ERR_clear_error();
    return key ? Key(key, EVP_PKEY_free) : Key();
}

Key rsa_key(std::string_view n, std::string_view e) {
    auto const modulus = number(n), exponent = number(e);
    if (!modulus || !exponent || !BN_is_odd(exponent.get()) || BN_is_one(exponent.get())) return {};
    Builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
    return key_from("RSA", builder.get());
}

// Fails when the point isn't on the curve.
Key p256_key(std::string_view x, std::string_view y) {
    std::string const point = "\x04" + std::string(x) + std::string(y);
    Builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    auto key = key_from("EC", builder.get());
    if (!key) return {};
    KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    bool const sound = context && EVP_PKEY_public_check(context.get()) == 1;
    ERR_clear_error();
    return sound ? key : Key();
}

Key ed25519_key(std::string_view x) {
    auto* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(x), x.size());
    ERR_clear_error();
    return key ? Key(key, EVP_PKEY_free) : Key();
}

std::string member_bytes(Members const& members, std::string_view name) {
    return decode_base64url(text_member(members, name).value_or("")).value_or("");
}

// R and S to the DER that OpenSSL takes.
std::string der_of(std::string_view signature) {
    Signature parts(ECDSA_SIG_new());
    auto r = number(signature.substr(0, p256_bytes)), s = number(signature.substr(p256_bytes));
    if (!parts || !r || !s || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return {};
    (void)r.release(), (void)s.release();
    unsigned char* der = nullptr;
    int const size = i2d_ECDSA_SIG(parts.get(), &der);
    if (size <= 0) return {};
    std::string out(reinterpret_cast<char*>(der), std::size_t(size));
    OPENSSL_free(der);
    return out;
}

bool is_for_verifying(Members const& members) {
    if (members.contains("use")) return text_member(members, "use") == "sig";
    if (!members.contains("key_ops")) return true;
    auto const operations = texts_member(members, "key_ops");
    return operations && std::ranges::find(*operations, "verify") != operations->end();
}

}  // namespace

std::string_view name_of(JwtAlgorithm algorithm) {
    constexpr std::array<std::string_view, 4> names = {"RS256", "PS256", "ES256", "EdDSA"};
    return names[std::size_t(algorithm)];
}

std::optional<JwtAlgorithm> algorithm_named(std::string_view name) {
    for (auto algorithm : {JwtAlgorithm::rs256, JwtAlgorithm::ps256, JwtAlgorithm::es256, JwtAlgorithm::eddsa})
        if (name_of(algorithm) == name) return algorithm;
    return {};
}

bool JwtKey::fits(JwtAlgorithm wanted) const {
    if (algorithm && *algorithm != wanted) return false;
    switch (wanted) {
        case JwtAlgorithm::rs256:
        case JwtAlgorithm::ps256: return type_ == Type::rsa;
        case JwtAlgorithm::es256: return type_ == Type::p256;
        case JwtAlgorithm::eddsa: return type_ == Type::ed25519;
    }
    return false;
}

bool JwtKey::verify(JwtAlgorithm with, std::string_view signed_text, std::string_view signature) const {
    if (!fits(with)) return false;
    std::string der;
    std::size_t const expected =
        with == JwtAlgorithm::es256 || with == JwtAlgorithm::eddsa ? signature_bytes : std::size_t(EVP_PKEY_get_size(key_.get()));
    if (signature.size() != expected) return false;
    if (with == JwtAlgorithm::es256) {
        der = der_of(signature);
        if (der.empty()) return false;
        signature = der;
    }
    DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* parameters = nullptr;
    auto const* digest = with == JwtAlgorithm::eddsa ? nullptr : EVP_sha256();
    bool right = context && EVP_DigestVerifyInit(context.get(), &parameters, digest, nullptr, key_.get()) == 1;
    if (right && with == JwtAlgorithm::ps256)
        right = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    right = right && EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(signed_text), signed_text.size()) == 1;
    ERR_clear_error();
    return right;
}

bool JwtKeys::holds(JwtKey const& key) const {
    return std::ranges::any_of(keys_, [&](JwtKey const& own) {
        return own.kid == key.kid && own.algorithm == key.algorithm && EVP_PKEY_eq(own.key_.get(), key.key_.get()) == 1;
    });
}

Result<JwtKeys> JwtKeys::parse(std::string_view json) {
    auto invalid = [](std::string what) { return fail(400, "jwks_invalid", what); };
    if (json.size() > bytes_max) return invalid(fmt::format("the key set has {} bytes; {} are allowed", json.size(), bytes_max));
    auto const set = json_members(json);
    auto const keys = set ? objects_member(*set, "keys") : std::nullopt;
    if (!keys) return invalid("expected a JSON object with a list \"keys\" of objects without members that stand there twice");
    if (keys->size() > keys_max) return invalid(fmt::format("{} keys; {} are allowed", keys->size(), keys_max));
    JwtKeys out;
    for (std::size_t i = 0; i < keys->size(); ++i) {
        auto const& members = (*keys)[i];
        JwtKey key;
        key.kid = text_member(members, "kid").value_or("");
        auto skip = [&](std::string const& why) {
            out.skipped_.push_back(fmt::format("key {} (kid {}): {}", i, codec::detail::quoted(key.kid), why));
        };
        auto const type = text_member(members, "kty").value_or(""), curve = text_member(members, "crv").value_or("");
        if (!is_for_verifying(members)) {
            skip("not for signatures");
            continue;
        }
        if (members.contains("d") || members.contains("k")) {
            skip("a private key: the issuer must never publish one");
            continue;
        }
        if (members.contains("alg")) {
            key.algorithm = algorithm_named(text_member(members, "alg").value_or(""));
            if (!key.algorithm) {
                skip("its alg is none of RS256, PS256, ES256, EdDSA");
                continue;
            }
        }
        auto const x = member_bytes(members, "x"), y = member_bytes(members, "y");
        if (type == "RSA") {
            auto const n = member_bytes(members, "n"), e = member_bytes(members, "e");
            key.type_ = JwtKey::Type::rsa;
            int const bits = BN_num_bits(number(n).get());
            if (bits < rsa_bits_min || bits > rsa_bits_max || e.size() > 8) {
                skip(fmt::format("an RSA key of {} bits; {} to {} are allowed, with an exponent of up to 64", bits, rsa_bits_min,
                                 rsa_bits_max));
                continue;
            }
            key.key_ = rsa_key(n, e);
        } else if (type == "EC" && curve == "P-256") {
            key.type_ = JwtKey::Type::p256;
            if (x.size() == p256_bytes && y.size() == p256_bytes) key.key_ = p256_key(x, y);
        } else if (type == "OKP" && curve == "Ed25519") {
            key.type_ = JwtKey::Type::ed25519;
            if (x.size() == ed25519_bytes) key.key_ = ed25519_key(x);
        } else {
            skip("expected RSA, EC P-256 or OKP Ed25519");
            continue;
        }
        if (!key.key_)
            skip("the numbers of the key are broken");
        else
            out.keys_.push_back(std::move(key));
    }
    if (out.keys_.empty())
        return invalid(fmt::format("no key of the set can be used{}{}", out.skipped_.empty() ? "" : ": ",
                                   out.skipped_.empty() ? "" : out.skipped_.front()));
    return out;
}

}  // namespace gantry::auth
