#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

// Passkeys (WebAuthn level 2) as the server needs them: what a browser hands over, held against what is expected of it, by libfido2. Pure.
namespace gantry::auth {

enum class PasskeyAlgorithm : std::uint8_t { es256, rs256, eddsa };

// What is kept of a passkey: its public half. All of them verify their user, for a check asks for it.
struct Passkey {
    std::string credential;  // the id by which authenticators know it
    PasskeyAlgorithm algorithm = PasskeyAlgorithm::es256;
    std::string key;            // es256: x and y; rs256: modulus and exponent; eddsa: 32 bytes
    std::uint32_t counter = 0;  // of the authenticator's signatures; many count none, and say 0
};

struct PasskeyExpected {
    std::string challenge;
    std::string rp_id;   // a host's name: a passkey is for it and what is below it
    std::string origin;  // of the page: "https://gantry.example". For the rp_id "localhost" every port of that is one's own.
};

// Of a server that people reach at `url`; `rp_id`: empty, or a domain above the url's host. Of a url on 127.0.0.1 or [::1] it is
// "localhost". 422 "passkeys_unavailable": passkeys are for a name, and the url has an address, or none that `rp_id` fits.
Result<PasskeyExpected> passkeys_at(std::string_view url, std::string_view rp_id);

// "Passkey <base64url>" in Authorization: what stands behind the scheme. Nothing when it is another scheme.
std::optional<std::string_view> passkey_authorization(std::string_view value);

inline constexpr std::size_t passkey_credential_bytes_max = 1023, passkey_data_bytes_max = 16 * 1024;

// The challenge that a browser says it was given, unverified: whoever keeps none looks here which one to expect.
Result<std::string> passkey_challenge(std::string_view client_data, int status);

// A new one, of `navigator.credentials.create`. Attestation "none", or "packed" by the passkey itself. Problems are 422:
// "passkey_malformed", "passkey_ceremony_wrong" (made for another purpose), "passkey_challenge_wrong", "passkey_origin_wrong",
// "passkey_rp_wrong", "passkey_user_absent", "passkey_user_unverified", "passkey_algorithm_unsupported", "passkey_attestation_unsupported",
// "passkey_attestation_wrong".
struct PasskeyMade {
    std::string client_data, attestation;  // bytes
};
Result<Passkey> check_passkey_made(PasskeyMade const& made, PasskeyExpected const& expected);

// One that is shown, of `navigator.credentials.get`: its counter from here on. Problems are 401: those before the algorithm, and
// "passkey_signature_wrong", "passkey_cloned" (the counter went back: there are two of it).
struct PasskeyShown {
    std::string client_data, authenticator_data, signature;  // bytes
};
Result<std::uint32_t> check_passkey_shown(PasskeyShown const& shown, Passkey const& known, PasskeyExpected const& expected);
Result<void> check_passkey_counter(std::uint32_t known, std::uint32_t shown);

}  // namespace gantry::auth
