#pragma once

// The guard for servers of cpp-httplib (Debian: libcpp-httplib-dev). Header only; the library itself knows
// nothing of it.
//
//   httplib::Server server;
//   mcp_oauth::mount(server, "/mcp", guard, [](const httplib::Request& asked, httplib::Response& answer,
//                                              const mcp_oauth::call& call) { … });

#include "mcp_oauth/guard.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <httplib.h>

namespace mcp_oauth {
namespace httplib_adapter {

// A request of cpp-httplib as the guard sees it. Borrows from it.
class view final {
 public:
  explicit view(const httplib::Request& asked) {
    for (const auto& [name, value] : asked.headers) headers_.push_back({name, value});
    request_.method = asked.method;
    request_.target = asked.target;
    request_.headers = headers_;
    request_.body = asked.body;
  }
  view(const view&) = delete;
  view& operator=(const view&) = delete;
  const request& get() const { return request_; }

 private:
  std::vector<header> headers_;
  request request_;
};

inline void send(response answer, httplib::Response& to) {
  to.status = answer.status;
  to.headers.clear();
  std::string type;
  for (auto& [name, value] : answer.headers) {
    if (name == "Content-Type")
      type = value;
    else
      to.headers.emplace(std::move(name), std::move(value));
  }
  if (answer.body.empty())
    to.body.clear();
  else
    to.set_content(answer.body, type.c_str());
}

// Puts the filter between what streams and the client.
inline void filter_stream(const call& call, httplib::Response& answer) {
  auto filter = std::make_shared<answer_filter>(call.begin_filter(answer.get_header_value("Content-Type")));
  auto stream = std::move(answer.content_provider_);
  answer.content_provider_ = [filter, stream](std::size_t offset, std::size_t length,
                                              httplib::DataSink& sink) {
    httplib::DataSink through;
    through.write = [&](const char* data, std::size_t size) {
      std::string kept;
      if (filter->feed({data, size}, kept)) return false;
      return kept.empty() || sink.write(kept.data(), kept.size());
    };
    bool good = true;
    through.done = [&] {
      std::string kept;
      good = !filter->finish(kept);
      if (good) sink.done();
    };
    if constexpr (requires { through.is_writable; }) through.is_writable = [&] { return sink.is_writable(); };
    return stream(offset, length, through) && good;
  };
}

// The answer of a handler, with what the caller may not see taken out of it.
inline void send_filtered(const call& call, httplib::Response& answer) {
  if (answer.status == -1) answer.status = 200;
  if (answer.content_provider_) {
    for (auto& [name, value] : call.answer_headers()) {
      if (!answer.has_header(name)) answer.headers.emplace(name, value);
    }
    if (!call.filters()) return;
    // With a length that was promised nothing can be taken out.
    if (answer.is_chunked_content_provider_)
      filter_stream(call, answer);
    else
      send({500, {{"Content-Type", "text/plain"}}, "a list with a length of its own cannot be filtered\n"},
           answer);
    return;
  }
  response out;
  out.status = answer.status;
  for (const auto& [name, value] : answer.headers) out.headers.emplace_back(name, value);
  out.body = std::move(answer.body);
  send(call.filtered(std::move(out)), answer);
}

// Paths are patterns to cpp-httplib.
inline std::string literally(const std::string& path) {
  std::string pattern;
  for (char c : path) {
    if (std::string_view(".[]{}()\\*+?|^$").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace httplib_adapter

// Serves the resource metadata, and at `path` the MCP endpoint: `handler(const httplib::Request&,
// httplib::Response&, const call&)` gets the requests that are allowed. To be called before the server
// listens.
template <class Handler>
void mount(httplib::Server& server, const std::string& path, const guard& guard, Handler handler) {
  auto shared = std::make_shared<Handler>(std::move(handler));
  auto serve = [guard, shared](const httplib::Request& asked, httplib::Response& answer) {
    const httplib_adapter::view seen(asked);
    auto let_in = guard.admit(seen.get());
    if (!let_in.allowed()) return httplib_adapter::send(let_in.answer(), answer);
    const serving now(let_in.call());
    (*shared)(asked, answer, let_in.call());
    httplib_adapter::send_filtered(let_in.call(), answer);
  };
  auto describe = [guard](const httplib::Request& asked, httplib::Response& answer) {
    const httplib_adapter::view seen(asked);
    if (auto document = guard.metadata(seen.get()))
      httplib_adapter::send(std::move(*document), answer);
    else
      answer.status = 404;
  };
  for (const auto& name : guard.metadata_paths()) {
    auto pattern = httplib_adapter::literally(name);
    server.Get(pattern, describe);
    server.Options(pattern, describe);
  }
  auto pattern = httplib_adapter::literally(path);
  server.Get(pattern, serve);
  server.Post(pattern, serve);
  server.Delete(pattern, serve);
  server.Options(pattern, serve);
}

}  // namespace mcp_oauth
