#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

// Signature Version 4 of Amazon's clients (SQS, S3, …), as their server checks it: in the Authorization header or, presigned, in the query.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
namespace gantry::auth {

inline constexpr std::string_view aws_signature_scheme = "AWS4-HMAC-SHA256";  // in Authorization

// A request as it came; views that live as long as the call.
struct AwsRequest {
    std::string_view verb, path, query;  // as the client sent them, still encoded
    std::span<std::pair<std::string_view, std::string_view> const> headers;
    std::string_view body;
};

struct AwsRules {
    std::string_view service;  // "sqs", "s3": that the signature must be for
    // S3 signs its path as it is; all others with each segment encoded once more, after dots and empty segments are taken out.
    bool path_as_it_is = false;
    bool unsigned_payload = false;  // "UNSIGNED-PAYLOAD" and "STREAMING-…" will do: whoever asks looks at the body itself
    Duration skew = Duration::seconds(15 * 60);
};

// What a request shows of its signer. Nothing of it is proved before check_aws_signature.
struct AwsShown {
    std::string access_key;             // whose secret is asked for
    std::string date, region, service;  // of its scope: "20260102", "us-east-1", "sqs"
    std::string time;                   // "20260102T030405Z"
    std::vector<std::string> headers;   // that are signed, by their small names
    std::string signature;              // 64 hexadecimal digits
    std::optional<Duration> lasts;      // presigned, and for how long
    std::string payload;                // what x-amz-content-sha256 says; empty: nothing
};

// 403 "aws_signature_missing", 400 "aws_signature_malformed".
Result<AwsShown> shown_aws_signature(AwsRequest const& request);
// 403 "aws_signature_wrong" (another secret, request or service), 403 "aws_signature_expired" (another time), 400 "aws_payload_wrong"
// (another body than was signed).
Result<void> check_aws_signature(AwsShown const& shown, AwsRequest const& request, std::string_view secret, AwsRules const& rules,
                                 Time now);

// Of a signature by another secret, or of a key that nobody has.
Problem aws_signature_wrong(std::string_view service);

// What is signed, for tests and for whoever signs: the canonical request, and the string that holds its hash.
std::string aws_canonical_request(AwsShown const& shown, AwsRequest const& request, AwsRules const& rules);
std::string aws_signature_of(AwsShown const& shown, std::string_view canonical_request, std::string_view secret);

}  // namespace gantry::auth
