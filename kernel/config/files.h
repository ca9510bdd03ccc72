#pragma once
#include <expected>
#include <string>
#include <string_view>

// The files that a configuration consists of: its own, and those of secrets. Internal to this folder. What can't be used comes as a
// sentence that says why and what to do, and never holds what is in the file.
namespace gantry::config {

inline constexpr std::size_t config_bytes_max = 1 << 20, secret_bytes_max = 64 << 10;

struct ConfigText {
    std::string text;
    bool others_read = false;  // everybody on this machine may read it
};
// UTF-8, at most config_bytes_max. A pipe is fine.
std::expected<ConfigText, std::string> read_config_file(std::string const& path);

// "file:/path" or "credential:NAME".
bool is_reference(std::string_view value);
// The path that a reference means. `credentials` is systemd's $CREDENTIALS_DIRECTORY, or empty.
std::expected<std::string, std::string> path_of_reference(std::string_view reference, std::string_view credentials);
// A regular file of 1 to secret_bytes_max bytes that only its owner and group may use; one newline at its end is cut.
std::expected<std::string, std::string> read_secret_file(std::string const& path);

}  // namespace gantry::config
