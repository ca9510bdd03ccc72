#include "kernel/runtime/mail.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/base64.h"
#include "kernel/http/message.h"

namespace gantry {
namespace {

bool is_one_line(std::string_view s) {
    return std::ranges::none_of(s, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_ascii(std::string_view s) {
    return std::ranges::all_of(s, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

Result<MailSent> send_mail(SendMail const& mail, Outside& outside) {
    bool const plain = is_one_line(mail.to) && is_one_line(mail.subject) && mail.to.view().find_first_of(" <>,;") == std::string_view::npos;
    if (!plain) return fail(422, "mail_malformed", "the address or the subject of a mail has characters that a header can't have");
    if (!outside.mail) return fail(503, "mail_nowhere", "nothing here takes mail");
    std::string text = mail.text.str();
    if (auto const at = text.find("{proof}"); mail.proof && at != text.npos)
        text.replace(at, 7, outside.proof_of(mail.proof->purpose, mail.proof->what));
    TRY_VOID(outside.mail(outside.id, mail.to, mail.subject, text));
    return MailSent{};
}

namespace runtime {

std::string mail_message(std::string_view id, std::string_view to, std::string_view subject, std::string_view text, Time now) {
    std::string encoded(subject);
    if (!is_ascii(subject)) {
        encoded = "=?utf-8?B?";
        codec::append_base64(encoded, subject);
        encoded += "?=";
    }
    return fmt::format(
        "Date: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <{}@gantry>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nAuto-Submitted: auto-generated\r\n\r\n{}",
        http::http_date(now), to, encoded, id, text);
}

}  // namespace runtime
}  // namespace gantry
