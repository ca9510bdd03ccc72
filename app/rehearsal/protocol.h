#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/result.h"
#include "kernel/codec/json.h"

// What the two binaries of a rehearsal say to each other: `gantry rehearse-worker` writes a hello, then one line for each line that it
// reads, JSON both ways, until its input ends.
//
//     > {"hello":{"protocol":1,"version":"0.1.0","service":"tracker","fingerprint":"…","incarnation":"…","from":0,"events":300,
//        "reads":["/tracker/v1/summary"]}}
//     < {"digest_at":17}
//     > {"digest":{"digest":"61d2…","folded":17,"fold_ms":3,"digest_ms":1,"state_bytes":…,"peak_bytes":…}}
//     < {"get":"/tracker/v1/packages?limit=3","as_of":17}
//     > {"answer":{"status":200,"body":"{\"items\":…}","ms":1}}
//     > {"problem":{"status":500,"code":"event_type_unknown","detail":"…","cause":"…"}}     instead of any of these
namespace gantry::app::rehearsal {

inline constexpr std::uint32_t protocol_version = 1;

struct Hello {
    std::uint32_t protocol = protocol_version;
    std::string version, service;
    std::string fingerprint;  // of the state's shape: digests of another one can't be compared
    std::string incarnation;
    std::uint64_t from = 0, events = 0;  // positions of the first and the last state that can be had
    std::vector<std::string> reads;      // the GETs without a field in their path, for who has no list of queries
};
RECORD(Hello, protocol, version, service, fingerprint, incarnation, from, events, reads);

struct Digest {
    std::string digest;
    std::uint64_t folded = 0;  // events, to come there
    double fold_ms = 0, digest_ms = 0;
    std::uint64_t state_bytes = 0, peak_bytes = 0;  // of the state; of the process
};
RECORD(Digest, digest, folded, fold_ms, digest_ms, state_bytes, peak_bytes);

struct Answered {
    int status = 0;
    std::string body;  // of a refusal: the problem document
    double ms = 0;
};
RECORD(Answered, status, body, ms);

struct Trouble {
    int status = 500;
    std::string code, detail, cause;
};
RECORD(Trouble, status, code, detail, cause);

struct Asked {
    std::optional<std::uint64_t> digest_at;
    std::optional<std::string> get;
    std::optional<std::uint64_t> as_of;
};
RECORD(Asked, digest_at, get, as_of);

struct Told {
    std::optional<Hello> hello;
    std::optional<Digest> digest;
    std::optional<Answered> answer;
    std::optional<Trouble> problem;
};
RECORD(Told, hello, digest, answer, problem);

// One of the binaries that are compared.
class Side {
   public:
    virtual ~Side() = default;
    virtual Hello const& hello() const = 0;
    // Of the state after an event.
    virtual Result<Digest> digest_at(std::uint64_t position) = 0;
    // A GET of that state. Refusals are answers, too.
    virtual Result<Answered> get(std::string const& target, std::uint64_t as_of) = 0;
};

Trouble trouble_of(Problem const& problem);
Problem problem_of(Trouble const& trouble);

}  // namespace gantry::app::rehearsal
