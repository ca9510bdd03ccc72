#include "kernel/runtime/mail.h"

#include <gtest/gtest.h>

namespace gantry {
namespace {

struct Sent {
    std::string id, to, subject, text;
};

class Mail : public ::testing::Test {
   protected:
    Mail() {
        outside.id = EffectId("e_1");
        outside.proof_of = [](std::string_view purpose, std::string_view what) { return std::string(purpose) + "!" + std::string(what); };
        outside.mail = [this](std::string_view id, std::string_view to, std::string_view subject, std::string_view text) -> Result<void> {
            sent.push_back({std::string(id), std::string(to), std::string(subject), std::string(text)});
            return {};
        };
    }
    std::vector<Sent> sent;
    Outside outside;
};

TEST_F(Mail, TheProofIsFilledInOnTheWay) {
    ASSERT_TRUE(send_mail({"ann@example.org", "Hello", "open x/{proof}\n", MailProof{"email", "u_1"}}, outside));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].text, "open x/email!u_1\n");
    EXPECT_EQ(sent[0].id, "e_1");
    ASSERT_TRUE(send_mail({"ann@example.org", "Hello", "no {proof}\n", {}}, outside));
    EXPECT_EQ(sent[1].text, "no {proof}\n");
}

TEST_F(Mail, NoHeaderCanBeAdded) {
    for (auto const* to : {"ann@example.org\r\nBcc: x@example.org", "a@b, c@d", "<a@b>"})
        EXPECT_EQ(send_mail({to, "Hello", "x", {}}, outside).error().code, "mail_malformed") << to;
    EXPECT_EQ(send_mail({"ann@example.org", "Hello\nBcc: x", "x", {}}, outside).error().status, 422);
    outside.mail = {};
    EXPECT_EQ(send_mail({"ann@example.org", "Hello", "x", {}}, outside).error().code, "mail_nowhere");
    EXPECT_TRUE(sent.empty());
}

TEST(MailMessage, IsThatOfRfc5322) {
    auto const text = runtime::mail_message("e_1", "ann@example.org", "Grüße", "Zeile\n", Time{784'111'777'000'000});
    EXPECT_EQ(
        text,
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nTo: ann@example.org\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\nMessage-ID: <e_1@gantry>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        "Auto-Submitted: auto-generated\r\n\r\nZeile\n");
}

}  // namespace
}  // namespace gantry
