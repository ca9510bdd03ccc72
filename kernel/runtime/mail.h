#pragma once
#include <optional>

#include "kernel/runtime/effects.h"

// A mail as an effect: a service lists Effect<SendMail> among its events and effect<Service>(&send_mail) among its effects.
namespace gantry {

// Where `text` says "{proof}", the mail has Ctx::proof_of(purpose, what): a link that works is in no log.
struct MailProof {
    Text<1, 60> purpose;
    Text<1, 400> what;
};
RECORD(MailProof, purpose, what);
struct SendMail {
    Text<3, 254> to;
    Text<1, 200> subject;
    Text<1, 20000> text;  // plain, lines ended by '\n'
    std::optional<MailProof> proof;
};
RECORD(SendMail, to, subject, text, proof);
struct MailSent {};
EMPTY_RECORD(MailSent);

// 422 "mail_malformed" for an address or a subject with control characters, 503 "mail_nowhere" where nothing takes mail.
Result<MailSent> send_mail(SendMail const& mail, Outside& outside);

namespace runtime {

// The mail as a message of RFC 5322, in UTF-8.
std::string mail_message(std::string_view id, std::string_view to, std::string_view subject, std::string_view text, Time now);

}  // namespace runtime
}  // namespace gantry
