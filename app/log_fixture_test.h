#pragma once
// Real logs for the tests of gantry log: the notes below in DATA/main/notes/log, written by the file log itself.
#include <algorithm>
#include <memory>
#include <optional>

#include "app/cli_fixture_test.h"
#include "kernel/base/record.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/schema.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"

namespace gantry::app::noted {

struct Created {
    Str title;
    std::uint32_t size = 0;
};
RECORD(Created, title, size);
struct Archived {
    Str title;
};
RECORD(Archived, title);
using Event = std::variant<Created, Archived>;

}  // namespace gantry::app::noted

namespace gantry::app {

inline constexpr Time first_time{1'772'359'200'000'000};  // 2026-03-01T10:00:00Z

// Writes batch after batch, one a minute; what was written is durable when write() returns.
class NotesLog {
   public:
    explicit NotesLog(std::string const& data, log::Options options = small(), std::string const& service = "notes") {
        clock_.set_wall(first_time);
        auto opened = log::FileLog::open(log::system_disk(), committer_, data + "/main/" + service + "/log", options,
                                         codec::encode_event_schema(codec::type_of<noted::Event>()), clock_, system_random(),
                                         log::ClockAhead::accept);
        EXPECT_TRUE(opened) << opened.error().detail << opened.error().cause;
        if (opened) log_ = std::move(*opened), clock_.set_wall(std::max(first_time, log_->status().last_time));
    }
    ~NotesLog() { close(); }
    void close() {
        if (log_) EXPECT_TRUE(log_->close());
        log_.reset();
    }
    static log::Options small() {
        log::Options options;
        options.segment_bytes_min = 8 << 10, options.segment_bytes_max = 16 << 10, options.batch_bytes_max = 4 << 10;
        return options;
    }
    void write(std::vector<noted::Event> const& events) {
        std::string encoded, payload;
        for (auto const& event : events) {
            payload.clear();
            std::visit([&](auto const& e) { codec::put(payload, e); }, event);
            put_varint(encoded, event.index()), put_string(encoded, payload);
        }
        log::BatchView batch;
        batch.count = std::uint32_t(events.size()), batch.events = encoded;
        batch.time = clock_.wall(), batch.caller = "u_ann", batch.request_id = "q_1";
        EXPECT_TRUE(log_->append(batch));
        EXPECT_TRUE(log_->wait_durable());
        clock_.advance(Duration::seconds(60));
    }
    // Note 1, 2, … in a batch each, of a size that makes several segments of a hundred.
    void write_many(int count) {
        for (int i = 0; i < count; ++i) {
            ++written_;
            write({noted::Created{Str("note " + std::to_string(written_) + std::string(300, '.')), written_}});
        }
    }

   private:
    ManualClock clock_;
    log::Committer committer_;
    std::unique_ptr<log::FileLog> log_;
    std::uint32_t written_ = 0;
};

class LogCommands : public testing::Test {
   protected:
    std::string data() const { return dir / "data"; }
    // gantry log VERB notes --data DATA …
    Ran log(std::string const& verb, std::vector<std::string> more = {}, std::string_view in = {}) const {
        more.insert(more.begin(), {"log", verb, "notes", "--data", data()});
        return gantry(more, in);
    }
    void prepare() const { EXPECT_TRUE(log::DataDirectory::open(log::system_disk(), data())); }
    // Three batches: two notes; a third; the first archived.
    void three_batches() const {
        prepare();
        NotesLog notes(data());
        notes.write({noted::Created{"one", 1}, noted::Created{"two", 2}});
        notes.write({noted::Created{"three", 3}});
        notes.write({noted::Archived{"one"}});
    }
    void many(int count = 100) const {
        prepare();
        NotesLog(data()).write_many(count);
    }
    std::vector<std::string> segments(std::string const& service = "notes") const {
        std::vector<std::string> out;
        for (auto const& entry : std::filesystem::directory_iterator(data() + "/main/" + service + "/log"))
            if (entry.path().extension() == ".log") out.push_back(entry.path());
        std::ranges::sort(out);
        return out;
    }
    // Turns one bit where `needle` stands in the file.
    static void spoil(std::string const& file, std::string_view needle) {
        auto bytes = contents(file);
        auto at = bytes.find(needle);
        ASSERT_NE(at, bytes.npos);
        std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(std::streamoff(at)), out.put(char(bytes[at] ^ 1));
    }
    Directory dir;
};

}  // namespace gantry::app
