#include "kernel/auth/jwt_sign.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "kernel/auth/base64url.h"
#include "kernel/auth/verifier.h"
#include "kernel/base/assert.h"

namespace gantry::auth {
namespace {

struct DigestContextFree {
    void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

std::string number(EVP_PKEY const* key, char const* name) {
    BIGNUM* n = nullptr;
    GANTRY_ASSERT(EVP_PKEY_get_bn_param(key, name, &n) == 1, "an RSA key has this number");
    std::string out(std::size_t(BN_num_bytes(n)), '\0');
    BN_bn2bin(n, reinterpret_cast<unsigned char*>(out.data()));
    BN_free(n);
    return base64url(out);
}

}  // namespace

JwtSigningKey JwtSigningKey::make() {
    JwtSigningKey out;
    out.key_ = {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t(rsa_bits)), EVP_PKEY_free};
    GANTRY_ASSERT(out.key_, "OpenSSL makes a key");
    return out;
}

std::optional<JwtSigningKey> JwtSigningKey::of_der(std::string_view der) {
    auto const* at = reinterpret_cast<unsigned char const*>(der.data());
    JwtSigningKey out;
    out.key_ = {d2i_AutoPrivateKey(nullptr, &at, long(der.size())), EVP_PKEY_free};
    ERR_clear_error();
    if (!out.key_ || EVP_PKEY_get_base_id(out.key_.get()) != EVP_PKEY_RSA) return {};
    return out;
}

std::string JwtSigningKey::der() const {
    PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key_.get());
    unsigned char* bytes = nullptr;
    int const size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &bytes) : 0;
    GANTRY_ASSERT(size > 0, "OpenSSL writes a key that it made");
    std::string out(reinterpret_cast<char*>(bytes), std::size_t(size));
    OPENSSL_clear_free(bytes, std::size_t(size));
    PKCS8_PRIV_KEY_INFO_free(info);
    return out;
}

std::string JwtSigningKey::kid() const {
    return base64url(digest_of(fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", number(key_.get(), OSSL_PKEY_PARAM_RSA_E),
                                           number(key_.get(), OSSL_PKEY_PARAM_RSA_N))));
}

std::string JwtSigningKey::jwk() const {
    return fmt::format(R"({{"kty":"RSA","use":"sig","alg":"RS256","kid":"{}","n":"{}","e":"{}"}})", kid(),
                       number(key_.get(), OSSL_PKEY_PARAM_RSA_N), number(key_.get(), OSSL_PKEY_PARAM_RSA_E));
}

std::string JwtSigningKey::sign(std::string_view claims, std::string_view type) const {
    auto const text = base64url(fmt::format(R"({{"alg":"RS256","typ":"{}","kid":"{}"}})", type, kid())) + "." + base64url(claims);
    std::unique_ptr<EVP_MD_CTX, DigestContextFree> context(EVP_MD_CTX_new());
    GANTRY_ASSERT(context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1, "OpenSSL signs");
    std::string signature(std::size_t(EVP_PKEY_get_size(key_.get())), '\0');
    std::size_t size = signature.size();
    auto const* bytes = reinterpret_cast<unsigned char const*>(text.data());
    GANTRY_ASSERT(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) == 1,
                  "OpenSSL signs with a key that it made");
    signature.resize(size);
    return text + "." + base64url(signature);
}

}  // namespace gantry::auth
