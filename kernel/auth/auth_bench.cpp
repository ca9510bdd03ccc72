// What recognising a caller costs: each before every request, or once a connection.
#include <benchmark/benchmark.h>

#include "kernel/auth/authorization.h"
#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"
#include "kernel/auth/jwt_callers.h"
#include "kernel/auth/jwt_sign.h"
#include "kernel/auth/jwt_signer_for_test.h"
#include "kernel/auth/origin.h"
#include "kernel/auth/verified_passwords.h"

namespace gantry::auth {
namespace {

constexpr Time now{1'772'359'200'000'000};

struct Known {
    SeededRandom random{1};
    std::unique_ptr<FileCallers> callers;
    std::string token;
    explicit Known(std::size_t count) {
        CallersFile file;
        for (std::size_t i = 0; i < count; ++i) {
            auto& row = file.callers.emplace_back();
            row.name = "caller" + std::to_string(i), row.scopes = {"queue:*", "*:read", "tracker:write"};
            auto const id = make_credential_id(random);
            token = make_token(id, random);
            auto& credential = row.credentials.emplace_back();
            credential.id = id, credential.kind = CredentialKind::token, credential.hash = token_hash(token);
        }
        callers = FileCallers::make(callers_text(file)).value();
    }
};

void token_lookup(benchmark::State& state) {
    Known const known(std::size_t(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(known.callers->by_token(known.token, now));
}
BENCHMARK(token_lookup)->Arg(10)->Arg(100'000);

// The same header again on a connection that knows whose it is.
void kept_with_the_connection(benchmark::State& state) {
    Known const known(10);
    auto const identity = known.callers->by_token(known.token, now).value();
    std::string const kept = "Bearer " + known.token, shown = kept;
    for (auto _ : state) {
        benchmark::DoNotOptimize(shown.data());
        benchmark::DoNotOptimize(shown == kept && identity.holds(now));
    }
}
BENCHMARK(kept_with_the_connection);

void bearer_parse(benchmark::State& state) {
    Known const known(1);
    auto const header = "Bearer " + known.token;
    for (auto _ : state) benchmark::DoNotOptimize(parse_authorization(header));
}
BENCHMARK(bearer_parse);

void basic_remembered(benchmark::State& state) {
    Known const known(1);
    SeededRandom random(2);
    VerifiedPasswords verified(random);
    std::string const header = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    verified.keep(header, known.callers->by_token(known.token, now).value(), 1, now);
    for (auto _ : state) benchmark::DoNotOptimize(verified.find(header, 1, now));
}
BENCHMARK(basic_remembered);

void password_verified(benchmark::State& state) {
    SeededRandom random(3);
    auto const hash = password_hash("correct horse", random).value();
    for (auto _ : state) benchmark::DoNotOptimize(password_matches(hash, "correct horse"));
}
BENCHMARK(password_verified)->Unit(benchmark::kMillisecond);

void scope_check(benchmark::State& state) {
    std::vector<std::string> const patterns = {"queue:*", "*:read", "tracker:write"};
    auto const scopes = Scopes::parse(patterns).value();
    for (auto _ : state) benchmark::DoNotOptimize(scopes.allow("tracker:write"));
}
BENCHMARK(scope_check);

void limiter(benchmark::State& state) {
    static CallerLimiter one({.per_s = 1'000'000, .burst = 1'000'000, .concurrent = 1000});
    std::int64_t at_ns = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(one.take(at_ns += 1000));
        if (one.enter()) one.leave();
    }
}
BENCHMARK(limiter)->Threads(1)->Threads(2);

void forwarded_for(benchmark::State& state) {
    auto const rules = OriginRules::make({{"10.0.0.0/8", "fd00::/8"}, "X-Forwarded-For", ""}).value();
    auto const peer = *parse_address("10.0.0.1");
    std::string_view const values[] = {"203.0.113.9, 192.0.2.1, 10.2.3.4"};
    for (auto _ : state) benchmark::DoNotOptimize(rules.of(peer, values, {}));
}
BENCHMARK(forwarded_for);

void jwt(benchmark::State& state, JwtAlgorithm algorithm) {
    JwtSigner const signer(algorithm);
    auto const token = signer.token(R"({"iss":"i","aud":"a","sub":"ann","exp":1772359500,"scope":"tracker:write","groups":["x","y"]})");
    auto const keys = JwtKeys::parse(signer.jwks()).value();
    JwtExpectations expected;
    expected.issuer = "i", expected.audiences = {"a"};
    for (auto _ : state) {
        auto verified = verify_jwt(token, keys, expected, now);
        if (!verified) state.SkipWithError("refused");
    }
}
void jwt_signed(benchmark::State& state) {
    auto const key = *JwtSigningKey::of_der(JwtSigningKey::make().der());
    for (auto _ : state) benchmark::DoNotOptimize(key.sign(R"({"iss":"https://gantry.example","sub":"u_1","aud":"tl_1"})"));
}
BENCHMARK(jwt_signed);

BENCHMARK_CAPTURE(jwt, rs256, JwtAlgorithm::rs256);
BENCHMARK_CAPTURE(jwt, ps256, JwtAlgorithm::ps256);
BENCHMARK_CAPTURE(jwt, es256, JwtAlgorithm::es256);
BENCHMARK_CAPTURE(jwt, eddsa, JwtAlgorithm::eddsa);

void jwt_remembered(benchmark::State& state) {
    JwtSigner const signer(JwtAlgorithm::es256);
    auto const token = signer.token(R"({"iss":"i","aud":"a","sub":"ann","exp":1772359500})");
    JwtSettings settings;
    settings.expected.issuer = "i", settings.expected.audiences = {"a"};
    auto const callers = JwtCallers::make(settings).value();
    callers->set_keys(JwtKeys::parse(signer.jwks()).value());
    for (auto _ : state) benchmark::DoNotOptimize(callers->by_jwt(token, now));
}
BENCHMARK(jwt_remembered);

}  // namespace
}  // namespace gantry::auth

BENCHMARK_MAIN();
