#include "kernel/log/snapshots_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "kernel/base/crc32c.h"
#include "kernel/base/varint.h"
#include "kernel/log/thinning.h"

namespace gantry::log {
namespace {

constexpr std::string_view head_magic = "GANTRYSN", tail_magic = "GANTRYSE";
constexpr std::uint32_t version = 1;
constexpr std::size_t chunk_bytes = 1 << 20;
constexpr std::size_t head_bytes = 64;  // magic, version, meta, its checksum
constexpr std::size_t tail_bytes = 24;  // magic, size of the content, checksum of the table, checksum of these

std::string encode_head(Snapshots::Meta const& m) {
    std::string out(head_magic);
    put_fixed(out, version), put_fixed(out, std::uint32_t(chunk_bytes));
    put_fixed(out, m.position), put_fixed(out, m.incarnation), put_fixed(out, m.fingerprint), put_fixed(out, m.time.us),
        put_fixed(out, m.chain);
    put_fixed(out, std::uint32_t(0)), put_fixed(out, crc32c(out));
    return out;
}

std::optional<Snapshots::Meta> decode_head(std::string_view bytes) {
    ByteReader in(bytes);
    Snapshots::Meta m;
    bool ours =
        in.bytes(head_magic.size()) == head_magic && in.fixed<std::uint32_t>() == version && in.fixed<std::uint32_t>() == chunk_bytes;
    m.position = in.fixed<std::uint64_t>(), m.incarnation = in.fixed<std::uint64_t>(), m.fingerprint = in.fixed<std::uint64_t>();
    m.time.us = in.fixed<std::int64_t>(), m.chain = in.fixed<std::uint64_t>();
    in.fixed<std::uint32_t>();
    if (!ours || in.fixed<std::uint32_t>() != crc32c(bytes.substr(0, head_bytes - 4)) || !in.ok()) return std::nullopt;
    return m;
}

// Cuts what it is given into chunks and remembers their checksums.
class Writer {
   public:
    explicit Writer(File& file) : file_(file) {}
    Result<void> put(std::string_view bytes) {
        while (!bytes.empty()) {
            auto n = std::min(bytes.size(), chunk_bytes - chunk_.size());
            chunk_.append(bytes.substr(0, n)), bytes.remove_prefix(n);
            if (chunk_.size() == chunk_bytes) TRY_VOID(flush());
        }
        return {};
    }
    Result<void> finish() {
        if (!chunk_.empty()) TRY_VOID(flush());
        std::string tail(tail_magic);
        put_fixed(tail, size_), put_fixed(tail, crc32c(table_)), put_fixed(tail, crc32c(tail));
        TRY_VOID(file_.write(head_bytes + size_, table_ + tail));
        return file_.sync();
    }

   private:
    Result<void> flush() {
        TRY_VOID(file_.write(head_bytes + size_, chunk_));
        put_fixed(table_, crc32c(chunk_));
        size_ += chunk_.size();
        chunk_.clear();
        return {};
    }
    File& file_;
    std::string chunk_, table_;
    std::uint64_t size_ = 0;
};

// Whole chunks go straight into the reader's memory; only a chunk that the reader wants in parts is kept here.
class FileSource final : public Snapshots::Source {
   public:
    // Null if anything about the frame is wrong.
    static std::unique_ptr<FileSource> open(std::unique_ptr<File> file) {
        auto s = std::unique_ptr<FileSource>(new FileSource(std::move(file)));
        return s->read_frame() ? std::move(s) : nullptr;
    }
    Snapshots::Meta const& meta() const override { return meta_; }
    std::uint64_t left() const override { return size_ - at_; }

    Result<void> read(std::span<char> out) override {
        if (out.size() > left()) return damage("it is shorter than expected");
        while (!out.empty()) {
            auto in_chunk = at_ % chunk_bytes;
            auto chunk_size = std::size_t(std::min<std::uint64_t>(chunk_bytes, size_ - (at_ - in_chunk)));
            std::size_t n;
            if (in_chunk == 0 && out.size() >= chunk_size) {
                TRY_VOID(load(at_ / chunk_bytes, out.first(n = chunk_size)));
            } else {
                TRY_VOID(keep(at_ / chunk_bytes, chunk_size));
                n = std::min(out.size(), chunk_size - std::size_t(in_chunk));
                std::memcpy(out.data(), kept_.data() + in_chunk, n);
            }
            at_ += n, out = out.subspan(n);
        }
        return {};
    }

