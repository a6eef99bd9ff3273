// An MCP server of Boost.Beast with the guard inside.
//
//   OAUTH_ISSUER_URL=https://idp.example.com MCP_URL=https://mcp.example.com/mcp ./beast_server 8080

#include "../common/tools.h"

#include <cstdlib>
#include <iostream>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <mcp_oauth/beast.h>

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

// [guard]
// What calls the tools: only requests that the guard has let in.
mcp_oauth::response handle(const mcp_oauth::request& asked, const mcp_oauth::call& call) {
  if (call.method() == "stream") return {405, {{"Allow", "POST"}}, ""};  // no events here
  auto answer = example::answer_to(asked.body, call.user().subject());
  if (answer.empty()) return {202, {}, ""};
  return {200, {{"Content-Type", "application/json"}}, answer};
}

mcp_oauth::outcome<mcp_oauth::guard, mcp_oauth::config_problems> make_guard() {
  mcp_oauth::options options;
  const char* issuer = std::getenv("OAUTH_ISSUER_URL");
  const char* resource = std::getenv("MCP_URL");
  options.server.issuer = issuer != nullptr ? issuer : "";
  options.resource = resource != nullptr ? resource : "";
  options.tools = {{"whoami", {"tools:read"}}, {"delete_*", {"tools:read", "tools:write"}}};
  options.log = [](const mcp_oauth::log_entry& entry) {
    std::clog << entry.message;
    for (const auto& field : entry.fields) std::clog << ' ' << field.name << "=\"" << field.value << '"';
    std::clog << '\n';
  };
  return mcp_oauth::guard::make(options);
}
// [guard]

template <class Serve>
void serve_connection(tcp::socket socket, Serve serve) {
  beast::flat_buffer buffer;
  beast::error_code failed;
  while (true) {
    beast::http::request<beast::http::string_body> asked;
    beast::http::read(socket, buffer, asked, failed);
    if (failed) return;
    auto answer = mcp_oauth::beast::serve(serve, asked);
    beast::http::write(socket, answer, failed);
    if (failed || !answer.keep_alive()) return;
  }
}

int main(int count, char** words) {
  auto guard = make_guard();
  if (!guard) {
    std::cerr << guard.error().text() << '\n';
    return 1;
  }
  if (auto why = guard->prepare())
    std::cerr << "not yet: " << why->description() << ": " << why->detail() << '\n';
  guard->start_background_refresh();

  auto port = static_cast<unsigned short>(count > 1 ? std::atoi(words[1]) : 8080);
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), port});
  std::cout << "listening on http://127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
  while (true) {
    auto socket = acceptor.accept();
    std::thread(serve_connection<decltype(guard->mount(handle))>, std::move(socket), guard->mount(handle))
        .detach();
  }
}
