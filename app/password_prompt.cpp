#include "app/password_prompt.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "app/terminal.h"
#include "kernel/log/disk.h"

namespace gantry::app {
namespace {

constexpr std::size_t input_bytes_max = 64 << 10;

// Standard input without echo, for as long as this lives.
class Quiet {
   public:
    Quiet() {
        if (::tcgetattr(STDIN_FILENO, &kept_) != 0) return;
        auto quiet = kept_;
        quiet.c_lflag &= ~tcflag_t(ECHO);
        changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
    }
    ~Quiet() {
        if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &kept_);
    }
    Quiet(Quiet const&) = delete;

   private:
    termios kept_{};
    bool changed_ = false;
};

// Up to the end of a line, byte by byte: what stands behind it belongs to the next reader.
std::string read_line() {
    std::string line;
    for (char c; line.size() < input_bytes_max && ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line += c;
    return line;
}

std::string ask(std::string_view what) {
    fmt::print(stderr, "{}: ", what);
    Quiet quiet;
    auto line = read_line();
    fmt::print(stderr, "\n");
    return line;
}

std::string first_line(std::string text) {
    text.resize(std::min(text.find('\n'), text.size()));
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

}  // namespace

Result<std::string> read_password(std::string const& file) {
    if (!file.empty()) {
        TRY_ASSIGN(auto text, log::read_file(log::system_disk(), file));
        return first_line(std::move(text));
    }
    if (::isatty(STDIN_FILENO) != 1) {
        auto line = first_line(read_line());
        if (line.empty()) return fail(400, "usage", "there is no password on standard input");
        return line;
    }
    auto password = ask("Password");
    if (ask("The same again") != password) return fail(400, "usage", "the two passwords differ");
    return password;
}

}  // namespace gantry::app