   private:
    explicit FileSource(std::unique_ptr<File> file) : file_(std::move(file)) {}
    static std::unexpected<Problem> damage(std::string_view what) {
        Problem p{500, "snapshot_damaged", "A snapshot is damaged."};
        p.cause = what;
        return fail(std::move(p));
    }
    bool read_frame() {
        char head[head_bytes], tail[tail_bytes];
        auto bytes = file_->size();
        if (!bytes || *bytes < head_bytes + tail_bytes) return false;
        if (!file_->read(0, head) || !file_->read(*bytes - tail_bytes, tail)) return false;
        auto meta = decode_head({head, head_bytes});
        ByteReader in({tail, tail_bytes});
        if (!meta || in.bytes(tail_magic.size()) != tail_magic) return false;
        meta_ = *meta, size_ = in.fixed<std::uint64_t>();
        auto table_crc = in.fixed<std::uint32_t>();
        if (in.fixed<std::uint32_t>() != crc32c({tail, tail_bytes - 4}) || size_ > *bytes) return false;
        table_.resize(std::size_t((size_ + chunk_bytes - 1) / chunk_bytes));
        auto table = std::span(reinterpret_cast<char*>(table_.data()), table_.size() * 4);
        if (head_bytes + size_ + table.size() + tail_bytes != *bytes) return false;
        return file_->read(head_bytes + size_, table) && crc32c(table.data(), table.size()) == table_crc;
    }
    Result<void> load(std::uint64_t chunk, std::span<char> out) {
        TRY_ASSIGN(auto n, file_->read(head_bytes + chunk * chunk_bytes, out));
        if (n != out.size() || crc32c(out.data(), out.size()) != table_[std::size_t(chunk)]) return damage(fmt::format("chunk {}", chunk));
        return {};
    }
    Result<void> keep(std::uint64_t chunk, std::size_t size) {
        if (kept_chunk_ == chunk) return {};
        kept_.resize(size), kept_chunk_ = ~std::uint64_t{0};
        TRY_VOID(load(chunk, kept_));
        kept_chunk_ = chunk;
        return {};
    }
    std::unique_ptr<File> file_;
    Snapshots::Meta meta_;
    std::uint64_t size_ = 0, at_ = 0;
    std::vector<std::uint32_t> table_;
    std::string kept_;
    std::uint64_t kept_chunk_ = ~std::uint64_t{0};
};

class FileSnapshots final : public Snapshots {
   public:
    FileSnapshots(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}

    Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep keep) override {
        std::lock_guard lock(mutex_);
        TRY_VOID(disk_.make_directories(directory_));
        TRY_VOID(remove_unfinished());
        auto beside = directory_ + "/saving.tmp";
        auto written = write_file(beside, meta, write);
        if (!written) {
            (void)disk_.remove(beside);
            return written;
        }
        TRY_VOID(disk_.rename(beside, path_of(meta)));
        TRY_VOID(disk_.sync_directory(directory_));
        return thin_out(meta, keep);
    }
    Result<std::unique_ptr<Source>> newest(Incarnation incarnation, std::uint64_t fingerprint, Position at_most) override {
        std::lock_guard lock(mutex_);
        TRY_ASSIGN(auto names, names_found());
        for (auto it = names.rbegin(); it != names.rend(); ++it) {
            auto file = disk_.open(directory_ + "/" + *it, Open::existing_read);
            auto source = file ? FileSource::open(std::move(*file)) : nullptr;
            if (!source) continue;
            auto& m = source->meta();
            if (m.incarnation == incarnation && m.fingerprint == fingerprint && m.position <= at_most) return source;
        }
        return nullptr;
    }
    std::vector<Meta> list() override {
        std::lock_guard lock(mutex_);
        std::vector<Meta> all;
        auto names = names_found();
        for (std::size_t i = 0; names && i < names->size(); ++i) {
            auto file = disk_.open(directory_ + "/" + (*names)[i], Open::existing_read);
            if (auto source = file ? FileSource::open(std::move(*file)) : nullptr) all.push_back(source->meta());
        }
        return all;
    }
    Result<void> remove_all() override {
        std::lock_guard lock(mutex_);
        TRY_ASSIGN(auto names, names_found());
        for (auto& name : names) TRY_VOID(disk_.remove(directory_ + "/" + name));
        return names.empty() ? Result<void>() : disk_.sync_directory(directory_);
    }

   private:
    std::string path_of(Meta const& m) const {
        return fmt::format("{}/{:020}-{}-{:016x}.snapshot", directory_, m.position, incarnation_text(m.incarnation), m.fingerprint);
    }
    Result<std::vector<std::string>> names_found() {
        TRY_ASSIGN(auto names, disk_.list(directory_));
        std::erase_if(names, [](auto& n) { return !n.ends_with(".snapshot"); });
        return names;
    }
    Result<void> remove_unfinished() {
        TRY_ASSIGN(bool there, disk_.exists(directory_ + "/saving.tmp"));
        return there ? disk_.remove(directory_ + "/saving.tmp") : Result<void>();
    }
    Result<void> write_file(std::string const& path, Meta const& meta, std::function<Result<void>(Sink const&)> const& write) {
        TRY_ASSIGN(auto file, disk_.open(path, Open::create_new));
        TRY_VOID(file->write(0, encode_head(meta)));
        Writer writer(*file);
        TRY_VOID(write([&](std::string_view bytes) { return writer.put(bytes); }));
        return writer.finish();
    }
    // What can't be read goes; of another shape or history only the newest stays.
    Result<void> thin_out(Meta const& saved, Keep keep) {
        TRY_ASSIGN(auto names, names_found());
        std::vector<KeptSnapshot> ours;
        std::vector<std::string> paths, gone;
        std::set<std::pair<Incarnation, std::uint64_t>> foreign;
        for (auto it = names.rbegin(); it != names.rend(); ++it) {
            auto path = directory_ + "/" + *it;
            auto file = disk_.open(path, Open::existing_read);
            auto source = file ? FileSource::open(std::move(*file)) : nullptr;
            if (source && source->meta().incarnation == saved.incarnation && source->meta().fingerprint == saved.fingerprint)
                ours.push_back({source->meta().position, source->left()}), paths.push_back(path);
            else if (!source || !foreign.emplace(source->meta().incarnation, source->meta().fingerprint).second)
                gone.push_back(path);
        }
        std::ranges::reverse(ours), std::ranges::reverse(paths);
        for (auto i : surplus(ours, keep)) gone.push_back(paths[i]);
        for (auto& path : gone) TRY_VOID(disk_.remove(path));
        return {};
    }
    Disk& disk_;
    std::string directory_;
    std::mutex mutex_;
};

}  // namespace

std::unique_ptr<Snapshots> file_snapshots(Disk& disk, std::string directory) {
    return std::make_unique<FileSnapshots>(disk, std::move(directory));
}

}  // namespace gantry::log
