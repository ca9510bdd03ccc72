#include "kernel/log/subject_keys_file.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "kernel/base/assert.h"
#include "kernel/base/crc32c.h"
#include "kernel/base/varint.h"
#include "kernel/log/file/committer.h"

namespace gantry::log {
namespace {

constexpr std::string_view magic = "GANTRYKY";
constexpr std::uint32_t version = 1;
constexpr std::size_t head_bytes = 16, fixed_bytes = 40;
constexpr char live = 1, erased = 2;
constexpr std::uint64_t reserve_bytes = 1 << 20;  // holds the keys of more new subjects than one command names

std::string_view bytes_of(codec::SubjectKey const& key) { return {reinterpret_cast<char const*>(key.data()), key.size()}; }

std::string encode(codec::SubjectKey const& key, std::string_view subject) {
    std::string out(1, live);
    out += '\0';
    put_fixed(out, std::uint16_t(subject.size()));
    std::string sealed(bytes_of(key));
    sealed += subject;
    put_fixed(out, crc32c(std::string_view(sealed)));
    return out + sealed;
}

class FileSubjectKeys final : public codec::SubjectKeys {
   public:
    FileSubjectKeys(std::unique_ptr<File> file, std::string path, Random& random)
        : file_(std::move(file)), path_(std::move(path)), random_(random) {}
    ~FileSubjectKeys() override {
        for (auto& [subject, entry] : keys_) sodium_memzero(entry.key.data(), entry.key.size());
    }

    Result<void> load() {
        TRY_ASSIGN(auto size, file_->size());
        std::string bytes(size, '\0');
        TRY_ASSIGN(auto n, file_->read(0, bytes));
        ByteReader head(std::string_view(bytes).substr(0, std::min(n, head_bytes)));
        if (head.bytes(magic.size()) != magic || !head.ok()) return damaged(0, "it doesn't begin as a file of keys does");
        if (auto found = head.fixed<std::uint32_t>(); found != version)
            return fail(500, "data_format", fmt::format("{} has version {}; this program reads {}", path_, found, version));
        size_ = bytes.size();
        for (end_ = head_bytes; end_ < size_;) {
            TRY_ASSIGN(auto taken, take(std::string_view(bytes).substr(end_)));
            if (taken == 0) {
                TRY_VOID(end_here(std::string_view(bytes).substr(end_)));
                break;
            }
            end_ += taken;
        }
        sodium_memzero(bytes.data(), bytes.size());
        return {};
    }

    codec::SubjectKey get_or_make(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        if (held_.contains(subject)) return nobodys_key();
        if (auto at = keys_.find(subject); at != keys_.end()) return at->second.key;
        GANTRY_ASSERT(subject.size() <= 0xffff, "a subject's name is short");
        Entry entry{{}, end_};
        random_.fill(entry.key);
        auto record = encode(entry.key, subject);
        must(file_->write(end_, record));
        must(file_->sync());
        sodium_memzero(record.data(), record.size());
        end_ += record.size(), size_ = std::max(size_, end_);
        return keys_.emplace(subject, entry).first->second.key;
    }
    std::optional<codec::SubjectKey> find(std::string_view subject) const override {
        std::lock_guard lock(mutex_);
        if (auto at = keys_.find(subject); at != keys_.end()) return at->second.key;
        return {};
    }
    bool has_room() override {
        std::lock_guard lock(mutex_);
        if (size_ - end_ >= reserve_bytes) return true;
        auto const grown = end_ + 2 * reserve_bytes;
        auto reserved = file_->allocate(grown);
        if (reserved) reserved = file_->sync();
        if (!reserved && reserved.error().code == "disk_full") return false;
        must(std::move(reserved));
        return size_ = grown, true;
    }
    bool erase(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        auto at = keys_.find(subject);
        if (at == keys_.end()) return false;
        must(overwrite(at->second.offset));
        sodium_memzero(at->second.key.data(), at->second.key.size());
        return keys_.erase(at), true;
    }
    void hold(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        held_.emplace(subject);
    }
    void release(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        if (auto at = held_.find(subject); at != held_.end()) held_.erase(at);
    }

