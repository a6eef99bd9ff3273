#pragma once

#include "app/gateway_fixture.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mcp_oauth {

// The fixture's MCP servers answer by themselves, and keep what they saw.
class AdvisoryGateway : public Gateway {
 protected:
  ~AdvisoryGateway() override {
    {
      std::lock_guard lock(mutex);
      leaving_ = true;
      arrived.notify_all();
    }
    if (answering_.joinable()) answering_.join();
  }

  // Everything that any MCP server was sent since the last look.
  std::vector<std::string> take_seen() {
    std::lock_guard lock(mutex);
    return std::exchange(seen_, {});
  }

  // The answer of the gateway, while the servers behind it answer what reaches them.
  std::string ask(const std::string& request) {
    if (!answering_.joinable()) answering_ = std::thread([this] { answer_all(); });
    return answer_to(request);
  }

  std::string bearer(const std::string& subject, const std::string& audience = resource,
                     const std::string& client = "client") {
    return "Authorization: Bearer " + token([&](access_claims& c) {
             c.subject = subject;
             c.audience = audience;
             c.client_id = client;
             c.grant_id = subject + client;
           }) +
           "\r\n";
  }

  void add_upstream(const std::string& name) {
    auto other = conf.upstreams.front();
    other.name = name;
    other.url = "http://" + name + ":3000/rpc";
    other.paths = {"/" + name};
    other.resource = std::string(origin) + "/" + name;
    conf.upstreams.push_back(other);
  }

 private:
  void answer_all() {
    for (;;) {
      net::test_peer peer(-1);
      {
        std::unique_lock lock(mutex);
        arrived.wait(lock, [this] { return leaving_ || !dialled.empty(); });
        if (leaving_) return;
        peer = std::move(dialled.front());
        dialled.pop_front();
      }
      auto head = peer.until("\r\n\r\n");
      if (head.empty()) continue;  // a look whether the server is there
      auto text = to_lower(head);
      std::string body;
      if (auto at = text.find("\r\ncontent-length: "); at != std::string::npos) {
        body = peer.exactly(std::stoul(text.substr(at + 18)));
      } else if (has(text, "transfer-encoding: chunked")) {
        body = peer.until("0\r\n\r\n");
      }
      {
        std::lock_guard lock(mutex);
        seen_.push_back(head + body);
      }
      peer.send(std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n") +
                (has(body, "initialize") ? "Mcp-Session-Id: given-1\r\n" : "") +
                "Content-Length: 13\r\n\r\n{\"served\":\"\"}");
      peer.close();
    }
  }

  bool leaving_ = false;
  std::vector<std::string> seen_;
  std::thread answering_;
};

inline std::string field_of(const std::string& message, const std::string& name) {
  auto at = message.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  at += name.size() + 4;
  return message.substr(at, message.find("\r\n", at) - at);
}

// How many lines of a head have the name, all cases and all that is neither letter nor digit being one.
inline int lines_named(const std::string& head, std::string_view name) {
  int count = 0;
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    auto line = std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    auto found = to_lower(line.substr(0, line.find(':')));
    found = trim(found);
    std::replace_if(
        found.begin(), found.end(), [](char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; },
        '-');
    count += found == to_lower(name);
  }
  return count;
}

}  // namespace mcp_oauth
