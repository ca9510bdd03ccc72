#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// gzip over zlib, bounded. Inside kernel/http.
namespace gantry::http {

// Inflates one gzip body (of one or several members) that comes in pieces.
class Inflater {
   public:
    // Refuses output above `limit_bytes`, or above `ratio` times the input once there are more than 64 KiB of it.
    Inflater(std::uint64_t limit_bytes, std::size_t ratio);
    ~Inflater();
    enum class Outcome : std::uint8_t { Ok, Malformed, TooLarge };
    // Appends what `in` inflates to.
    Outcome write(std::string_view in, std::string& out);
    bool complete() const;  // the last member has ended

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Deflates a stream of pieces.
class Deflater {
   public:
    Deflater();
    ~Deflater();
    enum class Push : std::uint8_t { Hold, Flush, End };
    void write(std::string_view in, Push push, std::string& out);

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Appends all of `in` as one gzip member; keeps its state for the calling thread's next use.
void append_gzip(std::string& out, std::string_view in);

}  // namespace gantry::http