   private:
    codec::SubjectKey nobodys_key() {
        codec::SubjectKey key;
        random_.fill(key);
        return key;
    }
    struct Entry {
        codec::SubjectKey key;
        std::uint64_t offset = 0;
    };
    // The size of the record that `rest` begins with; 0 when there is none.
    static std::size_t whole_record(std::string_view rest) {
        if (rest.size() < fixed_bytes || (rest[0] != live && rest[0] != erased) || rest[1] != 0) return 0;
        ByteReader in(rest.substr(2));
        std::size_t const whole = fixed_bytes + in.fixed<std::uint16_t>();
        if (whole > rest.size()) return 0;
        if (rest[0] == erased) return whole;
        return in.fixed<std::uint32_t>() == crc32c(rest.substr(8, whole - 8)) ? whole : 0;
    }
    // Whether a live record stands somewhere in the bytes.
    static bool holds_key(std::string_view bytes) {
        for (; bytes.size() >= fixed_bytes; bytes.remove_prefix(1))
            if (bytes[0] == live && whole_record(bytes) != 0) return true;
        return false;
    }
    Result<std::size_t> take(std::string_view rest) {
        auto const whole = whole_record(rest);
        if (whole == 0) return 0;
        // A size that rotted would take the records behind it along.
        if (holds_key(rest.substr(1, whole - 1))) return std::unexpected(damaged(end_, "a record runs into the next one").error());
        auto const key = rest.substr(8, sizeof(codec::SubjectKey));
        if (rest[0] == erased) {
            if (key != std::string(key.size(), '\0')) TRY_VOID(overwrite(end_));
            return whole;
        }
        Entry entry{{}, end_};
        std::copy(key.begin(), key.end(), entry.key.begin());
        if (keys_.insert_or_assign(std::string(rest.substr(fixed_bytes, whole - fixed_bytes)), entry).second) return whole;
        return std::unexpected(damaged(end_, "a subject has two keys").error());
    }
    // What follows the last whole record: reserved zeros, or a key of which any part was written, that was never given out. Each key is
    // synced before the next is written, so a whole one behind it says that this is damage.
    Result<void> end_here(std::string_view rest) {
        if (rest.find_first_not_of('\0') == rest.npos) return {};
        if (holds_key(rest.substr(1))) return damaged(end_, "a key doesn't match its checksum");
        TRY_VOID(file_->truncate(end_));
        TRY_VOID(file_->sync());
        return size_ = end_, Result<void>();
    }
    // State first, so that a stop in between is finished by the next start.
    Result<void> overwrite(std::uint64_t offset) {
        TRY_VOID(file_->write(offset, std::string_view(&erased, 1)));
        TRY_VOID(file_->sync());
        TRY_VOID(file_->write(offset + 8, std::string(sizeof(codec::SubjectKey), '\0')));
        return file_->sync();
    }
    Result<void> damaged(std::uint64_t at, std::string_view why) const {
        Problem problem{
            500, "keys_damaged",
            fmt::format("{} is damaged at byte {}: {}. Put back a copy; personal values can't be read without their keys", path_, at, why)};
        return fail(std::move(problem));
    }
    static void must(Result<void> done) {
        if (!done) Committer::end_process(done.error());
    }

    std::unique_ptr<File> file_;
    std::string path_;
    Random& random_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry, std::less<>> keys_;
    std::set<std::string, std::less<>> held_;
    std::uint64_t end_ = 0;   // behind the last key
    std::uint64_t size_ = 0;  // of the file; what lies between is reserved
};

// What a file would hold, and holds no longer than this lives.
class CopiedFile final : public File {
   public:
    explicit CopiedFile(std::string bytes) : bytes_(std::move(bytes)) {}
    ~CopiedFile() override { sodium_memzero(bytes_.data(), bytes_.size()); }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
        auto const n = offset < bytes_.size() ? std::min<std::size_t>(out.size(), bytes_.size() - offset) : 0;
        std::copy_n(bytes_.begin() + std::ptrdiff_t(n ? offset : 0), n, out.begin());
        return n;
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        if (offset + bytes.size() > bytes_.size()) bytes_.resize(offset + bytes.size());
        std::ranges::copy(bytes, bytes_.begin() + std::ptrdiff_t(offset));
        return {};
    }
    Result<void> sync() override { return {}; }
    Result<void> allocate(std::uint64_t size) override { return bytes_.resize(size), Result<void>(); }
    Result<void> truncate(std::uint64_t size) override { return bytes_.resize(size), Result<void>(); }
    Result<std::uint64_t> size() override { return bytes_.size(); }

   private:
    std::string bytes_;
};

std::string empty_file() {
    std::string head(magic);
    put_fixed(head, version), put_fixed(head, std::uint32_t(0));
    return head;
}

}  // namespace

Result<std::unique_ptr<codec::SubjectKeys>> open_subject_keys(Disk& disk, std::string path, Random& random) {
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there) TRY_VOID(write_file_durably(disk, path, empty_file(), Open::create_private));
    TRY_ASSIGN(auto file, disk.open(path, Open::existing_write));
    auto keys = std::make_unique<FileSubjectKeys>(std::move(file), std::move(path), random);
    TRY_VOID(keys->load());
    return std::unique_ptr<codec::SubjectKeys>(std::move(keys));
}

Result<std::unique_ptr<codec::SubjectKeys>> copy_subject_keys(Disk& disk, std::string path, Random& random) {
    TRY_ASSIGN(bool there, disk.exists(path));
    auto bytes = there ? read_file(disk, path) : empty_file();
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    auto keys = std::make_unique<FileSubjectKeys>(std::make_unique<CopiedFile>(std::move(*bytes)), std::move(path), random);
    TRY_VOID(keys->load());
    return std::unique_ptr<codec::SubjectKeys>(std::move(keys));
}

}  // namespace gantry::log
