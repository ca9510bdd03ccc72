#pragma once
#include "services/queue/queue_test.h"
#include "services/queue/sqs.h"

// What the tests of SQS share: requests in both encodings, and a look into answers in XML.
namespace gantry::queue::sqs {

inline const std::string url = "http://localhost/queue/sqs/000000000000/";

class Sqs : public ::testing::Test, public Queue {
   public:
    // `form`: what follows the action, as "QueueName=a".
    Said ask(std::string const& action, std::string const& form = "") {
        header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        return post("/queue/sqs", "Action=" + action + "&Version=2012-11-05" + (form.empty() ? "" : "&") + form);
    }
    Said json(std::string const& action, std::string const& body) {
        header("Content-Type", "application/x-amz-json-1.0").header("X-Amz-Target", "AmazonSQS." + action);
        return post("/queue/sqs", body);
    }
    std::string of(std::string const& queue) const { return "QueueUrl=" + url + queue; }
    void make(std::string const& queue, std::string const& attributes = "") {
        ask("CreateQueue", "QueueName=" + queue + (attributes.empty() ? "" : "&") + attributes).ok();
    }
    Said send(std::string const& body, std::string const& more = "", std::string const& queue = "mail") {
        return ask("SendMessage", of(queue) + "&MessageBody=" + body + more);
    }
    Said receive(std::string const& more = "", std::string const& queue = "mail") { return ask("ReceiveMessage", of(queue) + more); }
    // Of the only message of a receive; empty: there was none.
    std::string handle(std::string const& more = "", std::string const& queue = "mail") {
        return between(receive(more, queue).ok().body(), "ReceiptHandle");
    }
    Said drop(std::string const& handle, std::string const& queue = "mail") {
        return ask("DeleteMessage", of(queue) + "&ReceiptHandle=" + handle);
    }
    Said visible(std::string const& handle, int seconds, std::string const& queue = "mail") {
        return ask("ChangeMessageVisibility", of(queue) + fmt::format("&ReceiptHandle={}&VisibilityTimeout={}", handle, seconds));
    }
    static std::string between(std::string const& body, std::string const& element) {
        auto const begin = body.find("<" + element + ">");
        if (begin == body.npos) return {};
        auto const from = begin + element.size() + 2;
        return body.substr(from, body.find("</" + element + ">") - from);
    }
    static std::size_t count(std::string const& body, std::string const& word) {
        std::size_t n = 0;
        for (auto at = body.find(word); at != body.npos; at = body.find(word, at + 1)) ++n;
        return n;
    }
    std::string attribute(std::string const& name, std::string const& queue = "mail") {
        return between(ask("GetQueueAttributes", of(queue) + "&AttributeName.1=" + name).ok().body(), "Value");
    }
};

}  // namespace gantry::queue::sqs
