#include "kernel/observe/log_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kernel/observe/log_for_test.h"
#include "kernel/observe/log_setup.h"

namespace gantry::observe {
namespace {

struct Pipe {
    std::array<int, 2> ends{-1, -1};
    Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
    ~Pipe() { ::close(ends[0]), ::close(ends[1]); }
    std::string read_some(std::size_t most) {
        std::string out(most, '\0');
        ssize_t const got = ::read(ends[0], out.data(), most);
        out.resize(got > 0 ? std::size_t(got) : 0);
        return out;
    }
};

TEST(DescriptorSink, APipeThatNobodyReadsLosesLinesAndTakesThemAgainLater) {
    Pipe pipe;
    int const room = ::fcntl(pipe.ends[1], F_SETPIPE_SZ, 8192);
    ASSERT_EQ(room, 8192);
    DescriptorSink sink(pipe.ends[1], Duration::millis(20));
    std::string const line = std::string(999, 'x') + "\n";
    std::string lines;
    for (int i = 0; i < 20; ++i) lines += line;
    sink.write(lines);  // 8 lines and a part of one
    EXPECT_EQ(sink.lost_lines(), 12u);
    sink.write("lost\n");
    EXPECT_EQ(sink.lost_lines(), 13u);
    std::string const first = pipe.read_some(1 << 16);
    EXPECT_EQ(first.size(), 8192u);
    sink.write("later\n");
    EXPECT_EQ(sink.lost_lines(), 13u);
    EXPECT_EQ(pipe.read_some(1 << 16), "\nlater\n");
}

TEST(DescriptorSink, AClosedDescriptorLosesAndCounts) {
    DescriptorSink sink(-1, Duration::millis(1));
    sink.write("a\nb\n");
    EXPECT_EQ(sink.lost_lines(), 2u);
}

TEST(FileSink, AppendsAndGoesOnInTheNewFileAfterRotation) {
    ScratchDirectory dir;
    auto const path = dir.path("log"), old = dir.path("log.1");
    std::ofstream(path) << "before\n";
    auto sink = FileSink::open(path);
    ASSERT_TRUE(sink);
    (*sink)->write("one\n");
    std::filesystem::rename(path, old);
    (*sink)->write("two\n");
    ASSERT_TRUE((*sink)->reopen());
    (*sink)->write("three\n");
    EXPECT_EQ(read_file(old), "before\none\ntwo\n");
    EXPECT_EQ(read_file(path), "three\n");
    EXPECT_EQ((std::filesystem::status(path).permissions() & std::filesystem::perms::others_all), std::filesystem::perms::none);
}

TEST(FileSink, AFailedReopenKeepsTheFile) {
    ScratchDirectory dir;
    std::filesystem::create_directory(dir.path("sub"));
    auto sink = FileSink::open(dir.path("sub/log"));
    ASSERT_TRUE(sink);
    std::filesystem::rename(dir.path("sub"), dir.path("gone"));
    auto reopened = (*sink)->reopen();
    ASSERT_FALSE(reopened);
    EXPECT_EQ(reopened.error().code, "log_sink_failed");
    EXPECT_NE(reopened.error().detail.find("No such file"), std::string::npos);
    (*sink)->write("still here\n");
    EXPECT_EQ(read_file(dir.path("gone/log")), "still here\n");
}

TEST(TextOutput, WritesFewLargePieces) {
    struct Counting final : LogSink {
        std::size_t writes = 0, bytes = 0;
        bool whole = true;
        void write(std::string_view lines) override { ++writes, bytes += lines.size(), whole &= lines.back() == '\n'; }
    } sink;
    TextOutput output(sink, LogFormat::logfmt, AccessFormat::logfmt);
    for (int i = 0; i < 2000; ++i) output.line({.time = {}, .module = "m", .message = std::string(100, 'x')});
    output.flush(), output.flush();
    EXPECT_EQ(sink.bytes, 2000u * (27 + 6 + 3 + 100 + 1));
    EXPECT_EQ(sink.writes, 5u);
    EXPECT_TRUE(sink.whole);
}

TEST(ParseSink, EachKind) {
    using K = SinkPlan::Kind;
    auto const plan = [](std::string_view text) { return parse_sink(text).value_or(SinkPlan{K::file, "?"}); };
    EXPECT_EQ(plan("stderr"), SinkPlan{K::standard_error});
    EXPECT_EQ(plan("stdout"), SinkPlan{K::standard_output});
    EXPECT_EQ(plan("file:/var/log/x y"), (SinkPlan{K::file, "/var/log/x y"}));
    EXPECT_EQ(plan("syslog"), (SinkPlan{K::syslog_local, "/dev/log"}));
    EXPECT_EQ(plan("syslog:unix:/x"), (SinkPlan{K::syslog_local, "/x"}));
    EXPECT_EQ(plan("syslog:rfc5424:/x"), (SinkPlan{K::syslog_rfc5424, "/x"}));
    EXPECT_EQ(plan("syslog:udp:h:514"), (SinkPlan{K::syslog_udp, "h:514"}));
    EXPECT_EQ(plan("syslog:tcp:[::1]:601"), (SinkPlan{K::syslog_tcp, "[::1]:601"}));
    EXPECT_EQ(plan("journald"), (SinkPlan{K::journald, "/run/systemd/journal/socket"}));
    EXPECT_EQ(plan("journald:/x"), (SinkPlan{K::journald, "/x"}));
    for (auto const* wrong : {"", "file", "file:", "syslog:", "syslog:udp:", "syslog:http:h:1", "journald:", "stderr:", "/var/log/x"}) {
        auto result = parse_sink(wrong);
        ASSERT_FALSE(result) << wrong;
        EXPECT_EQ(result.error().code, "log_sink_invalid");
        EXPECT_NE(result.error().detail.find("right: stderr, stdout, file:PATH, syslog,"), std::string::npos);
    }
}

TEST(NetworkAddress, ItsFormsAndFaults) {
    using K = SocketAddress::Kind;
    EXPECT_TRUE(network_address(K::udp, "127.0.0.1:514"));
    EXPECT_TRUE(network_address(K::tcp, "[::1]:65535"));
    for (auto const* wrong : {"", "127.0.0.1", ":514", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:5x", "::1:514", "[]:514"})
        EXPECT_FALSE(network_address(K::udp, wrong)) << wrong;
    EXPECT_TRUE(unix_address(std::string(107, 'x')));
    EXPECT_FALSE(unix_address(std::string(108, 'x')));
    EXPECT_FALSE(unix_address(""));
}

TEST(ProcessLog, OpensWhatItsOptionsName) {
    ScratchDirectory dir;
    ManualClock clock{Time{1'700'000'000'000'007}};
    auto log = ProcessLog::open(clock, {.sinks = {"file:" + dir.path("log")},
                                        .access_sinks = {"file:" + dir.path("log"), "file:" + dir.path("access")},
                                        .access_format = "combined",
                                        .levels = "warning,http=debug,access=info"});
    ASSERT_TRUE(log) << log.error().detail;
    (*log)->logger().line(Level::info, "m", "not this");
    (*log)->logger().line(Level::debug, "http", "this");
    (*log)->queue().new_ring().add({.at = clock.wall(), .method = "GET", .target = "/x", .status = 200});
    EXPECT_EQ(read_file(dir.path("access")), "");
    std::filesystem::rename(dir.path("log"), dir.path("log.1"));
    ASSERT_TRUE((*log)->queue().reopen());
    (*log)->queue().set_pumped(true);
    (*log)->logger().line(Level::error, "m", "last");
    log->reset();
    std::string const line = R"({"time":"2023-11-14T22:13:20.000007Z","level":"debug","module":"http","message":"this"})"
                             "\n",
                      last = R"({"time":"2023-11-14T22:13:20.000007Z","level":"error","module":"m","message":"last"})"
                             "\n";
    std::string const access = "- - - [14/Nov/2023:22:13:20 +0000] \"GET /x HTTP/1.1\" 200 0 \"-\" \"-\"\n";
    EXPECT_EQ(read_file(dir.path("log.1")), line);
    EXPECT_EQ(read_file(dir.path("log")), last + access);
    EXPECT_EQ(read_file(dir.path("access")), access);
}

TEST(ProcessLog, WithoutAccessLinesRingsTakeNothing) {
    ScratchDirectory dir;
    ManualClock clock;
    auto log = ProcessLog::open(clock, {.sinks = {"file:" + dir.path("log")}, .access_sinks = {"none"}});
    ASSERT_TRUE(log);
    (*log)->queue().new_ring().add({.at = {}, .method = "GET"});
    EXPECT_EQ((*log)->queue().drain(), 0u);
}

TEST(ProcessLog, AFaultNamesWhatIsWrong) {
    ManualClock clock;
    auto const code = [&](LogOptions const& options) {
        auto log = ProcessLog::open(clock, options);
        return log ? std::string() : log.error().code;
    };
    EXPECT_EQ(code({}), "");
    EXPECT_EQ(code({.sinks = {"nowhere"}}), "log_sink_invalid");
    EXPECT_EQ(code({.sinks = {"file:/no/such/directory/log"}}), "log_sink_failed");
    EXPECT_EQ(code({.sinks = {"syslog:udp:nowhere.invalid:514"}}), "log_sink_failed");
    EXPECT_EQ(code({.access_sinks = {"none", "stderr"}}), "log_sink_invalid");
    EXPECT_EQ(code({.sinks = {}, .format = "xml"}), "log_format_invalid");
    EXPECT_EQ(code({.sinks = {}, .access_format = "xml"}), "log_format_invalid");
    EXPECT_EQ(code({.sinks = {}, .levels = "loud"}), "log_level_invalid");
}

}  // namespace
}  // namespace gantry::observe
