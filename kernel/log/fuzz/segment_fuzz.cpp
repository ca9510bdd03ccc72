// Segment files of any bytes, good ones that were damaged, and exports: no crash; what a damaged log yields is what was written; what
// verify calls whole opens; what opens takes batches and opens again; what is repaired is whole; what is imported is whole.
#include <fmt/format.h>

#include <set>

#include "kernel/base/assert.h"
#include "kernel/base/crc32c.h"
#include "kernel/log/batch.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/file/tools.h"
#include "kernel/log/fuzz/damage.h"

namespace gantry::log {
namespace {

std::string const directory = "/data/main/notes/log";

Options small() {
    Options options;
    options.segment_bytes_min = 2 << 10, options.segment_bytes_max = 4 << 10, options.batch_bytes_max = 2000;
    return options;
}

// One process on a disk of its own.
struct World {
    SimulatedDisk disk{1};
    Committer committer{Committer::Mode::manual,
                        [](Problem const& p) { GANTRY_ASSERT(false, ("a good disk doesn't fail: " + p.cause).c_str()); }};
    ManualClock clock;
    SeededRandom random{7};

    void put(std::string const& path, std::string_view bytes) {
        auto file = disk.open(path, Open::create_new);
        GANTRY_ASSERT(file && (*file)->write(0, bytes) && (*file)->sync(), "the simulated disk works");
    }
    Result<std::unique_ptr<FileLog>> open() {
        return FileLog::open(disk, committer, directory, small(), "schemas", clock, random, ClockAhead::accept);
    }
    void run() { while (committer.run_once()); }
};

std::string as_written(BatchView const& batch) {
    std::string out;
    encode(batch, 0, out);
    return out;
}

// Every field of a batch, and one without events now and then.
void append(World& world, FileLog& log, int n) {
    std::string events, trace(16, char(n)), mac(32, 'm'), payload(std::size_t(n * 7 % 90), 'p');
    put_varint(events, 1), put_string(events, payload), put_varint(events, 300), put_string(events, "");
    CursorView const cursors[] = {{"other", 17, Position(n)}, {"third", 18, 1}};
    BatchView batch;
    batch.time = std::max(world.clock.wall(), log.status().last_time);
    batch.caller = "u_ann";
    if (n % 3 == 0) batch.request_id = "q_1", batch.trace_id = trace, batch.cause = CauseView{"other", Position(n)};
    if (n % 4 == 0) batch.idempotency = IdempotencyView{trace, mac, "{}"}, batch.cursors = cursors;
    if (n % 5 == 0)
        batch.kind = BatchKind::baseline, batch.note = "part";
    else
        batch.count = 2, batch.events = events;
    auto appended = log.append(batch);
    GANTRY_ASSERT(appended || appended.error().code == "log_busy", "an open log takes batches");
    world.run();
}

struct Written {
    std::vector<std::string> names, files;
    std::set<std::string> batches;
    std::string exported;
};

// A log of some segments: closed, opened again, and left as by a process that died.
Written written() {
    World world;
    Written out;
    for (int life = 0; life < 2; ++life) {
        auto log = world.open();
        GANTRY_ASSERT(log, "a new log opens");
        for (int n = 0; n < 25; ++n) append(world, **log, life * 25 + n);
        auto scanned = (*log)->scan(0, [&](BatchView const& b) { return out.batches.insert(as_written(b)), true; });
        GANTRY_ASSERT(scanned, "a good log is read");
        if (life == 0) GANTRY_ASSERT((*log)->close(), "a good log is closed");
    }
    for (auto const& path : world.disk.files()) {
        if (!path.ends_with(".log")) continue;
        out.names.push_back(path), out.files.push_back(*read_file(world.disk, path));
    }
    auto sink = [&](std::string_view bytes) -> Result<void> { return out.exported += bytes, Result<void>(); };
    GANTRY_ASSERT(export_log(world.disk, directory, sink), "a good log is exported");
    return out;
}

// Makes the checksums of a segment right again (offsets as in docs/log-format.md), so that damage reaches what stands behind them.
void reseal(std::string& file, std::uint64_t& chain) {
    if (file.size() < 88) return;
    auto word = [&](std::size_t at) { return ByteReader(std::string_view(file).substr(at, 4)).fixed<std::uint32_t>(); };
    std::size_t const schema_bytes = word(76), salt = word(72);
    if (88 + schema_bytes <= file.size()) overwrite(file, 80, crc32c(std::string_view(file).substr(88, schema_bytes)));
    overwrite(file, 84, crc32c(std::string_view(file).substr(0, 84)));
    for (std::size_t at = word(12); at + batch_header_bytes <= file.size();) {
        auto const length = word(at);
        if (length < batch_header_bytes || at + length > file.size()) return;
        overwrite(file, at + 4, crc32c(std::string_view(file).substr(at + batch_header_bytes, length - batch_header_bytes)));
        chain = chain_after(chain, file.data() + at, length);
        overwrite(file, at + 56, chain);
        overwrite(file, at + 68, crc32c(file.data() + at, 68, std::uint32_t(salt)));
        at += std::size_t(padded(length));
    }
}

// What a scan yields, after checks that hold for any log.
Result<std::vector<std::string>> batches_of(FileLog const& log) {
    std::vector<std::string> out;
    std::optional<Position> next;
    Time last{INT64_MIN};
    auto scanned = log.scan(0, [&](BatchView const& b) {
        GANTRY_ASSERT(!next || b.first == *next, "positions have no gap");
        GANTRY_ASSERT(b.time >= last, "time doesn't go back");
        next = b.first + b.count, last = b.time;
        out.push_back(as_written(b));
        return true;
    });
    if (!scanned) return std::unexpected(scanned.error());
    return out;
}

bool is_whole(World& world) {
    auto report = verify(world.disk, directory);
    return report && report->ok();
}

// Opens the log, reads it, writes to it, and opens it again.
void use(World& world, std::set<std::string> const* originals) {
    bool const whole = is_whole(world);
    std::size_t batches = 0;
    {
        auto log = world.open();
        GANTRY_ASSERT(log || !whole, ("what is whole opens: " + log.error().cause).c_str());
        if (!log) return;
        auto found = batches_of(**log);
        GANTRY_ASSERT(found || !whole, ("what is whole is read: " + found.error().cause).c_str());
        if (!found) return;
        if (originals)
            for (std::size_t i = 0; i + 1 < found->size(); ++i)  // the last one is the epoch that began now
                GANTRY_ASSERT(originals->contains((*found)[i]), "a batch is as it was written, or not there");
        batches = found->size();
        for (int n = 1; n < 4; ++n) append(world, **log, n);
        auto more = batches_of(**log);
        GANTRY_ASSERT(more && more->size() > batches, "what was appended is read");
        batches = more->size();
    }
    auto log = world.open();
    GANTRY_ASSERT(log, ("it opens again: " + log.error().cause).c_str());
    auto found = batches_of(**log);
    GANTRY_ASSERT(found && found->size() == batches + 1, "with all that it had, and another epoch");
    GANTRY_ASSERT(!whole || is_whole(world), "and stays whole");
}

void use_and_repair(World& world, std::set<std::string> const* originals) {
    use(world, originals);
    auto sink = [](std::string_view) { return Result<void>(); };
    (void)export_log(world.disk, directory, sink);
    auto report = verify(world.disk, directory);
    if (!report || report->ok()) return;
    auto repaired = repair(world.disk, directory, Repair::act, small(), world.clock, world.random);
    GANTRY_ASSERT(repaired, ("what is damaged can be repaired: " + repaired.error().cause).c_str());
    GANTRY_ASSERT(is_whole(world), ("what was repaired is whole: " + repaired->text()).c_str());
    use(world, nullptr);
}

void import(std::string_view bytes) {
    World world;
    auto fill = [&](std::span<char> out) -> Result<std::size_t> {
        auto const n = std::min({out.size(), bytes.size(), std::size_t(100)});
        std::copy_n(bytes.data(), n, out.data());
        return bytes.remove_prefix(n), n;
    };
    auto imported = import_log(world.disk, directory, fill, small(), world.clock, world.random);
    if (!imported) return;
    GANTRY_ASSERT(is_whole(world), "what was imported is whole");
    use(world, nullptr);
}

void reseal_export(std::string& bytes) {
    for (std::size_t at = 12; at + 9 <= bytes.size();) {
        std::size_t const size = ByteReader(std::string_view(bytes).substr(at + 1, 4)).fixed<std::uint32_t>();
        if (at + 9 + size > bytes.size()) return;
        overwrite(bytes, at + 5, crc32c(std::string_view(bytes).substr(at + 9, size)));
        at += 9 + size;
    }
}

}  // namespace
}  // namespace gantry::log

// The first byte says what the others are: a segment, damage to a log, damage with its checksums made right, an export, damage to one.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    using namespace gantry::log;
    static Written const good = written();
    if (size == 0) return 0;
    ByteReader in({reinterpret_cast<char const*>(data) + 1, size - 1});
    auto const kind = data[0] % 6;
    if (kind == 3) return import(in.bytes(in.left())), 0;
    if (kind >= 4) {
        std::vector<std::string> files{good.exported};
        damage_files(in, files);
        if (kind == 5) reseal_export(files[0]);
        return import(files[0]), 0;
    }
    World world;
    GANTRY_ASSERT(world.disk.make_directories(directory), "the simulated disk works");
    auto names = good.names;
    auto files = good.files;
    if (kind == 0)
        names = {directory + "/" + segment_name(1, 1)}, files = {std::string(in.bytes(in.left()))};
    else
        damage_files(in, files);
    std::uint64_t chain = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (kind == 2) reseal(files[i], chain);
        world.put(names[i], files[i]);
    }
    use_and_repair(world, kind == 1 ? &good.batches : nullptr);
    return 0;
}
