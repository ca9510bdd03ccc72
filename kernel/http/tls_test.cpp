#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "kernel/http/client.h"
#include "kernel/http/test_server.h"

namespace gantry::http {
namespace {

// A certificate for 127.0.0.1, signed by itself.
void write_certificate(TlsFiles const& files, long serial, std::string const& common_name = "127.0.0.1") {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME* name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<unsigned char const*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_sign(cert, key, EVP_sha256());
    FILE* f = std::fopen(files.certificate_file.c_str(), "w");
    PEM_write_X509(f, cert), std::fclose(f);
    f = std::fopen(files.key_file.c_str(), "w");
    PEM_write_PrivateKey(f, key, nullptr, nullptr, 0, nullptr, nullptr), std::fclose(f);
    X509_free(cert), EVP_PKEY_free(key);
}

struct Tls : testing::Test {
    Tls() {
        folder = std::filesystem::temp_directory_path() / ("gantry-tls-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder);
        files = {folder / "cert.pem", folder / "key.pem"};
        write_certificate(files, 1);
        config.tls = files;
    }
    ~Tls() override { std::filesystem::remove_all(folder); }
    client::Session session(std::uint16_t port) {
        pass_wire();
        client::Options o;
        o.ca_file = files.certificate_file;
        o.retries = 0;
        return client::Session("https://127.0.0.1:" + std::to_string(port), o);
    }
    std::filesystem::path folder;
    TlsFiles files;
    ServerConfig config;
};

TEST_F(Tls, AnswersBesideAPlainListener) {
    TestServer s(config);
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body((ex.tls() ? "tls:" : "plain:") + std::string(ex.body())); };
    auto const port = s.server.listen({.tls = true});
    ASSERT_TRUE(port);
    auto c = session(*port);
    auto const a = c.post("/", "x");
    EXPECT_EQ(a.body, "tls:x") << (a.error ? a.error->detail : "");
    EXPECT_EQ(c.post("/", std::string(500'000, 'y')).body.size(), 500'004u);
    EXPECT_EQ(s.server.stats().connections_accepted, 1u);
    RawClient plain(s.port);
    EXPECT_EQ(body_of(plain.exchange(get("/"))), "plain:");
}

TEST_F(Tls, LargeAnswersAndSlowReaders) {
    TestServer s(config);
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(std::string(10'000'000, 'z')); };
    auto const port = s.server.listen({.tls = true});
    ASSERT_TRUE(port);
    EXPECT_EQ(session(*port).get("/").body, std::string(10'000'000, 'z'));
}

TEST_F(Tls, ReloadsItsCertificateWithoutLosingConnections) {
    TestServer s(config);
    auto const port = s.server.listen({.tls = true});
    ASSERT_TRUE(port);
    auto before = session(*port);
    EXPECT_TRUE(before.get("/").ok());
    std::filesystem::rename(files.certificate_file, folder / "old.pem");
    EXPECT_EQ(s.server.reload_tls().error().code, "tls_failed");  // the old one stays
    std::filesystem::copy(folder / "old.pem", files.certificate_file);
    EXPECT_TRUE(session(*port).get("/").ok());
    write_certificate(files, 2);
    ASSERT_TRUE(s.server.reload_tls());
    EXPECT_TRUE(session(*port).get("/").ok());  // trusts the new one alone
    EXPECT_TRUE(before.get("/").ok());          // its connection lives on
    client::Options old;
    old.ca_file = folder / "old.pem", old.retries = 0;
    EXPECT_EQ(client::Session("https://127.0.0.1:" + std::to_string(*port), old).get("/").error->code, "tls_failed");
}

TEST_F(Tls, AKeyOfAnotherCertificateIsRefused) {
    TlsFiles const other{folder / "other.pem", folder / "other-key.pem"};
    write_certificate(other, 3);
    config.tls.key_file = other.key_file;
    TestServer s(config);
    auto const port = s.server.listen({.tls = true});
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code, "tls_failed");
}

struct ClientCertificate : Tls {
    ClientCertificate() {
        write_certificate(known, 4, "builder");
        write_certificate(unknown, 5, "builder");
        config.tls.client_ca_file = known.certificate_file;
        server.emplace(config);
        server->handler.on_handle = [](Exchange& ex) {
            auto const names = ex.peer().certificate_names;
            ex.response().begin(200).body(names.empty() ? "nobody" : names.front());
        };
        port = server->server.listen({.tls = true}).value_or(0);
    }
    std::string ask(TlsFiles const* shown) {
        pass_wire();
        auto command = "curl -s --max-time 20 --cacert " + files.certificate_file;
        if (shown) command += " --cert " + shown->certificate_file + " --key " + shown->key_file;
        command += " https://127.0.0.1:" + std::to_string(port) + "/ || echo failed";
        std::string said;
        FILE* pipe = ::popen(command.c_str(), "r");
        for (char c; std::fread(&c, 1, 1, pipe) == 1;) said += c;
        ::pclose(pipe);
        return said;
    }
    TlsFiles known{folder / "known.pem", folder / "known-key.pem"}, unknown{folder / "unknown.pem", folder / "unknown-key.pem"};
    std::optional<TestServer> server;
    std::uint16_t port = 0;
};

TEST_F(ClientCertificate, NamesWhoShowsOneThatWasVouchedFor) { EXPECT_EQ(ask(&known), "builder"); }
TEST_F(ClientCertificate, IsNotDemanded) { EXPECT_EQ(ask(nullptr), "nobody"); }
TEST_F(ClientCertificate, OfSomebodyElseEndsTheHandshake) { EXPECT_EQ(ask(&unknown), "failed\n"); }

TEST_F(Tls, PlainTextAndSilenceAreClosed) {
    config.limits.head_timeout = Duration::millis(60);
    TestServer s(config);
    auto const port = s.server.listen({.tls = true});
    ASSERT_TRUE(port);
    RawClient plain(*port);
    ASSERT_TRUE(plain.send(get("/")));
    EXPECT_EQ(plain.rest().find("HTTP"), std::string::npos);
    EXPECT_TRUE(plain.closed);
    RawClient silent(*port);
    EXPECT_TRUE(silent.ends());
}

}  // namespace
}  // namespace gantry::http
