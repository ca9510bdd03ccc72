#include "kernel/log/subject_keys_file.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <map>
#include <mutex>

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
        for (end_ = head_bytes; end_ < bytes.size();) {
            auto taken = take(std::string_view(bytes).substr(end_));
            if (!taken) return std::unexpected(std::move(taken.error()));
            if (*taken == 0) {  // never given out: its write did not end
                TRY_VOID(file_->truncate(end_));
                TRY_VOID(file_->sync());
                break;
            }
            end_ += *taken;
        }
        sodium_memzero(bytes.data(), bytes.size());
        return {};
    }

    codec::SubjectKey get_or_make(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        if (auto at = keys_.find(subject); at != keys_.end()) return at->second.key;
        GANTRY_ASSERT(subject.size() <= 0xffff, "a subject's name is short");
        Entry entry{{}, end_};
        random_.fill(entry.key);
        auto record = encode(entry.key, subject);
        must(file_->write(end_, record));
        must(file_->sync());
        sodium_memzero(record.data(), record.size());
        end_ += record.size();
        return keys_.emplace(subject, entry).first->second.key;
    }
    std::optional<codec::SubjectKey> find(std::string_view subject) const override {
        std::lock_guard lock(mutex_);
        if (auto at = keys_.find(subject); at != keys_.end()) return at->second.key;
        return {};
    }
    bool erase(std::string_view subject) override {
        std::lock_guard lock(mutex_);
        auto at = keys_.find(subject);
        if (at == keys_.end()) return false;
        must(overwrite(at->second.offset));
        sodium_memzero(at->second.key.data(), at->second.key.size());
        return keys_.erase(at), true;
    }

   private:
    struct Entry {
        codec::SubjectKey key;
        std::uint64_t offset = 0;
    };
    // The size of the record at the end; 0 when only its beginning was written.
    Result<std::size_t> take(std::string_view rest) {
        ByteReader in(rest);
        auto const state = in.fixed<char>();
        in.fixed<char>();
        auto const size = in.fixed<std::uint16_t>();
        auto const crc = in.fixed<std::uint32_t>();
        Entry entry{{}, end_};
        auto const key = in.bytes(entry.key.size());
        auto const subject = in.bytes(size);
        std::size_t const whole = fixed_bytes + size;
        if (in.ok() && state == live && crc == crc32c(rest.substr(8, entry.key.size() + size))) {
            std::copy(key.begin(), key.end(), entry.key.begin());
            if (keys_.insert_or_assign(std::string(subject), entry).second) return whole;
            return std::unexpected(damaged(end_, "a subject has two keys").error());
        }
        // A size that rotted would take the records behind it along.
        if (holds_key(rest.substr(1, whole - 1))) return std::unexpected(damaged(end_, "a record runs into the next one").error());
        if (!in.ok()) return 0;
        if (state == erased) return key == std::string(entry.key.size(), '\0') ? Result<void>() : overwrite(end_), whole;
        bool const last = rest.size() <= whole || rest.substr(whole).find_first_not_of('\0') == rest.npos;
        if (last) return 0;
        return std::unexpected(damaged(end_, "a key doesn't match its checksum").error());
    }
    // Whether a live record stands somewhere in the bytes.
    static bool holds_key(std::string_view bytes) {
        for (; bytes.size() >= fixed_bytes; bytes.remove_prefix(1)) {
            if (bytes[0] != live || bytes[1] != '\0') continue;
            ByteReader in(bytes.substr(2));
            auto const size = in.fixed<std::uint16_t>();
            auto const crc = in.fixed<std::uint32_t>();
            auto const sealed = in.bytes(sizeof(codec::SubjectKey) + size);
            if (in.ok() && crc == crc32c(sealed)) return true;
        }
        return false;
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
    std::uint64_t end_ = 0;
};

}  // namespace

Result<std::unique_ptr<codec::SubjectKeys>> open_subject_keys(Disk& disk, std::string path, Random& random) {
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there) {
        std::string head(magic);
        put_fixed(head, version), put_fixed(head, std::uint32_t(0));
        TRY_VOID(write_file_durably(disk, path, head, Open::create_private));
    }
    TRY_ASSIGN(auto file, disk.open(path, Open::existing_write));
    auto keys = std::make_unique<FileSubjectKeys>(std::move(file), std::move(path), random);
    TRY_VOID(keys->load());
    return std::unique_ptr<codec::SubjectKeys>(std::move(keys));
}

}  // namespace gantry::log
