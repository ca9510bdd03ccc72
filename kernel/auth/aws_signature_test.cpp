#include "kernel/auth/aws_signature.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

#include "kernel/base/source_dir_for_test.h"

namespace gantry::auth {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;
constexpr std::string_view suite_secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                           s3_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

std::string told(AwsRequest const& request, std::string_view secret, AwsRules const& rules, std::string_view now) {
    auto const shown = shown_aws_signature(request);
    if (!shown) return shown.error().code;
    auto const checked = check_aws_signature(*shown, request, secret, rules, *parse_time(now));
    return checked ? "right" : checked.error().code;
}

// The service's own test suite ("aws4_testsuite"), and the examples of the documentation of IAM and S3.
TEST(AwsSignature, PublishedExamples) {
    std::string_view const host = "example.amazonaws.com", at = "20150830T123600Z", now = "2015-08-30T12:36:00Z";
    std::string const suite =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=";
    AwsRules const rules{.service = "service"};
    struct Row {
        std::string_view verb, path, query, signature;
    };
    for (auto const& [verb, path, query, signature] : std::initializer_list<Row>{
             {"GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
             {"POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
             {"GET", "/", "Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
             {"GET", "/example/..", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
             {"GET", "//", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
         }) {
        auto const authorization = suite + std::string(signature);
        Headers const headers{{"Host", host}, {"X-Amz-Date", at}, {"Authorization", authorization}, {"X-Other", "1"}};
        EXPECT_EQ(told({verb, path, query, headers, {}}, suite_secret, rules, now), "right") << verb << path << query;
    }
    Headers const iam{
        {"Host", "iam.amazonaws.com"},
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"X-Amz-Date", at},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
         "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"}};
    EXPECT_EQ(told({"GET", "/", "Action=ListUsers&Version=2010-05-08", iam, {}}, suite_secret, {.service = "iam"}, now), "right");
    std::string_view const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_now = "2013-05-24T00:00:00Z";
    Headers const s3{{"Host", "examplebucket.s3.amazonaws.com"},
                     {"Range", "bytes=0-9"},
                     {"x-amz-content-sha256", empty},
                     {"x-amz-date", "20130524T000000Z"},
                     {"Authorization",
                      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"}};
    AwsRules const s3_rules{.service = "s3", .path_as_it_is = true, .unsigned_payload = true};
    EXPECT_EQ(told({"GET", "/test.txt", "", s3, {}}, s3_secret, s3_rules, s3_now), "right");
    Headers const bare{{"Host", "examplebucket.s3.amazonaws.com"}};
    std::string_view const presigned =
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
        "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    EXPECT_EQ(told({"GET", "/test.txt", presigned, bare, {}}, s3_secret, s3_rules, "2013-05-24T23:59:59Z"), "right");
    EXPECT_EQ(told({"GET", "/test.txt", presigned, bare, {}}, s3_secret, s3_rules, "2013-05-25T00:00:01Z"), "aws_signature_expired");
    EXPECT_EQ(told({"GET", "/test.txt", presigned, bare, {}}, s3_secret, s3_rules, "2013-05-23T23:44:59Z"), "aws_signature_expired");
}

// Each on its own: what was signed is what counts.
TEST(AwsSignature, AnythingElseIsRefused) {
    std::string const begins = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=",
                      right = begins + "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    std::string_view const host = "example.amazonaws.com", at = "20150830T123600Z", now = "2015-08-30T12:36:00Z";
    AwsRules const rules{.service = "service"};
    auto const ask = [&](std::string_view authorization, Headers more = {}, AwsRequest request = {"GET", "/", {}, {}, {}}) {
        Headers headers{{"Host", host}, {"X-Amz-Date", at}, {"Authorization", authorization}};
        headers.insert(headers.end(), more.begin(), more.end());
        request.headers = headers;
        return told(request, suite_secret, rules, now);
    };
    EXPECT_EQ(ask(right), "right");
    EXPECT_EQ(ask(right, {}, {"PUT", "/", {}, {}, {}}), "aws_signature_wrong");
    EXPECT_EQ(ask(right, {}, {"GET", "/a", {}, {}, {}}), "aws_signature_wrong");
    EXPECT_EQ(ask(right, {}, {"GET", "/", "a", {}, {}}), "aws_signature_wrong");
    EXPECT_EQ(ask(right, {}, {"GET", "/", {}, {}, "body"}), "aws_signature_wrong");
    EXPECT_EQ(ask(right, {{"Host", "other"}}), "aws_signature_wrong") << "a second header of a signed name";
    EXPECT_EQ(ask(right, {{"X-Amz-Target", "Other.Action"}}), "aws_signature_malformed") << "not signed";
    EXPECT_EQ(ask("Bearer x"), "aws_signature_missing");
    EXPECT_EQ(ask("AWS4-HMAC-SHA256"), "aws_signature_malformed");
    EXPECT_EQ(ask(begins + "x-amz-date, Signature=" + std::string(64, '0')), "aws_signature_malformed") << "host isn't signed";
    EXPECT_EQ(ask(begins + "host;x-amz-date, Signature=" + std::string(64, '0')), "aws_signature_wrong");
    EXPECT_EQ(ask(begins + "host;x-amz-date, Signature=" + std::string(63, '0')), "aws_signature_malformed");
    EXPECT_EQ(ask(std::string(5000, 'A').replace(0, 16, "AWS4-HMAC-SHA256")), "aws_signature_malformed");
    Headers const headers{{"Host", host}, {"X-Amz-Date", at}, {"Authorization", right}};
    AwsRequest const request{"GET", "/", {}, headers, {}};
    EXPECT_EQ(told(request, "another", rules, now), "aws_signature_wrong");
    EXPECT_EQ(told(request, suite_secret, {.service = "sqs"}, now), "aws_signature_wrong");
    EXPECT_EQ(told(request, suite_secret, rules, "2015-08-30T12:51:00Z"), "right");
    EXPECT_EQ(told(request, suite_secret, rules, "2015-08-30T12:51:01Z"), "aws_signature_expired");
    EXPECT_EQ(told(request, suite_secret, rules, "2015-08-30T12:21:00Z"), "right");
    EXPECT_EQ(told(request, suite_secret, rules, "2015-08-30T12:20:59Z"), "aws_signature_expired");
}

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += char(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

// What Amazon's own client library signs. Debian's python3-boto3 lies with Debian's own interpreter.
TEST(AwsSignature, WhatBotocoreSigns) {
    auto const directory = std::string(source_dir()) + "/kernel/auth";
    auto const command =
        "/usr/bin/python3 " + directory + "/aws_signer_for_test.py " + std::string(s3_secret) + " 20260102T030405Z 1 400 2>/dev/null";
    std::unique_ptr<FILE, int (*)(FILE*)> const pipe(::popen(command.c_str(), "r"), &::pclose);
    std::string out;
    std::array<char, 4096> room;
    while (auto const n = std::fread(room.data(), 1, room.size(), pipe.get())) out.append(room.data(), n);
    if (out.empty()) GTEST_SKIP() << "there is no botocore: apt-get install python3-boto3";
    std::istringstream lines(out);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        std::vector<std::string> fields;
        for (std::size_t at = 0; at != std::string::npos;) {
            auto const end = line.find('\t', at);
            fields.push_back(line.substr(at, end == line.npos ? end : end - at));
            at = end == line.npos ? end : end + 1;
        }
        ASSERT_GE(fields.size(), 8u) << line;
        Headers headers;
        for (std::size_t i = 6; i + 1 < fields.size(); i += 2) headers.emplace_back(fields[i], fields[i + 1]);
        auto body = from_hex(fields[5]);
        bool const s3 = fields[0] == "s3";
        AwsRules const rules{.service = fields[0], .path_as_it_is = s3, .unsigned_payload = s3};
        std::string_view const now = "2026-01-02T03:04:06Z";
        EXPECT_EQ(told({fields[2], fields[3], fields[4], headers, body}, s3_secret, rules, now), "right") << line;
        EXPECT_EQ(told({fields[2], fields[3], fields[4], headers, body}, suite_secret, rules, now), "aws_signature_wrong") << line;
        body += 'x';
        if (s3 && fields[1] == "query") continue;  // its body isn't signed
        auto const changed = told({fields[2], fields[3], fields[4], headers, body}, s3_secret, rules, now);
        EXPECT_TRUE(changed == "aws_signature_wrong" || changed == "aws_payload_wrong") << changed << " " << line;
    }
    EXPECT_EQ(count, 400);
}

}  // namespace
}  // namespace gantry::auth
