#pragma once

// The guard for servers of Boost.Beast: its messages in and out of mcp_oauth/http.h. Header only; the library
// itself knows nothing of Beast.
//
//   auto serve = guard.mount(handler);
//   http::async_write(stream, mcp_oauth::beast::serve(serve, asked), …);

#include "mcp_oauth/guard.h"

#include <string_view>
#include <utility>
#include <vector>

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace mcp_oauth::beast {

namespace http = boost::beast::http;

// A request of Beast as the guard sees it. Borrows from it, and has to live as long as the call it is given
// to.
class view final {
 public:
  template <class Fields>
  explicit view(const http::request<http::string_body, Fields>& asked) {
    for (const auto& field : asked) headers_.push_back({text(field.name_string()), text(field.value())});
    request_.method = text(asked.method_string());
    request_.target = text(asked.target());
    request_.headers = headers_;
    request_.body = asked.body();
  }
  view(const view&) = delete;
  view& operator=(const view&) = delete;

  const request& get() const { return request_; }

 private:
  template <class Text>
  static std::string_view text(const Text& t) {
    return {t.data(), t.size()};
  }
  std::vector<header> headers_;
  request request_;
};

// An answer of the guard as a message of Beast, for the connection that `asked` came on.
template <class Fields>
http::response<http::string_body> message(response answer,
                                          const http::request<http::string_body, Fields>& asked) {
  http::response<http::string_body> out;
  out.version(asked.version());
  out.result(static_cast<unsigned>(answer.status));
  for (const auto& [name, value] : answer.headers) out.insert(name, value);
  out.keep_alive(asked.keep_alive());
  out.body() = std::move(answer.body);
  out.prepare_payload();
  return out;
}

// What `mounted` (of guard::mount or guard::wrap) answers to the request.
template <class Mounted, class Fields>
http::response<http::string_body> serve(Mounted& mounted,
                                        const http::request<http::string_body, Fields>& asked) {
  const view seen(asked);
  return message(mounted(seen.get()), asked);
}

}  // namespace mcp_oauth::beast
