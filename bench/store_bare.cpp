// The least that an append-only file can be: frames of size, checksum and records; one write and one fdatasync a batch; the file allocated
// and zeroed in steps ahead of the writer. No recovery, no schema, no headers: a floor, not a log.
#include <fcntl.h>
#include <unistd.h>

#include "bench/store.h"
#include "bench/tool.h"
#include "kernel/base/crc32c.h"
#include "kernel/base/varint.h"

namespace gantry::bench {
namespace {

constexpr std::size_t frame_head_bytes = 8;
constexpr std::size_t step_bytes = 64u << 20;

class Bare final : public Store {
   public:
    explicit Bare(std::string const& path)
        : fd_(open(path.c_str(), O_RDWR | O_CREAT, 0600)), zeroed_(std::size_t(lseek(fd_, 0, SEEK_END))) {
        check(fd_ >= 0, path);
        if (zeroed_ == 0) zero_ahead();
    }
    ~Bare() override { close(fd_); }
    std::string sync_mode() const override { return "fdatasync a batch"; }

    void append(std::span<std::string const> batch) override {
        frame_.assign(frame_head_bytes, '\0');
        for (auto& record : batch) put_string(frame_, record);
        auto size = std::uint32_t(frame_.size() - frame_head_bytes);
        auto sum = crc32c(std::string_view(frame_).substr(frame_head_bytes));
        std::memcpy(frame_.data(), &size, 4), std::memcpy(frame_.data() + 4, &sum, 4);
        if (end_ + frame_.size() + frame_head_bytes > zeroed_) zero_ahead();
        check(pwrite(fd_, frame_.data(), frame_.size(), off_t(end_)) == ssize_t(frame_.size()), "write");
        check(fdatasync(fd_) == 0, "fdatasync");
        end_ += frame_.size();
    }

    void replay(Visitor const& visit) override {
        std::string buffer(16u << 20, '\0');
        for (std::size_t at = 0;;) {
            auto got = pread(fd_, buffer.data(), buffer.size(), off_t(at));
            check(got >= 0, "read");
            auto used = walk({buffer.data(), std::size_t(got)}, visit);
            if (used == 0) return;
            at += used;
        }
    }

   private:
    void zero_ahead() {
        std::string zeros(1u << 20, '\0');
        for (std::size_t n = 0; n < step_bytes; n += zeros.size(), zeroed_ += zeros.size()) {
            check(pwrite(fd_, zeros.data(), zeros.size(), off_t(zeroed_)) == ssize_t(zeros.size()), "write");
        }
        check(fsync(fd_) == 0, "fsync");
    }
    // Bytes of the whole frames at the head of `bytes`.
    static std::size_t walk(std::string_view bytes, Visitor const& visit) {
        std::size_t at = 0;
        while (at + frame_head_bytes <= bytes.size()) {
            std::uint32_t size = 0, sum = 0;
            std::memcpy(&size, bytes.data() + at, 4), std::memcpy(&sum, bytes.data() + at + 4, 4);
            if (size == 0 || at + frame_head_bytes + size > bytes.size()) break;
            auto body = bytes.substr(at + frame_head_bytes, size);
            if (crc32c(body) != sum) die("a frame is damaged");
            for (ByteReader in(body); !in.done();) visit(in.string());
            at += frame_head_bytes + size;
        }
        return at;
    }

    int fd_;
    std::size_t zeroed_, end_ = 0;
    std::string frame_;
};

}  // namespace

std::unique_ptr<Store> open_bare(std::string const& directory, int) { return std::make_unique<Bare>(directory + "/bare.data"); }

}  // namespace gantry::bench
