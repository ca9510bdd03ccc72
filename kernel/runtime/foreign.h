#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/result.h"

// Routes of a protocol that isn't ours (Sentry's, OAuth's, …), at a path of their own below the service: `/oops/api/{project}/envelope/`.
//
//     Result<Envelope>                  parse (ForeignRequest const&);                             // pure: what it says, as an input
//     Result<Emit<ForeignReply, Event>> ingest(State const&, Envelope const&, Ctx const&);         // a decision, or a read
//     foreign<Service>("POST", "/api/{project}/envelope/", &parse, &ingest, open_to_all, Doc{…}, ForeignOptions{.cross_origin = true})
//
// All else is as with other routes: the answer leaves when what it rests on is durable, a failure is a report, and so on.
namespace gantry {

struct ForeignHeader {
    std::string name, value;
    bool operator==(ForeignHeader const&) const = default;
};
RECORD(ForeignHeader, name, value);

// As it came (on a port of its own, see OwnPort, the path is what the client asked for); views that live as long as the call.
struct ForeignRequest {
    std::string_view verb, path, query;
    std::string_view body;                                                           // decoded (Content-Encoding: gzip)
    std::string_view scheme;                                                         // "http", "https": how this server was reached
    std::string_view host;                                                           // and by what name: the Host header
    std::string_view client;                                                         // the address of who asks
    std::span<std::pair<std::string_view, std::string_view> const> headers, fields;  // fields: {name} of the path, still encoded

    // Of the first of this name, in any case of letters; empty: there is none.
    std::string_view header(std::string_view name) const;
    // Decoded. Empty also where the encoding is broken.
    std::string field(std::string_view name) const;
    std::optional<std::string> parameter(std::string_view name) const;
    // Name and value, decoded, in their order; `application/x-www-form-urlencoded`. Nothing for a broken escape.
    static std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text);
};

struct ForeignReply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<ForeignHeader> headers = {};
};
RECORD(ForeignReply, status, content_type, body, headers);

struct ForeignOptions {
    std::uint64_t body_bytes_max = 1 << 20;  // decoded
    // Pages of any origin may ask, and read these headers of the answer besides the usual ones ("Retry-After, X-Other"). What a browser
    // shows by itself is no credential then: everybody is anonymous.
    bool cross_origin = false;
    std::string_view exposed_headers = {};
    bool waits = false;  // a command that may answer that it waits, as with `Waits`
    // The protocol's own credentials are in Authorization: it is the service's to look at, and everybody is anonymous.
    bool own_credentials = false;
    // Who asks may sign (AWS Signature Version 4) as for this service of Amazon's, "sqs": the access key is a caller's name, its secret
    // what Ctx::proof_of(signed_for, name) says. Empty: nobody signs. Other credentials are as elsewhere.
    std::string_view signed_for = {};
    // Which scope a request asks for, where one path serves many; null: the route's own. Empty: open to all.
    std::string_view (*scope_of)(ForeignRequest const&) = nullptr;
    // A refusal, in the protocol's words; null: a problem document.
    ForeignReply (*refused)(Problem const&) = nullptr;
    // Instead, where the words go by the request's Content-Type; also of what is refused before the route is asked.
    ForeignReply (*refused_as)(Problem const&, std::string_view content_type) = nullptr;
};

// A foreign HTTP protocol (foreign.h) whose clients want the root of a server: its routes below /<service>/<name> stand at the root of
// `[<service>] <name>_listen`, too, and nothing else does. The service's settings have that key (Text; empty: off).
struct OwnPort {
    std::string_view name;
};

namespace runtime {

struct ForeignDecl {
    void (*function)() = nullptr;
    Result<void> (*parse)(void (*function)(), ForeignRequest const&, void* input) = nullptr;
    ForeignOptions options;
    bool is_anonymous() const { return options.cross_origin || options.own_credentials; }
};

}  // namespace runtime
}  // namespace gantry
