#pragma once
// An authenticator in software, for tests: makes one passkey, and shows it. What it says of itself can be bent, to be refused.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <memory>
#include <string>

#include "kernel/auth/base64url.h"
#include "kernel/auth/passkey.h"
#include "kernel/base/assert.h"

namespace gantry::auth {

class PasskeyDevice {
   public:
    explicit PasskeyDevice(PasskeyAlgorithm algorithm = PasskeyAlgorithm::es256, std::string id = "credential-of-16")
        : credential(std::move(id)), algorithm_(algorithm) {
        EVP_PKEY* key = algorithm == PasskeyAlgorithm::es256   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                        : algorithm == PasskeyAlgorithm::eddsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                               : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t(2048));
        GANTRY_ASSERT(key, "OpenSSL makes a key");
        key_.reset(key);
    }
    std::string credential, rp_id = "localhost", origin = "http://localhost:8080", more;  // more: members of the client data
    std::uint32_t counter = 0;                                                            // it is shown with; 0: it counts none
    unsigned char flags = 0x05;                                                           // present, verified
    std::string create_type = "webauthn.create", get_type = "webauthn.get";

    std::string client_data(std::string const& type, std::string const& challenge) const {
        return R"({"type":")" + type + R"(","challenge":")" + base64url(challenge) + R"(","origin":")" + origin + "\"" + more + "}";
    }
    // `statement`: the members of a packed attestation by itself, unless something else is to be said.
    PasskeyMade make(std::string const& challenge, std::string const& format = "none", std::string const& statement = {}) const {
        PasskeyMade out{client_data(create_type, challenge), {}};
        auto const data = head(0x40) + std::string(16, '\0') + number(2, credential.size()) + credential + cose_key();
        auto said = statement;
        if (said.empty() && format == "packed")
            said = map(2) + text("alg") + cose_algorithm() + text("sig") + bytes(sign(data + hash(out.client_data)));
        if (said.empty()) said = map(0);
        out.attestation = map(3) + text("fmt") + text(format) + text("attStmt") + said + text("authData") + bytes(data);
        return out;
    }
    PasskeyShown show(std::string const& challenge) const {
        PasskeyShown out{client_data(get_type, challenge), head(0), {}};
        out.signature = sign(out.authenticator_data + hash(out.client_data));
        return out;
    }

    // --- CBOR
    static std::string head_of(unsigned major, std::size_t n) {
        if (n < 24) return std::string(1, char(major << 5 | n));
        if (n < 256) return std::string(1, char(major << 5 | 24)) + char(n);
        return std::string(1, char(major << 5 | 25)) + number(2, n);
    }
    static std::string map(std::size_t members) { return head_of(5, members); }
    static std::string text(std::string const& s) { return head_of(3, s.size()) + s; }
    static std::string bytes(std::string const& s) { return head_of(2, s.size()) + s; }
    static std::string integer(int n) { return n >= 0 ? head_of(0, std::size_t(n)) : head_of(1, std::size_t(-1 - n)); }
    static std::string number(int width, std::size_t n) {
        std::string out;
        for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) out += char(n >> shift & 0xff);
        return out;
    }

   private:
    static std::string hash(std::string const& s) {
        std::string out(SHA256_DIGEST_LENGTH, '\0');
        SHA256(reinterpret_cast<unsigned char const*>(s.data()), s.size(), reinterpret_cast<unsigned char*>(out.data()));
        return out;
    }
    std::string head(unsigned char more_flags) const { return hash(rp_id) + char(flags | more_flags) + number(4, counter); }
    std::string cose_algorithm() const {
        return integer(algorithm_ == PasskeyAlgorithm::es256 ? -7 : algorithm_ == PasskeyAlgorithm::eddsa ? -8 : -257);
    }
    std::string cose_key() const {
        auto const type = [&](int t) { return integer(1) + integer(t) + integer(3) + cose_algorithm(); };
        if (algorithm_ == PasskeyAlgorithm::rs256)
            return map(4) + type(3) + integer(-1) + bytes(part(OSSL_PKEY_PARAM_RSA_N, 256)) + integer(-2) +
                   bytes(part(OSSL_PKEY_PARAM_RSA_E, 3));
        if (algorithm_ == PasskeyAlgorithm::es256)
            return map(5) + type(2) + integer(-1) + integer(1) + integer(-2) + bytes(part(OSSL_PKEY_PARAM_EC_PUB_X, 32)) + integer(-3) +
                   bytes(part(OSSL_PKEY_PARAM_EC_PUB_Y, 32));
        std::string raw(32, '\0');
        std::size_t size = raw.size();
        EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
        return map(4) + type(1) + integer(-1) + integer(6) + integer(-2) + bytes(raw);
    }
    std::string part(char const* name, int width) const {
        BIGNUM* n = nullptr;
        GANTRY_ASSERT(EVP_PKEY_get_bn_param(key_.get(), name, &n) == 1, "the key has the number");
        std::string out(std::size_t(width), '\0');
        BN_bn2binpad(n, reinterpret_cast<unsigned char*>(out.data()), width);
        BN_free(n);
        return out;
    }
    std::string sign(std::string const& what) const {
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        auto const* digest = algorithm_ == PasskeyAlgorithm::eddsa ? nullptr : EVP_sha256();
        GANTRY_ASSERT(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1, "OpenSSL signs");
        std::string out(std::size_t(EVP_PKEY_get_size(key_.get())), '\0');
        std::size_t size = out.size();
        auto const* from = reinterpret_cast<unsigned char const*>(what.data());
        GANTRY_ASSERT(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, from, what.size()) == 1, "signs");
        return out.resize(size), out;
    }
    PasskeyAlgorithm algorithm_;
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
};

}  // namespace gantry::auth
