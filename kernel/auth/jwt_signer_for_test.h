#pragma once
// An identity provider of one key, for tests and measurements: makes the key, signs, and publishes it as a JWK.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "kernel/auth/base64url.h"
#include "kernel/auth/jwks.h"
#include "kernel/base/assert.h"

namespace gantry::auth {

class JwtSigner {
   public:
    explicit JwtSigner(JwtAlgorithm algorithm, unsigned rsa_bits = 2048) : algorithm_(algorithm) {
        EVP_PKEY* key = algorithm == JwtAlgorithm::es256   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                        : algorithm == JwtAlgorithm::eddsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                           : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t(rsa_bits));
        GANTRY_ASSERT(key, "OpenSSL makes a key");
        key_.reset(key);
    }
    std::string header(std::string const& more = "") const {
        return "{\"alg\":\"" + std::string(name_of(algorithm_)) + "\",\"kid\":\"k1\"" + more + "}";
    }
    std::string token(std::string const& claims) const { return token(header(), claims); }
    std::string token(std::string const& header_json, std::string const& claims) const {
        auto const text = base64url(header_json) + "." + base64url(claims);
        return text + "." + base64url(sign(text));
    }
    std::string jwk(std::string const& kid = "k1", std::string const& more = "") const {
        std::string out = "{\"kid\":\"" + kid + "\"" + more;
        if (algorithm_ == JwtAlgorithm::es256)
            return out + R"(,"kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) + R"(","y":")" +
                   number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"}";
        if (algorithm_ != JwtAlgorithm::eddsa)
            return out + R"(,"kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" + number(OSSL_PKEY_PARAM_RSA_E, 0) +
                   "\"}";
        std::string raw(32, '\0');
        std::size_t size = raw.size();
        EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
        return out + R"(,"kty":"OKP","crv":"Ed25519","x":")" + base64url(raw) + "\"}";
    }
    std::string jwks() const { return "{\"keys\":[" + jwk() + "]}"; }

    std::string sign(std::string const& text) const {
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        EVP_PKEY_CTX* parameters = nullptr;
        auto const* digest = algorithm_ == JwtAlgorithm::eddsa ? nullptr : EVP_sha256();
        GANTRY_ASSERT(EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key_.get()) == 1, "OpenSSL signs");
        if (algorithm_ == JwtAlgorithm::ps256) {
            EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
        }
        std::string out(std::size_t(EVP_PKEY_get_size(key_.get())), '\0');
        std::size_t size = out.size();
        auto const* bytes = reinterpret_cast<unsigned char const*>(text.data());
        GANTRY_ASSERT(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, text.size()) == 1, "signs");
        out.resize(size);
        return algorithm_ == JwtAlgorithm::es256 ? joined(out) : out;
    }

   private:
    std::string number(char const* name, int width) const {
        BIGNUM* n = nullptr;
        GANTRY_ASSERT(EVP_PKEY_get_bn_param(key_.get(), name, &n) == 1, "the key has the number");
        std::string out(std::size_t(width ? width : BN_num_bytes(n)), '\0');
        BN_bn2binpad(n, reinterpret_cast<unsigned char*>(out.data()), int(out.size()));
        BN_free(n);
        return base64url(out);
    }
    static std::string joined(std::string const& der) {
        auto const* at = reinterpret_cast<unsigned char const*>(der.data());
        std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(d2i_ECDSA_SIG(nullptr, &at, long(der.size())), ECDSA_SIG_free);
        std::string out(64, '\0');
        BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), reinterpret_cast<unsigned char*>(out.data()), 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), reinterpret_cast<unsigned char*>(out.data()) + 32, 32);
        return out;
    }
    JwtAlgorithm algorithm_;
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
};

}  // namespace gantry::auth
