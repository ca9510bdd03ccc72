// Files beside a log, of any bytes or damaged: snapshots (what is handed over is what was saved), keys of subjects (no key becomes another,
// and damage to one record doesn't take others away).
#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/base/crc32c.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/fuzz/damage.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/log/subject_keys_file.h"

namespace gantry::log {
namespace {

void put(SimulatedDisk& disk, std::string const& path, std::string_view bytes) {
    GANTRY_ASSERT(disk.make_directories(path.substr(0, path.rfind('/'))), "the simulated disk works");
    auto file = disk.open(path, Open::create_new);
    GANTRY_ASSERT(file && (*file)->write(0, bytes) && (*file)->sync(), "the simulated disk works");
}

// --- snapshots

constexpr Snapshots::Meta meta{100, 7, 9, Time{5}, 11};
constexpr std::size_t content_bytes = 3000;

struct Saved {
    std::string path, file, content;
};
Saved saved() {
    SimulatedDisk disk;
    Saved out;
    for (std::size_t i = 0; i < content_bytes; ++i) out.content += char(i * i);
    auto done = file_snapshots(disk, "/d")->save(meta, [&](Snapshots::Sink const& sink) { return sink(out.content); });
    GANTRY_ASSERT(done, "a good disk keeps a snapshot");
    out.path = disk.files().front(), out.file = *read_file(disk, out.path);
    return out;
}

// head 64 bytes, its last 4 the checksum; tail 24: magic 8, size 8, checksum of the table, checksum of these (docs/log-format.md)
void reseal_snapshot(std::string& file) {
    if (file.size() < 88) return;
    overwrite(file, 60, crc32c(std::string_view(file).substr(0, 60)));
    auto const tail = file.size() - 24;
    auto const size = std::size_t(ByteReader(std::string_view(file).substr(tail + 8, 8)).fixed<std::uint64_t>());
    if (size <= tail && tail >= 64 && size <= tail - 64) {
        auto const table = 64 + size;
        if (table + 4 <= tail) overwrite(file, table, crc32c(std::string_view(file).substr(64, size)));
        overwrite(file, tail + 16, crc32c(std::string_view(file).substr(table, tail - table)));
    }
    overwrite(file, tail + 20, crc32c(std::string_view(file).substr(tail, 20)));
}

// Null: nothing, or damage.
std::optional<std::string> read(Snapshots& snapshots, std::size_t piece) {
    auto source = snapshots.newest(meta.incarnation, meta.fingerprint, 1000);
    GANTRY_ASSERT(source, "a damaged snapshot is no problem, it is skipped");
    if (!*source) return {};
    std::string out;
    while ((*source)->left() > 0) {
        std::string part(std::size_t(std::min<std::uint64_t>((*source)->left(), piece)), '\0');
        if (!(*source)->read(part)) return {};
        out += part;
    }
    std::string beyond(1, '\0');
    GANTRY_ASSERT(!(*source)->read(beyond), "nothing is behind the end");
    return out;
}

void snapshot(std::string const& bytes, std::string const* content) {
    SimulatedDisk disk;
    put(disk, saved().path, bytes);
    auto snapshots = file_snapshots(disk, "/d");
    auto const whole = read(*snapshots, 1 << 20), pieces = read(*snapshots, 700);
    GANTRY_ASSERT(whole == pieces, "in one piece as in many");
    if (content && whole) GANTRY_ASSERT(*whole == *content, "what is handed over is what was saved");
    (void)snapshots->list();
    auto const next = Snapshots::Meta{200, meta.incarnation, meta.fingerprint, Time{6}, 12};
    GANTRY_ASSERT(snapshots->save(next, [](Snapshots::Sink const& sink) { return sink("next"); }), "another one can be saved");
    GANTRY_ASSERT(read(*snapshots, 100) == "next" || whole, "and is the newest");
    GANTRY_ASSERT(snapshots->remove_all() && snapshots->list().empty(), "and all can go");
}

// --- keys

constexpr std::string_view subjects[] = {"u_ann", "u_bob", "u_gone", "u_c", "u_last"};
std::string const keys_path = "/d/keys";

struct Keys {
    std::string file;
    std::vector<codec::SubjectKey> keys;
    std::vector<std::size_t> records;  // where they begin
};
Keys kept() {
    SimulatedDisk disk;
    SeededRandom random(3);
    Keys out;
    GANTRY_ASSERT(disk.make_directories("/d"), "the simulated disk works");
    auto keys = open_subject_keys(disk, keys_path, random);
    for (auto subject : subjects) {
        out.records.push_back(read_file(disk, keys_path)->size());
        out.keys.push_back((*keys)->get_or_make(subject));
    }
    (*keys)->erase("u_gone");
    out.file = *read_file(disk, keys_path);
    return out;
}

// record = state, zero, u16 size, u32 checksum of key and subject, key (32 bytes), subject
void reseal_keys(std::string& file) {
    for (std::size_t at = 16; at + 40 <= file.size();) {
        std::size_t const size = ByteReader(std::string_view(file).substr(at + 2, 2)).fixed<std::uint16_t>();
        if (at + 40 + size > file.size()) return;
        overwrite(file, at + 4, crc32c(std::string_view(file).substr(at + 8, 32 + size)));
        at += 40 + size;
    }
}

// Opens the file, and checks that what is done with it then lasts. What it has of `subjects`.
std::optional<std::vector<std::optional<codec::SubjectKey>>> use_keys(std::string const& bytes) {
    SimulatedDisk disk;
    SeededRandom random(4);
    put(disk, keys_path, bytes);
    auto keys = open_subject_keys(disk, keys_path, random);
    if (!keys) return {};
    std::vector<std::optional<codec::SubjectKey>> found;
    for (auto subject : subjects) found.push_back((*keys)->find(subject));
    auto const made = (*keys)->get_or_make("u_new");
    (*keys)->erase("u_ann");
    keys = open_subject_keys(disk, keys_path, random);
    GANTRY_ASSERT(keys, "what opened opens again");
    GANTRY_ASSERT((*keys)->find("u_new") == made, "a key that was given out stays");
    GANTRY_ASSERT(!(*keys)->find("u_ann"), "an erased one is gone");
    for (std::size_t i = 1; i < found.size(); ++i) GANTRY_ASSERT((*keys)->find(subjects[i]) == found[i], "the others are as they were");
    return found;
}

void keys_damaged(Keys const& good, std::string const& bytes) {
    auto const found = use_keys(bytes);
    for (std::size_t i = 0; found && i < found->size(); ++i)
        GANTRY_ASSERT(!(*found)[i] || (*found)[i] == good.keys[i], "no key becomes another");
}

// One byte that changed under way takes no other key away. (The last record may be one that was never wholly written.)
void keys_rotten(Keys const& good, std::uint16_t offset, std::uint8_t value) {
    auto bytes = good.file;
    auto const at = offset % bytes.size();
    bytes[at] = char(value);
    auto const found = use_keys(bytes);
    if (!found) return;
    for (std::size_t i = 0; i + 1 < std::size(subjects); ++i) {
        bool const erases = at == good.records[i] && value == 2;
        if (subjects[i] != "u_gone" && !erases) GANTRY_ASSERT((*found)[i], "a key is there, or the file is refused");
    }
}

}  // namespace
}  // namespace gantry::log

// The first byte says what the others are: a snapshot, damage to one, damage with its checksums made right; the same for keys; one byte of
// the keys' file.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    using namespace gantry::log;
    static Saved const snap = saved();
    static Keys const good = kept();
    if (size == 0) return 0;
    ByteReader in({reinterpret_cast<char const*>(data) + 1, size - 1});
    auto const kind = data[0] % 8;
    if (kind == 7) {
        auto const offset = in.fixed<std::uint16_t>();
        return keys_rotten(good, offset, in.fixed<std::uint8_t>()), 0;
    }
    bool const raw = kind % 3 == 0, of_keys = kind >= 3;
    std::vector<std::string> files{of_keys ? good.file : snap.file};
    if (raw)
        files[0] = in.bytes(in.left());
    else
        damage_files(in, files);
    if (kind % 3 == 2) (of_keys ? reseal_keys : reseal_snapshot)(files[0]);
    if (!of_keys)
        snapshot(files[0], kind == 1 ? &snap.content : nullptr);
    else if (kind == 4)
        keys_damaged(good, files[0]);
    else
        (void)use_keys(files[0]);
    return 0;
}
